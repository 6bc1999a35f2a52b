import { describe, expect, test } from "vitest";
import type { Pod } from "../../api/index.js";
import { discardEvents } from "../../client/index.js";
import { silentLogger } from "../../internal/logger.js";
import { type Random, randomInt, seededRandom } from "../../internal/random.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { makeNode, makePod } from "../../testing/builders.js";
import { podInfo } from "../cache/pod-info.js";
import { SchedulerCore } from "../core.js";
import { listersOf } from "../framework/listers.js";
import { defaultPolicies } from "./default-policies.js";

interface Outcome {
  bound?: string;
  nominated?: string;
  victims: string[];
  message?: string;
}

/** Looks at all nodes from the first, so that only the cluster decides. */
const noChance: Random = { next: () => 0 };

class Watched {
  outcome: Outcome = { victims: [] };
  readonly core: SchedulerCore;

  constructor(nodeCount: number) {
    this.core = new SchedulerCore({
      profiles: [{ policies: defaultPolicies() }],
      listers: listersOf(),
      writes: {
        bind: async (_, nodeName) => {
          this.outcome.bound = nodeName;
        },
        patchStatus: async (_, { nominatedNodeName, condition }) => {
          if (nominatedNodeName) this.outcome.nominated = nominatedNodeName;
          if (condition?.message !== undefined) this.outcome.message = condition.message;
        },
        evict: async ({ metadata }) => {
          this.outcome.victims.push(metadata.name);
        },
      },
      events: discardEvents,
      clock: new VirtualClock(),
      random: noChance,
      logger: silentLogger,
      onWork: () => {},
    });
    for (let index = 0; index < nodeCount; index++) this.core.setNode(makeNode(`node-${index}`, { cpuMillis: 1000 }));
  }

  /** What becomes of the pod. */
  async decide(pod: Pod): Promise<Outcome> {
    this.outcome = { victims: [] };
    this.core.setPod(pod, undefined);
    this.core.work(1);
    await new Promise(setImmediate);
    return this.outcome;
  }
}

/** Pods come and preempt, victims leave at some time, others finish or start: a scheduler that has seen it all, beside new ones. */
async function compare(seed: number, steps: number): Promise<number> {
  const random = seededRandom(seed);
  const chance = (of: number): boolean => random.next() < of;
  const nodeCount = 2 + randomInt(random, 6);
  const old = new Watched(nodeCount);
  const placed = new Map<string, Pod>();
  const promised = new Map<string, { pod: Pod; nodeName: string }>();
  const condemned = new Set<string>();
  let preemptions = 0;
  const place = (pod: Pod, nodeName: string): void => {
    const bound = { ...pod, spec: { ...pod.spec, nodeName } } as Pod;
    placed.set(pod.metadata.name, bound);
    old.core.setPod(bound, pod);
  };
  for (let step = 0; step < steps; step++) {
    const pod = makePod(`pod-${step}`, {
      priority: randomInt(random, 4) * 10,
      cpuMillis: 200 + randomInt(random, 3) * 300,
      ...(chance(0.1) ? { nodeSelector: { nowhere: "" } } : {}),
    });
    const fresh = new Watched(nodeCount);
    for (const other of placed.values()) fresh.core.setPod(other, undefined);
    for (const { pod: other, nodeName } of promised.values()) {
      fresh.core.nominator.add(podInfo(other, fresh.core.cache.table.quantities), nodeName);
    }
    const expected = await fresh.decide(pod);
    const outcome = await old.decide(pod);
    // Among nodes that are as good, which one it is depends on the past.
    const told = ({ bound, ...rest }: Outcome): object => ({ ...rest, bound: bound !== undefined });
    expect(told(outcome), `seed ${seed}, step ${step}`).toEqual(told(expected));
    await fresh.core.close();
    if (outcome.bound !== undefined) place(pod, outcome.bound);
    else if (outcome.nominated !== undefined) {
      preemptions++;
      for (const [name, other] of promised) {
        if (other.nodeName !== outcome.nominated || priority(other.pod) >= priority(pod)) continue;
        promised.delete(name);
        old.core.deletePod(other.pod);
      }
      promised.set(pod.metadata.name, { pod, nodeName: outcome.nominated });
      for (const victim of outcome.victims) condemned.add(victim);
    }
    for (const [name, other] of [...placed]) {
      if (condemned.has(name) ? !chance(0.3) : !chance(0.05)) {
        if (chance(0.1)) {
          const startTime = new Date(randomInt(random, 1000) * 1000).toISOString();
          const started = { ...other, status: { ...other.status, startTime } } as Pod;
          placed.set(name, started);
          old.core.setPod(started, other);
        }
        continue;
      }
      placed.delete(name);
      old.core.deletePod(other);
    }
    // Some of those that wait are given up.
    for (const [name, other] of [...promised]) {
      if (!chance(0.1)) continue;
      promised.delete(name);
      old.core.deletePod(other.pod);
    }
  }
  await old.core.close();
  return preemptions;
}

const priority = (pod: Pod): number => pod.spec?.priority ?? 0;

describe("preemption with what it remembers decides as one that has just started", () => {
  test.each(Array.from({ length: 6 }, (_, index) => index * 10))("seeds from %i", async (first) => {
    let preemptions = 0;
    for (let seed = first; seed < first + 10; seed++) preemptions += await compare(seed, 40);
    expect(preemptions).toBeGreaterThan(30);
  });
});
