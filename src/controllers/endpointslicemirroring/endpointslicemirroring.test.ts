import { expect, test } from "vitest";
import {
  type EndpointSlice,
  type EndpointSubset,
  endpointSlices,
  endpoints,
  pods,
  services,
  statusErrors,
} from "../../api/index.js";
import { makePod } from "../../testing/builders.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { endpointsController } from "../endpoints/endpoints.js";
import { endpointSliceController } from "../endpointslice/endpointslice.js";
import { garbageCollector } from "../garbagecollector/garbagecollector.js";
import { endpointSliceMirroringController } from "./endpointslicemirroring.js";

const ports = [{ name: "http", port: 80, protocol: "TCP" }];
const metadata = { name: "outside", namespace: "default" };

async function begin(selector?: Readonly<Record<string, string>>): Promise<Scenario> {
  const scenario = new Scenario({ controllers: [endpointSliceMirroringController, garbageCollector] });
  await scenario.start();
  const spec = { clusterIP: "10.96.0.9", ports: [{ name: "http", port: 80 }] };
  await scenario.create(services, {
    apiVersion: "v1",
    kind: "Service",
    metadata,
    spec: selector === undefined ? spec : { ...spec, selector },
  });
  return scenario;
}

async function publish(scenario: Scenario, subsets: readonly EndpointSubset[], more: object = {}): Promise<void> {
  await scenario.create(endpoints, {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: { ...metadata, ...more },
    subsets,
  });
  await scenario.settle();
}

const shape = ({ addressType, endpoints: all, ports: own }: EndpointSlice): object => ({
  addressType,
  ports: own,
  endpoints: all?.map(({ addresses, conditions }) => `${addresses[0]} ${conditions?.ready}`),
});

test("addresses of all subsets are found in slices of their family and ports, ready or not", async () => {
  const scenario = await begin();
  const targetRef = { kind: "Pod", namespace: "default", name: "p", uid: "u" };
  await publish(
    scenario,
    [
      {
        addresses: [{ ip: "10.1.2.3", hostname: "a", nodeName: "n", targetRef }, { ip: "fd00::1" }],
        notReadyAddresses: [{ ip: "10.1.2.4" }],
        ports,
      },
      { addresses: [{ ip: "10.1.2.5" }], ports: [{ port: 443 }] },
    ],
    {
      labels: { team: "a" },
      annotations: { note: "kept", "kubectl.kubernetes.io/last-applied-configuration": "{}" },
    },
  );
  const slices = await scenario.list(endpointSlices);
  expect(slices.map(shape)).toEqual(
    expect.arrayContaining([
      { addressType: "IPv4", ports, endpoints: ["10.1.2.3 true", "10.1.2.4 false"] },
      { addressType: "IPv6", ports, endpoints: ["fd00::1 true"] },
      { addressType: "IPv4", ports: [{ name: "", port: 443, protocol: "TCP" }], endpoints: ["10.1.2.5 true"] },
    ]),
  );
  expect(slices).toHaveLength(3);
  const first = slices.find(({ endpoints: all }) => all?.[0]?.addresses[0] === "10.1.2.3");
  expect(first?.endpoints?.[0]).toEqual({
    addresses: ["10.1.2.3"],
    conditions: { ready: true },
    hostname: "a",
    nodeName: "n",
    targetRef,
  });
  expect(first?.metadata).toMatchObject({
    labels: {
      team: "a",
      "kubernetes.io/service-name": "outside",
      "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
    },
    annotations: { note: "kept" },
    ownerReferences: [{ apiVersion: "v1", kind: "Endpoints", name: "outside", controller: true }],
  });
});

