import { expect, test } from "vitest";
import { type IPAddress, ipAddresses, type New, serviceCIDRs, services } from "../../api/index.js";
import { makeService } from "../../testing/builders.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { ipAddressRepair } from "./address-repair.js";
import { defaultServiceCidr } from "./default-servicecidr.js";

const ip = "10.96.0.9";

const address = (name: string, service: string, resource = "services"): New<IPAddress> => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "IPAddress",
  metadata: {
    name,
    labels: {
      "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
      "ipaddress.kubernetes.io/ip-family": "IPv4",
    },
  },
  spec: { parentRef: { resource, namespace: "default", name: service } },
});

const service = (name: string, clusterIP: string) =>
  makeService(name, { clusterIP, spec: { clusterIPs: [clusterIP] } });

/** Its API server gives out no addresses: Services and IPAddresses come as the tests say. */
async function started(): Promise<Scenario> {
  const scenario = new Scenario({ controllers: [defaultServiceCidr(["10.96.0.0/24"]), ipAddressRepair] });
  await scenario.start();
  await scenario.settle();
  return scenario;
}

const parents = async (scenario: Scenario): Promise<unknown> =>
  Object.fromEntries(
    (await scenario.list(ipAddresses)).map(({ metadata, spec }) => [metadata.name, spec?.parentRef?.name]),
  );

test("the server's own range has a ServiceCIDR, again when it was deleted", async () => {
  const scenario = await started();
  const made = await scenario.get(serviceCIDRs, "kubernetes");
  expect(made?.spec?.cidrs).toEqual(["10.96.0.0/24"]);
  expect(made?.status?.conditions).toMatchObject([
    { type: "Ready", status: "True", message: "Kubernetes default Service CIDR is ready" },
  ]);
  await scenario.delete(serviceCIDRs, "kubernetes", {}, "");
  await scenario.settle();
  const again = await scenario.get(serviceCIDRs, "kubernetes");
  expect(again?.status?.conditions?.[0]?.status).toBe("True");
  expect(again?.metadata.uid).not.toBe(made?.metadata.uid);
});

test("a range that is not the configured one is told of and left alone", async () => {
  const scenario = new Scenario({ controllers: [defaultServiceCidr(["10.96.0.0/24"])] });
  const other = { apiVersion: "networking.k8s.io/v1", kind: "ServiceCIDR", metadata: { name: "kubernetes" } } as const;
  await scenario.start();
  await scenario.stop();
  await scenario.delete(serviceCIDRs, "kubernetes", {}, "");
  await scenario.create(serviceCIDRs, { ...other, spec: { cidrs: ["10.0.0.0/24"] } });
  await scenario.start();
  await scenario.settle();
  expect((await scenario.get(serviceCIDRs, "kubernetes"))?.status?.conditions).toBeUndefined();
  expect(await scenario.eventsOf("kubernetes")).toEqual([
    "KubernetesDefaultServiceCIDRInconsistent: The default ServiceCIDR [10.0.0.0/24] does not match the controller flag configurations [10.96.0.0/24]",
  ]);
});

test("a cluster of one family gets its second one", async () => {
  const cidrs = ["10.96.0.0/24", "fd00:96::/112"];
  const scenario = new Scenario({ controllers: [defaultServiceCidr(cidrs)] });
  const one = { apiVersion: "networking.k8s.io/v1", kind: "ServiceCIDR", metadata: { name: "kubernetes" } } as const;
  await scenario.create(serviceCIDRs, { ...one, spec: { cidrs: cidrs.slice(0, 1) } });
  await scenario.start();
  await scenario.settle();
  expect((await scenario.get(serviceCIDRs, "kubernetes"))?.spec?.cidrs).toEqual(cidrs);
});

test("addresses of both families are made again, under the one name that each has", async () => {
  const scenario = new Scenario({
    controllers: [defaultServiceCidr(["10.96.0.0/24", "fd00:96::/112"]), ipAddressRepair],
  });
  await scenario.start();
  const spec = { clusterIPs: [ip, "FD00:96::0:9"] };
  await scenario.create(services, makeService("web", { clusterIP: ip, spec }));
  await scenario.settle();
  expect(await parents(scenario)).toEqual({ [ip]: "web", "fd00:96::9": "web" });
});

