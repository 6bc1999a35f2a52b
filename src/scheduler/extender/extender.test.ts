import { describe, expect, test } from "vitest";
import type { Pod } from "../../api/index.js";
import type { EventRecorder } from "../../client/index.js";
import { silentLogger } from "../../internal/logger.js";
import { seededRandom } from "../../internal/random.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { makeNode, makePod } from "../../testing/builders.js";
import { SchedulerCore } from "../core.js";
import { listersOf } from "../framework/listers.js";
import { defaultPolicies } from "../policies/default-policies.js";
import type { Extender, ExtenderVerdict } from "./extender.js";

const none: ExtenderVerdict = { failed: new Map(), unresolvable: new Map() };

/** A scheduler of nodes a, b and c with these extenders. */
function scheduler(extenders: readonly Extender[]) {
  const bound: string[] = [];
  const evicted: string[] = [];
  const told: string[] = [];
  const clock = new VirtualClock();
  const recorder: EventRecorder = {
    event: (_about, _type, reason, message) => void told.push(`${reason}: ${message}`),
  };
  const core: SchedulerCore = new SchedulerCore({
    profiles: [{ policies: defaultPolicies() }],
    listers: listersOf(),
    writes: {
      bind: async (pod, nodeName) => void bound.push(`${pod.metadata.name} ${nodeName}`),
      patchStatus: async () => {},
      evict: async (victim) => void evicted.push(victim.metadata.name),
    },
    events: recorder,
    clock,
    random: seededRandom(1),
    logger: silentLogger,
    onWork: () => void core?.work(100),
    extenders,
  });
  for (const name of ["a", "b", "c"]) core.setNode(makeNode(name, { cpuMillis: 1000 }));
  const schedule = async (...pods: Pod[]): Promise<void> => {
    for (const pod of pods) core.setPod(pod, undefined);
    core.work(100);
    await clock.advance(0);
  };
  return { core, clock, bound, evicted, told, schedule };
}

describe("extenders", () => {
  test("take nodes away one after the other, and say why", async () => {
    const seen: string[][] = [];
    const without = (name: string): Extender => ({
      name: `without-${name}`,
      async filter(_pod, nodes) {
        seen.push(nodes.map(({ metadata }) => metadata.name));
        return { ...none, failed: new Map([[name, `not ${name}`]]) };
      },
    });
    const { schedule, bound, told } = scheduler([without("a"), without("b")]);
    await schedule(makePod("p"));
    expect(bound).toEqual(["p c"]);
    expect(seen).toEqual([
      ["a", "b", "c"],
      ["b", "c"],
    ]);
    const all = scheduler([without("a"), without("b"), without("c")]);
    await all.schedule(makePod("q"));
    expect(all.told[0]).toMatch(/^FailedScheduling: 0\/3 nodes are available: 1 not a, 1 not b, 1 not c\. /);
    expect(told).toEqual(["Scheduled: Successfully assigned default/p to c"]);
  });

  test("score from 0 to 10, which counts tenfold and by their weight", async () => {
    const likes = (name: string, weight: number): Extender => ({
      name,
      weight,
      prioritize: async () => new Map([[name, 10]]),
    });
    const { schedule, bound } = scheduler([likes("a", 5), likes("b", 6)]);
    await schedule(makePod("p"));
    expect(bound).toEqual(["p b"]);
  });

  test("are asked about one pod at a time, which the next one sees", async () => {
    let asked = 0;
    let most = 0;
    const slow: Extender = {
      name: "slow",
      async filter(_pod, nodes) {
        most = Math.max(most, ++asked);
        await new Promise((resolve) => setImmediate(resolve));
        asked--;
        return { ...none, failed: new Map(nodes.slice(1).map(({ metadata }) => [metadata.name, "only the first"])) };
      },
    };
    const { schedule, bound } = scheduler([slow]);
    await schedule(...["p", "q", "r"].map((name) => makePod(name, { cpuMillis: 800 })));
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(most).toBe(1);
    expect(bound).toHaveLength(3);
    expect(new Set(bound.map((text) => text.split(" ")[1])).size).toBe(3);
  });

  test("fail the pod's attempt when they fail, unless they are ignorable", async () => {
    const broken: Extender = { name: "broken", filter: () => Promise.reject(new Error("connection refused")) };
    const strict = scheduler([broken]);
    await strict.schedule(makePod("p"));
    expect(strict.bound).toEqual([]);
    expect(strict.told).toEqual(["FailedScheduling: connection refused"]);
    const lenient = scheduler([{ ...broken, ignorable: true }]);
    await lenient.schedule(makePod("p"));
    expect(lenient.bound).toHaveLength(1);
  });

  test("are left alone with pods that are not theirs", async () => {
    const picky: Extender = {
      name: "picky",
      interested: ({ metadata }) => metadata.name === "mine",
      filter: async (_pod, nodes) => ({ ...none, failed: new Map(nodes.map(({ metadata }) => [metadata.name, "no"])) }),
    };
    const { schedule, bound } = scheduler([picky]);
    await schedule(makePod("mine"), makePod("other"));
    expect(bound.map((text) => text.split(" ")[0])).toEqual(["other"]);
  });

  test("bind in place of the scheduler", async () => {
    const own: string[] = [];
    const { schedule, bound, told } = scheduler([
      { name: "binder", bind: async (pod, nodeName) => void own.push(`${pod.metadata.name} ${nodeName}`) },
    ]);
    await schedule(makePod("p"));
    expect([own.length, bound.length]).toEqual([1, 0]);
    expect(told[0]).toMatch(/^Scheduled/);
  });

  test.each([
    { name: "agree", agreed: new Set(["pod-default-low"]), evicted: ["low"] },
    { name: "spare victims", agreed: new Set<string>(), evicted: [] },
    { name: "refuse the node", agreed: undefined, evicted: [] },
  ])("look at what is to be evicted, and $name", async ({ agreed, evicted: expected }) => {
    const { schedule, core, evicted } = scheduler([
      { name: "judge", filter: async () => none, preempt: async () => agreed },
    ]);
    for (const [index, node] of ["a", "b", "c"].entries()) {
      const priority = index === 1 ? 0 : 5;
      core.setPod(
        makePod(index === 1 ? "low" : `mid-${node}`, { cpuMillis: 900, nodeName: node, priority }),
        undefined,
      );
    }
    await schedule(makePod("high", { cpuMillis: 900, priority: 10 }));
    expect(evicted).toEqual(expected);
    expect(core.nominator.nodeOf("pod-default-high")).toBe(agreed === undefined ? undefined : "b");
  });

  test("do not bring back a pod that was deleted while they thought", async () => {
    let go = (): void => {};
    const slow: Extender = {
      name: "slow",
      filter: () => new Promise((resolve) => (go = () => resolve(none))),
    };
    const { schedule, core, bound, clock } = scheduler([slow]);
    const pod = makePod("p");
    await schedule(pod);
    core.deletePod(pod);
    go();
    await clock.advance(0);
    expect(bound).toEqual([]);
    expect(core.queue.counts).toEqual({ active: 0, backoff: 0, resting: 0 });
  });
});
