import { describe, expect, it, test } from "vitest";
import { type IPAddress, ipAddresses, type New, type ServiceCIDR, serviceCIDRs } from "../../api/index.js";
import { makeMeta } from "../../testing/builders.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { holdsAddress } from "./blocks.js";
import { serviceCidrController } from "./servicecidr.js";

const cidr = (name: string, ...cidrs: readonly string[]): New<ServiceCIDR> => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "ServiceCIDR",
  metadata: { name },
  spec: { cidrs },
});

const address = (ip: string, allocator = "ipallocator.k8s.io"): New<IPAddress> => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "IPAddress",
  metadata: { name: ip, labels: { "ipaddress.kubernetes.io/managed-by": allocator } },
  spec: { parentRef: { resource: "services", namespace: "default", name: "web" } },
});

async function started(...cidrs: readonly New<ServiceCIDR>[]): Promise<Scenario> {
  const scenario = new Scenario({ controllers: [serviceCidrController] });
  await scenario.start();
  for (const one of cidrs) await scenario.create(serviceCIDRs, one);
  await scenario.settle();
  return scenario;
}

const remove = (scenario: Scenario, name: string): Promise<unknown> => scenario.delete(serviceCIDRs, name, {}, "");

describe("service-cidr-controller", () => {
  it("protects a range and says that it is ready, once", async () => {
    const scenario = await started(cidr("more", "10.0.0.0/24", "2001:db8::/64"));
    const made = await scenario.get(serviceCIDRs, "more");
    expect(made?.metadata.finalizers).toEqual(["networking.k8s.io/service-cidr-finalizer"]);
    expect(made?.status?.conditions).toMatchObject([
      { type: "Ready", status: "True", message: "Kubernetes Service CIDR is ready" },
    ]);
    await scenario.restart();
    expect((await scenario.get(serviceCIDRs, "more"))?.metadata.resourceVersion).toBe(made?.metadata.resourceVersion);
  });

  it("lets an unused range go after a while in which an allocator may be late", async () => {
    const scenario = await started(cidr("more", "10.0.0.0/24"));
    await scenario.create(ipAddresses, address("10.0.0.0"));
    await scenario.create(ipAddresses, address("10.0.0.5", "somebody.example.com"));
    await remove(scenario, "more");
    await scenario.advance(9000);
    expect(await scenario.get(serviceCIDRs, "more")).toBeDefined();
    await scenario.advance(2000);
    expect(await scenario.get(serviceCIDRs, "more")).toBeUndefined();
  });

  it("keeps a range with addresses until they are gone", async () => {
    const scenario = await started(cidr("more", "10.0.0.0/24"));
    await scenario.create(ipAddresses, address("10.0.0.5"));
    await remove(scenario, "more");
    await scenario.advance(20_000);
    expect((await scenario.get(serviceCIDRs, "more"))?.status?.conditions).toMatchObject([
      {
        status: "False",
        reason: "Terminating",
        message:
          "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR",
      },
    ]);
    await scenario.delete(ipAddresses, "10.0.0.5", {}, "");
    await scenario.advance(1000);
    expect(await scenario.get(serviceCIDRs, "more")).toBeUndefined();
  });

  it("lets a range go whose addresses another one has, also one that comes later", async () => {
    const scenario = await started(cidr("more", "10.0.0.0/24"));
    await scenario.create(ipAddresses, address("10.0.0.5"));
    await remove(scenario, "more");
    await scenario.advance(20_000);
    await scenario.create(serviceCIDRs, cidr("wide", "10.0.0.0/16"));
    await scenario.advance(1000);
    expect((await scenario.list(serviceCIDRs)).map(({ metadata }) => metadata.name)).toEqual(["wide"]);
  });
});

const places = [
  { name: "the network's own address", ip: "10.0.0.0", held: false },
  { name: "the first", ip: "10.0.0.1", held: true },
  { name: "the last", ip: "10.0.0.254", held: true },
  { name: "the one for all", ip: "10.0.0.255", held: false },
  { name: "one outside", ip: "10.0.1.1", held: false },
  { name: "the first of family 6", ip: "2001:db8::", held: false },
  { name: "the last of family 6", ip: "2001:db8::ffff:ffff:ffff:ffff", held: true },
  { name: "what is no address", ip: "web", held: false },
];

test.each(places)("of a range, $name: $held", ({ ip, held }) => {
  const range = { ...cidr("more", "10.0.0.0/24", "2001:db8::/64"), metadata: makeMeta("ServiceCIDR", "more") };
  expect(holdsAddress(range, ip)).toBe(held);
});
