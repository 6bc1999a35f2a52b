import { describe, expect, test } from "vitest";
import { seededRandom } from "../internal/random.js";
import { makeNode, makePod } from "../testing/builders.js";
import { ConfigurationError, readConfiguration } from "./configuration.js";
import type { SchedulingPolicy } from "./framework/policy.js";
import { defaultPolicies } from "./policies/default-policies.js";
import { whatIf } from "./simulate/what-if.js";

const head = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";
const nodes = [makeNode("full", { cpuMillis: 1000 }), makeNode("empty", { cpuMillis: 4000 })];
const pods = [makePod("there", { cpuMillis: 600, nodeName: "full" })];

function placed(text: string, pod = makePod("p", { cpuMillis: 100 }), custom?: Record<string, () => SchedulingPolicy>) {
  const { profiles } = readConfiguration(head + text, custom);
  return whatIf([pod], { nodes, pods, profiles, random: seededRandom(1) })[0];
}

describe("readConfiguration", () => {
  test("without profiles gives the default policies and weights", () => {
    const [profile] = readConfiguration(head).profiles;
    const names = (profile?.policies ?? []).map((entry) =>
      "policy" in entry ? [entry.policy.name, entry.weight] : [],
    );
    expect(names).toEqual(defaultPolicies().map(({ policy, weight }) => [policy.name, weight]));
    expect(placed("")?.nodeName).toBe("empty");
  });

  test("hands arguments to policies", () => {
    const text = `
profiles:
- pluginConfig:
  - name: NodeResourcesFit
    args: { scoringStrategy: { type: MostAllocated, resources: [{ name: cpu, weight: 1 }] } }
  plugins: { score: { disabled: [{ name: NodeResourcesBalancedAllocation }] } }
`;
    expect(placed(text)?.nodeName).toBe("full");
  });

  test("takes a filter away, but not the score", () => {
    const pod = makePod("p", { cpuMillis: 9000 });
    expect(placed("", pod)?.message).toBe("0/2 nodes are available: 2 Insufficient cpu.");
    const text = "profiles: [{ plugins: { filter: { disabled: [{ name: NodeResourcesFit }] } } }]";
    expect(placed(text, pod)?.nodeName).toBeDefined();
  });

  test("adds policies of one's own, with weights, at the points it names", () => {
    const custom = {
      Full: (): SchedulingPolicy => ({
        name: "Full",
        score: (_, { name }) => (name === "full" ? 100 : 0),
        filter: () => "never",
      }),
    };
    const text = "profiles: [{ plugins: { score: { enabled: [{ name: Full, weight: 10 }] } } }]";
    expect(placed(text, makePod("p"), custom)?.nodeName).toBe("full");
    const everywhere = "profiles: [{ plugins: { multiPoint: { enabled: [{ name: Full }] } } }]";
    expect(placed(everywhere, makePod("p"), custom)?.message).toBe("0/2 nodes are available: 2 never.");
  });

  test("reads several profiles and times", () => {
    const text =
      "podInitialBackoffSeconds: 2\nprofiles: [{ schedulerName: a }, { schedulerName: b, percentageOfNodesToScore: 5 }]";
    expect(readConfiguration(head + text)).toMatchObject({
      initialBackoffMs: 2000,
      profiles: [{ schedulerName: "a" }, { schedulerName: "b", percentageOfNodesToScore: 5 }],
    });
  });

  test.each([
    ["another kind", "apiVersion: v1\nkind: Pod"],
    ["an unknown policy", `${head}profiles: [{ plugins: { filter: { enabled: [{ name: Nope }] } } }]`],
    ["a profile that is no object", `${head}profiles: [1]`],
    ["a percentage that is no number", `${head}percentageOfNodesToScore: many`],
  ])("refuses %s", (_, text) => {
    expect(() => readConfiguration(text)).toThrow(ConfigurationError);
  });
});
