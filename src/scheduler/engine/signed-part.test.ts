import { describe, expect, it } from "vitest";
import type { Pod } from "../../api/index.js";
import { discardEvents } from "../../client/index.js";
import { silentLogger } from "../../internal/logger.js";
import { seededRandom } from "../../internal/random.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { makeNode, makePod } from "../../testing/builders.js";
import { cpuColumn } from "../cache/cluster-table.js";
import { SchedulerCore } from "../core.js";
import { listersOf } from "../framework/listers.js";
import type { NodeSnapshot, SchedulingPolicy } from "../framework/policy.js";
import { defaultPolicies } from "../policies/default-policies.js";

/** A clock on which time also passes while somebody works. */
class BusyClock extends VirtualClock {
  workedMs = 0;
  override now(): number {
    return super.now() + this.workedMs;
  }
}

interface Bench {
  readonly core: SchedulerCore;
  /** `NAME to NODE`, in order. */
  readonly bound: string[];
  /** `NAME: MESSAGE` of what pods were told. */
  readonly told: string[];
  readonly clock: BusyClock;
  add(name: string, options?: Parameters<typeof makePod>[1]): void;
}

function bench(policies: readonly SchedulingPolicy[], nodes = 3, cpuMillis = 4000): Bench {
  const clock = new BusyClock();
  const bound: string[] = [];
  const told: string[] = [];
  const core = new SchedulerCore({
    profiles: [{ policies: [...defaultPolicies(), ...policies] }],
    listers: listersOf(),
    writes: {
      bind: async (pod, nodeName) => {
        bound.push(`${pod.metadata.name} to ${nodeName}`);
      },
      patchStatus: async ({ metadata }, { condition }) => {
        if (condition !== undefined) told.push(`${metadata.name}: ${condition.message}`);
      },
      evict: async () => {},
    },
    events: discardEvents,
    clock,
    random: seededRandom(1),
    logger: silentLogger,
    onWork: () => {},
    cycleBudgetMs: 1000,
  });
  for (let index = 0; index < nodes; index++) core.setNode(makeNode(`n${index}`, { cpuMillis }));
  return {
    core,
    bound,
    told,
    clock,
    add(name, options) {
      core.setPod(makePod(name, options), undefined);
      core.work(10);
    },
  };
}

describe("a policy that signs pods", () => {
  it("is asked about every node once, and then about those that changed", () => {
    const asked: string[] = [];
    const filter = ({ metadata }: Pod, { name }: NodeSnapshot): undefined => {
      asked.push(`${metadata.name} ${name}`);
    };
    const { add, bound } = bench([{ name: "Signed", signPod: () => "", filter }], 20);
    add("first");
    expect(asked).toHaveLength(20);
    asked.length = 0;
    for (let index = 0; index < 5; index++) add(`next-${index}`);
    expect(bound).toHaveLength(6);
    // Each pod changes the node that it goes to. What is asked is asked for the first pod of the kind.
    expect(asked).toEqual(bound.slice(0, -1).map((line) => `first ${line.split(" to ")[1]}`));
  });

  it("is asked again about a node whose annotation changed", () => {
    const refused = "node(s) were closed";
    const policy: SchedulingPolicy = {
      name: "Signed",
      signPod: () => "",
      filter: (_, { node }): string | undefined => (node.metadata.annotations?.closed ? refused : undefined),
    };
    const { add, bound, told, core } = bench([policy], 1);
    add("before");
    const node = makeNode("n0", { cpuMillis: 4000 });
    core.setNode({ ...node, metadata: { ...node.metadata, annotations: { closed: "yes" } } });
    add("after");
    expect(bound).toEqual(["before to n0"]);
    expect(told).toEqual([expect.stringContaining(`after: 0/1 nodes are available: 1 ${refused}.`)]);
  });

  it("keeps apart pods of different text, and calls plainly for those without one", () => {
    const seen = new Set<string>();
    const policy: SchedulingPolicy = {
      name: "Signed",
      signPod: ({ metadata }) => metadata.labels?.app,
      filter(pod) {
        seen.add(pod.metadata.name);
        return undefined;
      },
    };
    const { add } = bench([policy]);
    add("web-1", { labels: { app: "web" } });
    add("web-2", { labels: { app: "web" } });
    add("db", { labels: { app: "db" } });
    add("plain-1");
    add("plain-2");
    expect([...seen]).toEqual(["web-1", "db", "plain-1", "plain-2"]);
  });

  it.each([
    ["when it is asked about all nodes", 0],
    ["when it is asked about one that changed", 1],
  ])("fails the cycle and nothing else %s", async (_, good) => {
    let broken = good === 0;
    const policy: SchedulingPolicy = {
      name: "Signed",
      signPod: () => "",
      score() {
        if (broken) throw new Error("boom");
        return 1;
      },
    };
    const { add, bound, told, clock, core } = bench([policy]);
    if (good > 0) add("early");
    broken = true;
    add("late");
    expect(bound).toHaveLength(good);
    expect(told).toEqual(['late: running "Score" of policy "Signed": boom']);
    broken = false;
    await clock.advance(11_000);
    core.work(10);
    expect(bound).toHaveLength(good + 1);
  });

  it.each([
    ["a score out of range", { score: () => 101 }, "gave the score 101, which is not in the range from 0 to 100"],
    ["no verdict", { filter: (): never => ({}) as never }, "gave [object Object] in place of a verdict"],
    ["no text", { filter: (): undefined => undefined, signPod: (): never => 7 as never }, "gave 7 in place of a text"],
  ])("is told of %s", (_, methods, message) => {
    const { add, told } = bench([{ name: "Signed", signPod: () => "", ...methods }]);
    add("a");
    expect(told).toEqual([expect.stringContaining(message)]);
  });

  it("keeps to the time of a cycle", () => {
    let work = (): void => {};
    const policy: SchedulingPolicy = {
      name: "Slow",
      signPod: () => "",
      filter() {
        work();
        return undefined;
      },
    };
    const { add, told, clock } = bench([policy], 30);
    work = () => {
      clock.workedMs += 200;
    };
    add("a");
    expect(told).toEqual([expect.stringContaining("the cycle took longer than its 1000ms")]);
  });

  it.each(["preFilter", "preScore", "normalizeScore"] as const)("cannot have %s", (point) => {
    const policy: SchedulingPolicy = { name: "Signed", signPod: () => "", [point]: () => undefined };
    expect(() => bench([policy])).toThrow(`policy Signed has signPod, and so cannot have ${point}`);
  });
});

describe("looking for victims", () => {
  it.each([true, false])("leaves the nodes as they are when a policy fails (signed: %s)", (signed) => {
    const policy: SchedulingPolicy = {
      name: "Crowd",
      ...(signed ? { signPod: () => "" } : {}),
      filter(_, { pods }) {
        if (pods.length === 0) throw new Error("nobody there");
        return "node(s) had company";
      },
    };
    const { core, add, told } = bench([policy], 1, 1000);
    const low = makePod("low", { cpuMillis: 1000 });
    core.setPod({ ...low, spec: { containers: [], ...low.spec, nodeName: "n0" } }, undefined);
    add("high", { cpuMillis: 1000, priority: 10 });
    expect(told).toEqual([expect.stringContaining("nobody there")]);
    const { table, snapshots } = core.cache;
    expect(table.requested[cpuColumn]?.[0]).toBe(1000);
    expect(snapshots.current().node("n0")?.pods).toHaveLength(1);
  });
});
