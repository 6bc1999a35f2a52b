import { describe, expect, it, test } from "vitest";
import { endpointSlices, endpoints, nodes, type Pod, pods, services } from "../../api/index.js";
import { makeNode, makePod } from "../../testing/builders.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { endpointsController } from "../endpoints/endpoints.js";
import { endpointSliceController } from "./endpointslice.js";

const labels = { app: "web" };

async function begin(spec: object = {}): Promise<Scenario> {
  const scenario = new Scenario({ controllers: [endpointSliceController, endpointsController] });
  await scenario.start();
  await scenario.create(nodes, makeNode("n", { labels: { "topology.kubernetes.io/zone": "z1" } }));
  await scenario.create(services, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace: "default", labels: { team: "a" } },
    spec: { selector: labels, clusterIP: "10.96.0.9", ports: [{ name: "http", port: 80, targetPort: "web" }], ...spec },
  });
  let last = 0;
  scenario.onPod = () => {
    const ip = `10.0.${last >> 8}.${last++ & 255}`;
    return {
      phase: "Running",
      podIP: ip,
      podIPs: [{ ip }],
      conditions: [{ type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" }],
    };
  };
  return scenario;
}

const pod = (name: string, more: object = {}): Pod =>
  makePod(name, {
    labels,
    nodeName: "n",
    containers: [{ name: "c", image: "i", ports: [{ name: "web", containerPort: 8080 }] }],
    ...more,
  });

const notReady = {
  status: { conditions: [{ type: "Ready", status: "False", lastTransitionTime: "2026-01-01T00:00:00Z" }] },
};

test("publishes addresses, ports, conditions, node and zone, and follows readiness, labels and deletion", async () => {
  const scenario = await begin();
  await scenario.settle();
  expect((await scenario.list(endpointSlices))[0]).toMatchObject({ addressType: "IPv4" });
  const created = await scenario.create(pods, pod("a"));
  await scenario.create(pods, pod("b"));
  await scenario.settle();
  const [slice, ...others] = await scenario.list(endpointSlices);
  expect(others).toEqual([]);
  expect(slice?.metadata.labels).toEqual({
    team: "a",
    "kubernetes.io/service-name": "web",
    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
  });
  expect(slice?.metadata.name).toMatch(/^web-.{5}$/);
  expect(slice?.ports).toEqual([{ name: "http", port: 8080, protocol: "TCP" }]);
  expect(slice?.endpoints?.[0]).toEqual({
    addresses: ["10.0.0.0"],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: "n",
    zone: "z1",
    targetRef: { kind: "Pod", namespace: "default", name: "a", uid: created.metadata.uid },
  });
  expect((await scenario.get(endpoints, "web"))?.subsets).toMatchObject([
    {
      addresses: [{ ip: "10.0.0.0", nodeName: "n" }, { ip: "10.0.0.1" }],
      ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    },
  ]);
  await scenario.change(pods, "a", notReady, "status");
  await scenario.settle();
  const conditions = async () =>
    (await scenario.list(endpointSlices)).flatMap((one) => one.endpoints ?? []).map((one) => one.conditions);
  expect((await conditions())[0]).toEqual({ ready: false, serving: false, terminating: false });
  expect((await scenario.get(endpoints, "web"))?.subsets?.[0]?.notReadyAddresses).toMatchObject([{ ip: "10.0.0.0" }]);
  scenario.kubelet = false;
  await scenario.delete(pods, "b");
  await scenario.settle();
  expect(await conditions()).toContainEqual({ ready: false, serving: true, terminating: true });
  scenario.kubelet = true;
  await scenario.settle();
  await scenario.change(pods, "a", { metadata: { labels: { app: "other" } } });
  await scenario.settle();
  expect(await conditions()).toEqual([]);
  expect((await scenario.get(endpoints, "web"))?.subsets ?? []).toEqual([]);
  expect(scenario.problems).toEqual([]);
});

test("250 pods make three slices of at most 100, none twice, also after a restart in between", async () => {
  const scenario = await begin();
  for (let n = 0; n < 120; n++) await scenario.create(pods, pod(`p${n}`));
  await scenario.settle();
  await scenario.restart();
  for (let n = 120; n < 250; n++) await scenario.create(pods, pod(`p${n}`));
  await scenario.settle();
  const slices = await scenario.list(endpointSlices);
  const sizes = slices.map((slice) => slice.endpoints?.length ?? 0);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(100);
  expect(slices).toHaveLength(3);
  const all = slices.flatMap((slice) => slice.endpoints ?? []).map((endpoint) => endpoint.targetRef?.name);
  expect(new Set(all).size).toBe(250);
  expect(all).toHaveLength(250);
});

test("a slice that somebody deleted or changed is mended", async () => {
  const scenario = await begin({ clusterIP: "None" });
  await scenario.create(pods, pod("a"));
  await scenario.settle();
  const name = async () => (await scenario.list(endpointSlices))[0]?.metadata.name ?? "";
  expect((await scenario.list(endpointSlices))[0]?.metadata.labels).toMatchObject({
    "service.kubernetes.io/headless": "",
  });
  await scenario.change(endpointSlices, await name(), { endpoints: [] });
  await scenario.settle();
  expect((await scenario.list(endpointSlices))[0]?.endpoints).toHaveLength(1);
  await scenario.delete(endpointSlices, await name());
  await scenario.delete(endpoints, "web");
  await scenario.advance(10_000);
  expect((await scenario.list(endpointSlices))[0]?.endpoints).toHaveLength(1);
  expect((await scenario.get(endpoints, "web"))?.subsets).toHaveLength(1);
});

test("publishNotReadyAddresses calls all ready", async () => {
  const scenario = await begin({ publishNotReadyAddresses: true });
  await scenario.create(pods, pod("a"));
  await scenario.settle();
  await scenario.change(pods, "a", notReady, "status");
  await scenario.settle();
  expect((await scenario.list(endpointSlices))[0]?.endpoints?.[0]?.conditions).toEqual({
    ready: true,
    serving: false,
    terminating: false,
  });
  expect((await scenario.get(endpoints, "web"))?.subsets?.[0]?.addresses).toHaveLength(1);
});

describe("a service's families", () => {
  const address = { IPv4: "10.0.0.7", IPv6: "fd00::7" } as const;
  const status = (...families: readonly (keyof typeof address)[]): object => {
    const podIPs = families.map((family) => ({ ip: address[family] }));
    const lastTransitionTime = "2026-01-01T00:00:00Z";
    return { podIP: podIPs[0]?.ip, podIPs, conditions: [{ type: "Ready", status: "True", lastTransitionTime }] };
  };
  const slices = async (scenario: Scenario): Promise<unknown> =>
    Object.fromEntries(
      (await scenario.list(endpointSlices)).map(({ addressType, endpoints: all = [] }) => [
        addressType,
        all.flatMap(({ addresses }) => addresses),
      ]),
    );

  it.each([
    { families: ["IPv4"], pod: ["IPv4", "IPv6"], expected: { IPv4: ["10.0.0.7"] }, legacy: "10.0.0.7" },
    {
      families: ["IPv4", "IPv6"],
      pod: ["IPv6", "IPv4"],
      expected: { IPv4: ["10.0.0.7"], IPv6: ["fd00::7"] },
      legacy: "10.0.0.7",
    },
    {
      families: ["IPv6", "IPv4"],
      pod: ["IPv4", "IPv6"],
      expected: { IPv4: ["10.0.0.7"], IPv6: ["fd00::7"] },
      legacy: "fd00::7",
    },
    { families: ["IPv6", "IPv4"], pod: ["IPv4"], expected: { IPv4: ["10.0.0.7"], IPv6: [] }, legacy: undefined },
    { families: ["IPv6"], pod: ["IPv4"], expected: { IPv6: [] }, legacy: undefined },
  ] as const)("$families with a pod of $pod", async ({ families, pod: of, expected, legacy }) => {
    const clusterIP = families[0] === "IPv4" ? "10.96.0.9" : "fd00::9";
    const scenario = await begin({ ipFamilies: families, clusterIP });
    scenario.kubelet = false;
    await scenario.create(pods, pod("a"));
    await scenario.change(pods, "a", { status: status(...of) }, "status");
    await scenario.settle();
    expect(await slices(scenario)).toEqual(expected);
    const [subset] = (await scenario.get(endpoints, "web"))?.subsets ?? [];
    expect(subset?.addresses?.map(({ ip }) => ip)).toEqual(legacy === undefined ? undefined : [legacy]);
  });

  it("come and go with their slices", async () => {
    const scenario = await begin({ clusterIPs: ["10.96.0.9"], ipFamilyPolicy: "SingleStack", ipFamilies: ["IPv4"] });
    await scenario.settle();
    const two = {
      ipFamilyPolicy: "PreferDualStack",
      ipFamilies: ["IPv4", "IPv6"],
      clusterIPs: ["10.96.0.9", "fd00::9"],
    };
    await scenario.change(services, "web", { spec: two });
    await scenario.settle();
    expect(await slices(scenario)).toEqual({ IPv4: [], IPv6: [] });
    const one = { ipFamilyPolicy: "SingleStack", ipFamilies: ["IPv4"], clusterIPs: ["10.96.0.9"] };
    await scenario.change(services, "web", { spec: one });
    await scenario.settle();
    expect(await slices(scenario)).toEqual({ IPv4: [] });
  });
});

test("what is written says since when that is so which it is written for", async () => {
  const scenario = await begin();
  await scenario.settle();
  const annotations = async (): Promise<readonly (string | undefined)[]> => {
    const [slice] = await scenario.list(endpointSlices);
    const [legacy] = await scenario.list(endpoints);
    const key = "endpoints.kubernetes.io/last-change-trigger-time";
    return [slice?.metadata.annotations?.[key], legacy?.metadata.annotations?.[key]];
  };
  const { metadata } = (await scenario.list(services))[0] ?? {};
  expect(await annotations()).toEqual([metadata?.creationTimestamp, metadata?.creationTimestamp]);
  const became = (status: string, at: string): object => ({
    status: { conditions: [{ type: "Ready", status, lastTransitionTime: at }] },
  });
  await scenario.create(pods, pod("a"));
  await scenario.create(pods, pod("b"));
  await scenario.settle();
  await scenario.change(pods, "a", became("False", "2026-01-01T00:00:09Z"), "status");
  await scenario.change(pods, "b", became("False", "2026-01-01T00:00:05Z"), "status");
  await scenario.settle();
  expect(await annotations()).toEqual(["2026-01-01T00:00:05Z", "2026-01-01T00:00:05Z"]);
  // A label tells of no time.
  await scenario.change(services, "web", { metadata: { labels: { team: "b" } } });
  await scenario.settle();
  expect(await annotations()).toEqual([undefined, undefined]);
});
