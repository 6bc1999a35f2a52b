import { describe, expect, it } from "vitest";
import type { JsonObject } from "../object.js";
import { created, updated, withPath } from "./testing.js";

const podSpec: JsonObject = {
  containers: [{ name: "a", image: "a", lifecycle: { stopSignal: "SIGUSR1", preStop: { sleep: { seconds: 1 } } } }],
  initContainers: [{ name: "b", image: "b", restartPolicy: "Always", lifecycle: { stopSignal: "SIGUSR1" } }],
  schedulingGroup: { podGroupName: "g" },
  volumes: [
    {
      name: "v",
      projected: {
        sources: [
          { clusterTrustBundle: { name: "x", path: "x" } },
          { podCertificate: { signerName: "a.b/c", keyType: "ED25519", credentialBundlePath: "p" } },
          { secret: { name: "s" } },
        ],
      },
    },
  ],
};

/** The path of a pod's spec in each kind that has one. */
const podSpecs = [
  { kind: "/pods", path: "spec" },
  { kind: "/podtemplates", path: "template.spec" },
  { kind: "/replicationcontrollers", path: "spec.template.spec" },
  { kind: "apps/deployments", path: "spec.template.spec" },
  { kind: "apps/replicasets", path: "spec.template.spec" },
  { kind: "apps/daemonsets", path: "spec.template.spec" },
  { kind: "apps/statefulsets", path: "spec.template.spec" },
  { kind: "batch/jobs", path: "spec.template.spec" },
  { kind: "batch/cronjobs", path: "spec.jobTemplate.spec.template.spec" },
];

function at(object: JsonObject, path: string): unknown {
  return path.split(".").reduce<unknown>((value, step) => (value as JsonObject)[step], object);
}

const kept = {
  containers: [{ name: "a", lifecycle: { preStop: { sleep: { seconds: 1 } } } }],
  volumes: [{ name: "v", projected: { sources: [{}, {}, { secret: { name: "s" } }] } }],
};

describe("fields of features that are off", () => {
  it.each(podSpecs)("are dropped from the pods of $kind", ({ kind, path }) => {
    const spec = at(created(kind, withPath({}, path, podSpec)).object, path) as JsonObject;
    expect(spec).toMatchObject(kept);
    expect(JSON.stringify(spec)).not.toMatch(/stopSignal|clusterTrustBundle|podCertificate|schedulingGroup/);
    expect(spec["initContainers"]).not.toMatchObject([{ lifecycle: {} }]);
  });

  it.each(podSpecs)("are kept in $kind where the old object has them", ({ kind, path }) => {
    const old = withPath({}, path, podSpec);
    expect(at(updated(kind, old, old).object, path)).toMatchObject(podSpec);
  });

  it("are kept for the one feature that the old object uses, and dropped for others", () => {
    const old = withPath({}, "spec", withPath(podSpec, "volumes", undefined));
    const { object } = updated("/pods", withPath({}, "spec", podSpec), old);
    expect(object).toMatchObject({ spec: { schedulingGroup: { podGroupName: "g" }, volumes: kept.volumes } });
  });

  it.each([
    {
      name: "a claim's source in another namespace goes as a whole",
      kind: "/persistentvolumeclaims",
      given: { spec: { dataSourceRef: { kind: "PersistentVolumeClaim", name: "a", namespace: "b" } } },
      dropped: /dataSourceRef/,
    },
    {
      name: "a stateful set's maxUnavailable",
      kind: "apps/statefulsets",
      given: { spec: { updateStrategy: { rollingUpdate: { maxUnavailable: 2 } } } },
      dropped: /maxUnavailable/,
    },
    {
      name: "a driver that keeps pods from nodes without it",
      kind: "storage.k8s.io/csidrivers",
      given: { spec: { preventPodSchedulingIfMissing: true } },
      dropped: /preventPodSchedulingIfMissing/,
    },
    {
      name: "attributes of devices that are lists, and what devices take from a node",
      kind: "resource.k8s.io/resourceslices",
      given: {
        spec: {
          devices: [{ name: "a", attributes: { x: { ints: [1] } }, nodeAllocatableResourceMappings: { cpu: {} } }],
        },
      },
      dropped: /ints|nodeAllocatableResourceMappings/,
    },
    {
      name: "a node's dynamic configuration",
      kind: "/nodes",
      given: { spec: { configSource: { configMap: { name: "a" } } }, status: { config: { error: "e" } } },
      dropped: /configSource|"config"/,
    },
  ])("$name", ({ kind, given, dropped }) => {
    expect(JSON.stringify(created(kind, given).object)).not.toMatch(dropped);
    expect(JSON.stringify(updated(kind, given, given).object)).toMatch(dropped);
  });

  it("a pod's status keeps what its old status has", () => {
    const status = {
      nodeAllocatableResourceClaimStatuses: [{ resourceClaimName: "a" }],
      containerStatuses: [{ name: "a", volumeMounts: [{ name: "v", mountPath: "/", volumeStatus: { image: {} } }] }],
    };
    const given = { status };
    expect(updated("/pods", given, {}, "status").object["status"]).toEqual({
      containerStatuses: [{ name: "a", volumeMounts: [{ name: "v", mountPath: "/" }] }],
    });
    expect(updated("/pods", given, given, "status").object["status"]).toMatchObject(status);
  });
});