test("an address that a Service has lost is made again", async () => {
  const scenario = await started();
  await scenario.create(ipAddresses, address(ip, "web"));
  await scenario.create(services, service("web", ip));
  await scenario.settle();
  await scenario.delete(ipAddresses, ip, {}, "");
  await scenario.settle();
  expect(await parents(scenario)).toEqual({ [ip]: "web" });
  expect(await scenario.eventsOf("web")).toEqual([
    `ClusterIPNotAllocated: Cluster IP [IPv4]: ${ip} is not allocated; repairing`,
  ]);
});

const lost = `Cluster IP [IPv4]: ${ip} is not allocated; repairing`;
const wrongly = `the ClusterIP [IPv4]: ${ip} for Service default/web has a wrong reference; repairing`;
const wrong = [
  // It is removed for what it is before the Service is looked at.
  { name: "of something else", object: address(ip, "web", "gateways"), told: lost },
  { name: "of a Service that is not there", object: address(ip, "gone"), told: wrongly },
  { name: "without labels", object: { ...address(ip, "web"), metadata: { name: ip } }, told: wrongly },
];

test.each(wrong)("the address of a Service that is written down as $name is put right", async ({ object, told }) => {
  const scenario = await started();
  await scenario.create(ipAddresses, object);
  await scenario.create(services, service("web", ip));
  await scenario.settle();
  const right = await scenario.get(ipAddresses, ip);
  expect(right?.spec?.parentRef).toMatchObject({ resource: "services", name: "web" });
  expect(right?.metadata.labels).toEqual(address(ip, "web").metadata.labels);
  expect(await scenario.eventsOf("web")).toEqual([`ClusterIPNotAllocated: ${told}`]);
});

test("of two Services with one address, the one that is written down keeps it", async () => {
  const scenario = await started();
  await scenario.create(ipAddresses, address(ip, "web"));
  await scenario.create(services, service("web", ip));
  await scenario.create(services, service("other", ip));
  await scenario.settle();
  expect(await parents(scenario)).toEqual({ [ip]: "web" });
  expect(await scenario.eventsOf("other")).toEqual([
    `ClusterIPAlreadyAllocated: Cluster IP [IPv4]:${ip} was assigned to multiple services; please recreate service`,
  ]);
});

test("an address out of all ranges is told of", async () => {
  const scenario = await started();
  await scenario.create(services, service("web", "10.0.0.9"));
  await scenario.settle();
  expect(await parents(scenario)).toEqual({});
  expect(await scenario.eventsOf("web")).toEqual([
    "ClusterIPOutOfRange: Cluster IP [IPv4]: 10.0.0.9 is not within any configured Service CIDR; please recreate service",
  ]);
});

test("addresses that no Service has go, when there has been time to write one; others' stay", async () => {
  const scenario = await started();
  await scenario.create(ipAddresses, address("10.96.0.7", "gone"));
  await scenario.create(ipAddresses, address(ip, "web"));
  await scenario.create(ipAddresses, { ...address("10.96.0.8", "gone"), metadata: { name: "10.96.0.8" } });
  await scenario.create(services, service("web", "10.96.0.5"));
  await scenario.advance(50_000);
  expect(Object.keys((await parents(scenario)) as object).sort()).toEqual(["10.96.0.5", "10.96.0.7", "10.96.0.8", ip]);
  await scenario.advance(12_000);
  expect(await parents(scenario)).toEqual({ "10.96.0.5": "web", "10.96.0.8": "gone" });
  expect(await scenario.eventsOf("10.96.0.7")).toEqual([
    "IPAddressNotAllocated: IPAddress: 10.96.0.7 for Service default/gone appears to have leaked: cleaning up",
  ]);
  expect(await scenario.eventsOf(ip)).toEqual([
    `IPAddressWrongReference: IPAddress: ${ip} for Service default/web has a wrong reference; cleaning up`,
  ]);
});