test("slices follow what changes, and go when the Endpoints go", async () => {
  const scenario = await begin();
  await publish(scenario, [{ addresses: [{ ip: "10.1.2.3" }], ports }]);
  const [before] = await scenario.list(endpointSlices);
  await scenario.change(endpoints, "outside", {
    metadata: { labels: { team: "b" } },
    subsets: [{ addresses: [{ ip: "10.2.3.4" }], ports }],
  });
  await scenario.settle();
  const [after, ...others] = await scenario.list(endpointSlices);
  expect(others).toEqual([]);
  expect(after && shape(after)).toEqual({ addressType: "IPv4", ports, endpoints: ["10.2.3.4 true"] });
  expect(after?.metadata.labels).toMatchObject({ team: "b" });
  expect(after?.metadata.name).toBe(before?.metadata.name);
  await scenario.delete(endpoints, "outside");
  await scenario.settle();
  expect(await scenario.list(endpointSlices)).toEqual([]);
});

test("a slice that somebody breaks or deletes is mended", async () => {
  const scenario = await begin();
  await publish(scenario, [{ addresses: [{ ip: "10.1.2.3" }], ports }]);
  const [slice] = await scenario.list(endpointSlices);
  await scenario.delete(endpointSlices, slice?.metadata.name ?? "");
  await scenario.settle();
  expect((await scenario.list(endpointSlices)).map(shape)).toEqual([
    { addressType: "IPv4", ports, endpoints: ["10.1.2.3 true"] },
  ]);
});

test("a hundred addresses are in each slice, and a thousand of a subset at most", async () => {
  const scenario = await begin();
  const addresses = Array.from({ length: 1100 }, (_, at) => ({ ip: `10.1.${at >> 8}.${at & 255}` }));
  await publish(scenario, [{ addresses, ports }]);
  const slices = await scenario.list(endpointSlices);
  expect(slices.map(({ endpoints: all }) => all?.length)).toEqual(Array.from({ length: 10 }, () => 100));
});

test.each([
  { name: "a service with a selector", selector: { app: "web" } },
  { name: "Endpoints that say so", more: { labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } } },
  {
    name: "Endpoints that elect a leader",
    more: { annotations: { "control-plane.alpha.kubernetes.io/leader": "{}" } },
  },
])("nothing is made for $name", async ({ selector, more }) => {
  const scenario = await begin(selector);
  await publish(scenario, [{ addresses: [{ ip: "10.1.2.3" }], ports }], more);
  expect(await scenario.list(endpointSlices)).toEqual([]);
});

test("the slices that others keep are left alone", async () => {
  const scenario = new Scenario({
    controllers: [endpointSliceMirroringController, endpointSliceController, endpointsController],
  });
  // Controllers that undo each other's work would go on for ever.
  let writes = 0;
  scenario.api.intercept = ({ resource, verb }) => {
    if (resource === "endpointslices" && verb !== "list" && ++writes > 50)
      throw statusErrors.forbidden(endpointSlices, "", "enough");
  };
  await scenario.start();
  const labels = { app: "web" };
  const spec = { clusterIP: "10.96.0.9", selector: labels, ports: [{ port: 80 }] };
  await scenario.create(services, { apiVersion: "v1", kind: "Service", metadata, spec });
  await scenario.create(pods, makePod("web", { labels, nodeName: "n" }));
  await scenario.settle();
  const slices = async () => (await scenario.list(endpointSlices)).map((one) => one.metadata.name);
  const before = await slices();
  expect(before).toHaveLength(1);
  await scenario.restart();
  await scenario.delete(pods, "web");
  await scenario.settle();
  expect(await slices()).toEqual(before);
  expect(writes).toBeLessThan(10);
  expect(scenario.problems).toEqual([]);
});

test("a service that gets a selector, or goes, loses the slices", async () => {
  const scenario = await begin();
  await publish(scenario, [{ addresses: [{ ip: "10.1.2.3" }], ports }]);
  await scenario.change(services, "outside", { spec: { selector: { app: "web" } } });
  await scenario.settle();
  expect(await scenario.list(endpointSlices)).toEqual([]);
  await scenario.change(services, "outside", { spec: { selector: null } });
  await scenario.settle();
  expect(await scenario.list(endpointSlices)).toHaveLength(1);
  await scenario.delete(services, "outside");
  await scenario.settle();
  expect(await scenario.list(endpointSlices)).toEqual([]);
});
