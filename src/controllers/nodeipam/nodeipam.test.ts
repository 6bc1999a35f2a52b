import { describe, expect, it } from "vitest";
import { nodes } from "../../api/index.js";
import { makeNode } from "../../testing/builders.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { type NodeIpamOptions, nodeIpamController } from "./nodeipam.js";

async function given(options: NodeIpamOptions, names: readonly string[]): Promise<unknown> {
  const scenario = new Scenario({ controllers: [nodeIpamController(options)] });
  await scenario.start();
  for (const name of names) {
    await scenario.create(nodes, makeNode(name));
    await scenario.settle();
  }
  const all = await scenario.list(nodes);
  for (const { spec } of all) expect(spec?.podCIDR).toBe(spec?.podCIDRs?.[0]);
  return Object.fromEntries(all.map(({ metadata, spec }) => [metadata.name, spec?.podCIDRs]));
}

describe("node-ipam-controller", () => {
  it.each<{ readonly name: string; readonly options: NodeIpamOptions; readonly expected: unknown }>([
    {
      name: "IPv4",
      options: { clusterCidrs: ["10.244.0.0/16"] },
      expected: { a: ["10.244.0.0/24"], b: ["10.244.1.0/24"] },
    },
    {
      name: "both, in their order",
      options: { clusterCidrs: ["fd00:244::/56", "10.244.0.0/16"] },
      expected: { a: ["fd00:244::/64", "10.244.0.0/24"], b: ["fd00:244:0:1::/64", "10.244.1.0/24"] },
    },
    {
      name: "parts of other sizes",
      options: { clusterCidrs: ["10.244.0.0/16", "fd00:244::/104"], nodeMaskIpv4: 25, nodeMaskIpv6: 112 },
      expected: { a: ["10.244.0.0/25", "fd00:244::/112"], b: ["10.244.0.128/25", "fd00:244::1:0/112"] },
    },
  ])("gives each node a part of $name", async ({ options, expected }) => {
    expect(await given(options, ["a", "b"])).toEqual(expected);
  });

  it("gives nothing of one family while there is nothing of the other", async () => {
    const options = { clusterCidrs: ["10.244.0.0/16", "fd00:244::/64"] };
    expect(await given(options, ["a", "b"])).toEqual({ a: ["10.244.0.0/24", "fd00:244::/64"], b: undefined });
  });
});
