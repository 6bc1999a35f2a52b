import { describe, expect, test } from "vitest";
import type { Container, DeviceClass } from "../../api/index.js";
import { makeMeta, makePod } from "../../testing/builders.js";
import { listerOf } from "../framework/listers.js";
import { backedResources, classBehind, extendedClaim } from "./extended-resources.js";

const gpu = "example.com/gpu";
const container = (name: string, count: number, more: Partial<Container> = {}): Container => ({
  name,
  image: "x",
  resources: { requests: { cpu: "1", ...(count > 0 ? { [gpu]: `${count}` } : {}) } },
  ...more,
});

function claimFor(
  init: readonly Container[],
  containers: readonly Container[],
): { readonly requests: readonly string[]; readonly mappings: readonly string[] } {
  const pod = makePod("p", { containers, spec: { initContainers: init } });
  const { requests, mappings } = extendedClaim(pod, new Map([[gpu, "gpus"]]));
  return {
    requests: requests.map(({ name, exactly }) => `${name}=${exactly?.count} ${exactly?.deviceClassName}`),
    mappings: mappings.map(({ containerName, requestName }) => `${containerName} ${requestName}`),
  };
}

describe("extendedClaim", () => {
  test("asks for each container that stays, by its place and that of the resource among its requests", () => {
    expect(claimFor([], [container("a", 2), container("none", 0), container("b", 1)])).toEqual({
      requests: ["container-0-request-1=2 gpus", "container-2-request-1=1 gpus"],
      mappings: ["a container-0-request-1", "b container-2-request-1"],
    });
  });

  test("lets init containers use what those after them will have", () => {
    expect(claimFor([container("init", 2)], [container("a", 1), container("b", 3)])).toEqual({
      requests: ["container-1-request-1=1 gpus", "container-2-request-1=3 gpus"],
      mappings: [
        "a container-1-request-1",
        "b container-2-request-1",
        "init container-1-request-1",
        "init container-2-request-1",
      ],
    });
  });

  test("asks for more where that is not enough, once for the neediest of them", () => {
    expect(claimFor([container("one", 3), container("two", 5)], [container("a", 2)])).toEqual({
      requests: ["container-1-request-1=3 gpus", "container-2-request-1=2 gpus"],
      mappings: [
        "a container-2-request-1",
        "one container-2-request-1",
        "one container-1-request-1",
        "two container-2-request-1",
        "two container-1-request-1",
      ],
    });
  });

  test("does not let them use what sidecars before them have", () => {
    const sidecar = container("side", 1, { restartPolicy: "Always" });
    expect(claimFor([sidecar, container("init", 1)], [])).toEqual({
      requests: ["container-0-request-1=1 gpus", "container-1-request-1=1 gpus"],
      mappings: ["side container-0-request-1", "init container-1-request-1"],
    });
  });
});

describe("classes behind resources", () => {
  const of = (
    name: string,
    extendedResourceName?: string,
    creationTimestamp = "2026-01-01T00:00:00Z",
  ): DeviceClass => ({
    apiVersion: "resource.k8s.io/v1",
    kind: "DeviceClass",
    metadata: { ...makeMeta("DeviceClass", name), creationTimestamp },
    spec: extendedResourceName === undefined ? {} : { extendedResourceName },
  });
  const classes = listerOf([
    of("old", gpu),
    of("b", gpu, "2026-01-02T00:00:00Z"),
    of("a", gpu, "2026-01-02T00:00:00Z"),
  ]);

  test.each<[string, string | undefined]>([
    [gpu, "a"],
    ["example.com/other", undefined],
    ["deviceclass.resource.kubernetes.io/old", "old"],
    ["deviceclass.resource.kubernetes.io/none", undefined],
    ["cpu", undefined],
    ["hugepages-2Mi", undefined],
  ])("%s: %s", (resource, expected) => {
    expect(classBehind(resource, classes)).toBe(expected);
  });

  test("only what is asked for counts", () => {
    const pod = makePod("p", { containers: [container("a", 0)], spec: { initContainers: [container("i", 1)] } });
    expect(backedResources(pod, classes)).toEqual(new Map([[gpu, "a"]]));
    expect(backedResources(makePod("q"), classes)).toEqual(new Map());
  });
});
