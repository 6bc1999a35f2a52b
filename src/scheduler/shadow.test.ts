import { describe, expect, test } from "vitest";
import type { Pod } from "../api/index.js";
import { discardEvents } from "../client/index.js";
import { silentLogger } from "../internal/logger.js";
import { seededRandom } from "../internal/random.js";
import { VirtualClock } from "../internal/virtual-clock.js";
import { makeNode, makePod } from "../testing/builders.js";
import { SchedulerCore } from "./core.js";
import { listersOf } from "./framework/listers.js";
import type { SchedulingPolicy } from "./framework/policy.js";
import { defaultPolicies } from "./policies/default-policies.js";
import { nodeResourcesFit } from "./policies/node-resources.js";
import type { ShadowDifference, ShadowOptions } from "./shadow.js";

const nodes = [makeNode("large", { cpuMillis: 8000 }), makeNode("small", { cpuMillis: 2000 })];
const pods = Array.from({ length: 6 }, (_, index) => makePod(`pod-${index}`, { cpuMillis: 500 }));

/** Schedules the pods; gives where each went and what the shadow said. */
function schedule(shadow: ShadowOptions | undefined, wanted: readonly Pod[] = pods) {
  const bound: string[] = [];
  const core = new SchedulerCore({
    profiles: [{ policies: defaultPolicies() }],
    listers: listersOf(),
    writes: {
      bind: async (pod, nodeName) => void bound.push(`${pod.metadata.name} ${nodeName}`),
      patchStatus: async () => {},
      evict: async () => {},
    },
    events: discardEvents,
    clock: new VirtualClock(),
    random: seededRandom(1),
    logger: silentLogger,
    onWork: () => {},
    shadow,
  });
  for (const node of nodes) core.setNode(node);
  for (const pod of wanted) core.setPod(pod, undefined);
  core.work(wanted.length);
  return { bound, summary: core.shadow, core };
}

const packing = (): ReturnType<typeof defaultPolicies> => {
  const fit = nodeResourcesFit({ scoringStrategy: { type: "MostAllocated" } });
  return defaultPolicies().map((entry) => (entry.policy.name === fit.name ? { policy: fit, weight: 50 } : entry));
};
const beside = (policy: SchedulingPolicy): ShadowOptions => ({
  profiles: [{ policies: [...defaultPolicies(), policy] }],
});

describe("a shadow", () => {
  test("changes nothing of what the scheduler decides, by chance or not", () => {
    const without = schedule(undefined);
    expect(without.summary).toBeUndefined();
    expect(schedule({ profiles: [{ policies: packing() }] }).bound).toEqual(without.bound);
  });

  test("agrees with the same policies, whatever chance decides between equals", () => {
    const many = Array.from({ length: 40 }, (_, index) => makePod(`p-${index}`));
    const { summary } = schedule({ profiles: [{ policies: defaultPolicies() }] }, many);
    expect(summary).toMatchObject({ compared: 40, same: 40, recent: [] });
  });

  test("reports pods that it would have put elsewhere", () => {
    const told: ShadowDifference[] = [];
    const { summary } = schedule({ profiles: [{ policies: packing() }], onDifference: (one) => void told.push(one) });
    expect(summary).toMatchObject({ compared: 6, onlyShadow: 0, onlyScheduler: 0, failed: 0 });
    expect(summary?.otherNode).toBeGreaterThan(0);
    expect(told).toEqual(summary?.recent);
    expect(told[0]).toMatchObject({ pod: pods[0], nodeName: "large", shadowNodeName: "small" });
  });

  test("reports pods for which only one of the two finds a node, and why", () => {
    const never = schedule(beside({ name: "Never", filter: () => "node(s) were not to my liking" }), pods.slice(0, 1));
    expect(never.summary).toMatchObject({ onlyScheduler: 1 });
    expect(never.summary?.recent[0]).toMatchObject({
      nodeName: "large",
      shadowMessage: "0/2 nodes are available: 2 node(s) were not to my liking.",
    });
    const unlimited = packing().filter(({ policy }) => policy.name !== "NodeResourcesFit");
    const { summary } = schedule({ profiles: [{ policies: unlimited }] }, [makePod("huge", { cpuMillis: 99_000 })]);
    expect(summary).toMatchObject({ onlyShadow: 1 });
    expect(summary?.recent[0]?.message).toBe("0/2 nodes are available: 2 Insufficient cpu.");
  });

  test("may break without harm", () => {
    const broken = (): never => {
      throw new Error("boom");
    };
    const { bound, summary } = schedule({ ...beside({ name: "Broken", filter: broken }), onDifference: broken });
    expect(bound).toHaveLength(6);
    expect(summary).toMatchObject({ compared: 6, failed: 6 });
    expect(summary?.recent[0]?.shadowMessage).toBe('running "Filter" of policy "Broken": boom');
  });

  test("remembers the latest hundred, and can be replaced", () => {
    const many = Array.from({ length: 150 }, (_, index) => makePod(`p-${index}`));
    const { summary, core } = schedule(beside({ name: "Never", filter: () => "no" }), many);
    expect(summary).toMatchObject({ onlyScheduler: 150 });
    expect(summary?.recent.map(({ pod }) => pod.metadata.name)).toEqual(
      many.slice(50).map(({ metadata }) => metadata.name),
    );
    core.setShadow({ profiles: [{ policies: defaultPolicies() }] });
    expect(core.shadow).toMatchObject({ compared: 0 });
    core.setShadow(undefined);
    expect(core.shadow).toBeUndefined();
  });
});
