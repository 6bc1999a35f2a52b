import { describe, expect, test } from "vitest";
import { type Random, randomInt, seededRandom } from "../../internal/random.js";
import { makePod } from "../../testing/builders.js";
import { ChangeLog } from "../cache/change-log.js";
import type { ResolvableNode, ScheduleFailure } from "../framework/policy.js";
import { type Candidate, CandidateMemory } from "./preemption-candidates.js";

/** Nodes by id, each with how much harm a preemption there would do; `undefined`: it would not help. */
class Cluster {
  readonly harm: (number | undefined)[];
  readonly changes = new ChangeLog();
  readonly kind = {};
  looks = 0;
  /** Nodes passed by on the way, all nodes asked for in order. */
  passed = 0;

  constructor(harm: (number | undefined)[]) {
    this.harm = harm;
  }

  set(id: number, harm: number | undefined): void {
    this.harm[id] = harm;
    this.changes.push(id);
  }

  readonly look = ({ id, name }: ResolvableNode): Candidate | { reasons: string[] } => {
    this.looks++;
    const sum = this.harm[id];
    if (sum === undefined) return { reasons: ["none"] };
    const victims = [makePod(`on-${name}`)];
    return { nodeName: name, victims, violations: sum >= 1000 ? 1 : 0, highest: 0, sum, earliestStartMs: 0 };
  };

  failure(ownNode?: number): ScheduleFailure {
    const { harm, changes } = this;
    const pass = (): number => this.passed++;
    const node = (id: number): ResolvableNode => ({ id, name: `node-${id}` });
    return {
      nodeCount: harm.length,
      resolvableCount: harm.length,
      *resolvableNodes(start) {
        const first = Math.floor(start * harm.length);
        for (let index = 0; index < harm.length; index++) {
          pass();
          yield node((first + index) % harm.length);
        }
      },
      resolvableNode: (id) => (id < harm.length ? node(id) : undefined),
      ownNode,
      changes,
      likeness: this.kind,
      hasPodBelow: () => true,
      verdictOf: () => undefined,
      verdictWithout: () => undefined,
      random: seededRandom(1),
      nowMs: 0,
    };
  }
}

const pod = makePod("high", { priority: 10 });

describe("candidates for preemption", () => {
  test("as many are found as are enough, and the best of them is taken", () => {
    const cluster = new Cluster([5, 3, 4, 1, 2]);
    const candidates = new CandidateMemory().of(pod, cluster.failure(), []);
    expect(candidates.best(cluster.failure(), 0, 3, cluster.look)?.nodeName).toBe("node-1");
    expect(cluster.looks).toBe(3);
  });

  test("all are looked at while each would break a budget", () => {
    const cluster = new Cluster([1005, 1003, undefined, 1004, 7]);
    const candidates = new CandidateMemory().of(pod, cluster.failure(), []);
    expect(candidates.best(cluster.failure(), 0, 1, cluster.look)?.nodeName).toBe("node-4");
    expect(cluster.looks).toBe(5);
  });

  test("like pods look again only at nodes that changed", () => {
    const cluster = new Cluster(Array.from({ length: 1000 }, (_, id) => id));
    const memory = new CandidateMemory();
    for (let round = 0; round < 100; round++) {
      const failure = cluster.failure();
      const best = memory.of(pod, failure, []).best(failure, 0, 100, cluster.look);
      expect(best?.nodeName).toBe(`node-${round}`);
      cluster.set(round, undefined);
    }
    // A hundred to begin with; then, each time, the one that changed and one in place of it.
    expect(cluster.looks).toBe(100 + 99 * 2);
  });

  test("when all are known and fewer than enough, too", () => {
    const cluster = new Cluster(Array.from({ length: 1000 }, (_, id) => (id < 10 ? id : undefined)));
    const memory = new CandidateMemory();
    for (let round = 0; round < 5; round++) {
      const failure = cluster.failure();
      expect(memory.of(pod, failure, []).best(failure, 0.5, 100, cluster.look)?.nodeName).toBe(`node-${round}`);
      cluster.set(round, undefined);
    }
    expect(cluster.looks).toBe(1000 + 4);
    // Once they are known, nobody goes through all of them.
    expect(cluster.passed).toBe(1000);
  });

  test("what is found on the node promised to the pod itself is not for others", () => {
    const cluster = new Cluster([1, 2]);
    const memory = new CandidateMemory();
    const own = cluster.failure(0);
    expect(memory.of(pod, own, []).best(own, 0, 2, cluster.look)?.nodeName).toBe("node-0");
    cluster.harm[0] = undefined;
    const other = cluster.failure();
    expect(memory.of(pod, other, []).best(other, 0, 2, cluster.look)?.nodeName).toBe("node-1");
    // Nor is what others found there for the pod.
    cluster.harm[0] = 1;
    expect(memory.of(pod, own, []).best(own, 0, 2, cluster.look)?.nodeName).toBe("node-0");
  });

  test("whatever changes, the best is as good as what a first look finds", () => {
    const random: Random = seededRandom(7);
    const cluster = new Cluster(Array.from({ length: 50 }, () => randomInt(random, 2000)));
    const memory = new CandidateMemory();
    for (let round = 0; round < 300; round++) {
      const failure = cluster.failure(randomInt(random, 3) === 0 ? randomInt(random, 50) : undefined);
      const harmOf = (memory: CandidateMemory): number | undefined =>
        memory.of(pod, failure, []).best(failure, random.next(), 50, cluster.look)?.sum;
      expect(harmOf(memory), `round ${round}`).toBe(harmOf(new CandidateMemory()));
      for (let change = randomInt(random, 4); change > 0; change--) {
        cluster.set(randomInt(random, 50), randomInt(random, 4) === 0 ? undefined : randomInt(random, 2000));
      }
    }
  });
});
