import { expect, test } from "vitest";
import { maxHosts, overlap, parseCidr, planNetwork } from "./network-plan.js";

test("nodes have addresses and pods of their own, and hosts never share", () => {
  const nodes = Array.from({ length: 200 }, (_, index) => ({ name: `n${index}` }));
  const plan = planNetwork(3, nodes, "10.96.0.0/12");
  const addresses = plan.nodes.map(({ address }) => address);
  expect(new Set(addresses).size).toBe(200);
  expect(addresses).not.toContain(plan.hostAddress);
  const networks = plan.nodes.map(({ podCidr }) => podCidr);
  expect(new Set(networks).size).toBe(200);
  for (const network of networks) {
    expect(overlap(network, plan.cidr)).toBe(true);
    expect(overlap(network, `${plan.hostAddress}/24`)).toBe(false);
    expect(overlap(network, plan.serviceCidr)).toBe(false);
  }
  const hosts = Array.from({ length: maxHosts }, (_, index) => planNetwork(index, [], "10.96.0.0/12"));
  expect(new Set(hosts.map(({ cidr }) => cidr)).size).toBe(maxHosts);
  for (const host of hosts) expect(host.hostLink.length).toBeLessThan(16);
});

test("a second block of services gives nodes and pods addresses of IPv6", () => {
  const nodes = Array.from({ length: 200 }, (_, index) => ({ name: `n${index}` }));
  const plan = planNetwork(3, nodes, "10.96.0.0/12,fdc0:96::/108");
  expect(plan).toMatchObject({ serviceCidr: "10.96.0.0/12", six: { serviceCidr: "fdc0:96::/108" } });
  const own = plan.nodes.flatMap(({ six }) => [six?.address, six?.podCidr]);
  expect(new Set([...own, plan.six?.hostAddress]).size).toBe(401);
  expect(own.slice(0, 2)).toEqual(["fdc0:183::10", "fdc0:183:0:1::/64"]);
  expect(planNetwork(3, nodes, "10.96.0.0/12").nodes[0]).not.toHaveProperty("six");
});

test.each([
  { one: "10.0.0.0/8", other: "10.180.0.0/16", expected: true },
  { one: "10.180.3.0/24", other: "10.180.0.0/16", expected: true },
  { one: "10.181.0.0/16", other: "10.180.0.0/16", expected: false },
  { one: "10.180.0.1", other: "10.180.0.0/16", expected: true },
  { one: "0.0.0.0/0", other: "192.0.2.2/32", expected: true },
])("$one and $other overlap: $expected", ({ one, other, expected }) => {
  expect(overlap(one, other)).toBe(expected);
  expect(overlap(other, one)).toBe(expected);
});

test.each(["10.0.0", "10.0.0.256/8", "10.0.0.0/33", "fd00::/8", ""])("%s is no IPv4 network", (text) => {
  expect(() => parseCidr(text)).toThrow(/is not an IPv4 network/);
});
