import { describe, expect, it } from "vitest";
import type { Pod } from "../api/index.js";
import { statusErrors } from "../api/index.js";
import { discardEvents } from "../client/index.js";
import { silentLogger } from "../internal/logger.js";
import { randomInt, seededRandom } from "../internal/random.js";
import { VirtualClock } from "../internal/virtual-clock.js";
import { makeNode, makePod } from "../testing/builders.js";
import { SchedulerCore } from "./core.js";
import { listersOf } from "./framework/listers.js";
import { defaultPolicies } from "./policies/default-policies.js";

const pods = { group: "", resource: "pods" };

/**
 * An API of pods that answers late, fails sometimes, is written by others, and whose watch is behind; the scheduler may be
 * replaced by a new one at any time.
 */
class Chaos {
  readonly #random: ReturnType<typeof seededRandom>;
  readonly #clock = new VirtualClock();
  readonly #capacity = 1000;
  readonly #nodes = ["n0", "n1", "n2"].map((name) => makeNode(name, { cpuMillis: this.#capacity }));
  readonly #truth = new Map<string, Pod>();
  #seen = new Map<string, Pod>();
  #core: SchedulerCore;
  #created = 0;
  readonly problems: string[] = [];

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#core = this.#start();
  }

  async run(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) await this.#step();
    for (let turn = 0; turn < 40; turn++) {
      this.#deliver(Number.POSITIVE_INFINITY);
      this.#core.work(1000);
      await this.#clock.advance(20_000);
    }
    this.#check();
    await this.#core.close();
  }

  async #step(): Promise<void> {
    const dice = this.#random.next();
    if (dice < 0.35) this.#create();
    else if (dice < 0.45) this.#delete();
    else if (dice < 0.5) this.#bindElsewhere();
    else if (dice < 0.75) this.#deliver(randomInt(this.#random, 5));
    else if (dice < 0.95) this.#core.work(randomInt(this.#random, 4));
    else if (dice < 0.97) {
      // As when it is killed: what it has sent may still happen.
      void this.#core.close();
      this.#core = this.#start();
    }
    if (this.#random.next() < 0.3) await this.#clock.advance(randomInt(this.#random, 3000));
  }

  #start(): SchedulerCore {
    const core = new SchedulerCore({
      profiles: [{ policies: defaultPolicies() }],
      listers: listersOf(),
      writes: {
        bind: (pod, nodeName) => this.#bind(pod, nodeName),
        patchStatus: async () => {},
        evict: async () => {},
      },
      events: discardEvents,
      clock: this.#clock,
      random: this.#random,
      logger: silentLogger,
      onWork: () => {},
    });
    for (const node of this.#nodes) core.setNode(node);
    this.#seen = new Map(this.#truth);
    for (const pod of this.#truth.values()) core.setPod(pod, undefined);
    return core;
  }

  async #bind(pod: Pod, nodeName: string): Promise<void> {
    const core = this.#core;
    const delay = randomInt(this.#random, 2000);
    await new Promise<void>((resolve) => this.#clock.setTimeout(resolve, delay));
    if (this.#random.next() < 0.2) throw statusErrors.serviceUnavailable("chaos");
    const current = this.#truth.get(pod.metadata.uid);
    if (current === undefined) throw statusErrors.notFound(pods, pod.metadata.name);
    // As the API server: a pod is bound once.
    if (current.spec?.nodeName) throw statusErrors.conflict(pods, pod.metadata.name, "is already assigned to a node");
    this.#set({ ...current, spec: { containers: [], ...current.spec, nodeName } });
    // A scheduler that was killed is a stranger to the next one.
    if (core !== this.#core) this.#foreign.add(pod.metadata.uid);
    // The answer may be lost although it happened.
    if (this.#random.next() < 0.1) throw statusErrors.serviceUnavailable("lost answer");
  }

  #create(): void {
    this.#set(makePod(`p${this.#created++}`, { cpuMillis: 100 + 100 * randomInt(this.#random, 3) }));
  }

  #delete(): void {
    const uids = [...this.#truth.keys()];
    const uid = uids[randomInt(this.#random, Math.max(1, uids.length))];
    if (uid !== undefined) this.#truth.delete(uid);
  }

  /** Somebody else binds where there is room in truth. */
  #bindElsewhere(): void {
    const waiting = [...this.#truth.values()].find(({ spec }) => !spec?.nodeName);
    if (waiting === undefined) return;
    this.#set({ ...waiting, spec: { containers: [], ...waiting.spec, nodeName: `n${randomInt(this.#random, 3)}` } });
    this.#foreign.add(waiting.metadata.uid);
  }
  readonly #foreign = new Set<string>();

  #set(pod: Pod): void {
    this.#truth.set(pod.metadata.uid, pod);
  }

  /** Brings the scheduler's view some changes closer to the truth. */
  #deliver(limit: number): void {
    let left = limit;
    for (const [uid, old] of [...this.#seen]) {
      if (left <= 0) return;
      const pod = this.#truth.get(uid);
      if (pod === old) continue;
      left--;
      if (pod === undefined) {
        this.#seen.delete(uid);
        this.#core.deletePod(old);
      } else {
        this.#seen.set(uid, pod);
        this.#core.setPod(pod, old);
      }
    }
    for (const [uid, pod] of this.#truth) {
      if (left <= 0) return;
      if (this.#seen.has(uid)) continue;
      left--;
      this.#seen.set(uid, pod);
      this.#core.setPod(pod, undefined);
    }
  }

  #check(): void {
    const free = new Map(this.#nodes.map(({ metadata }) => [metadata.name, this.#capacity]));
    const cpu = (pod: Pod): number => Number.parseInt(pod.spec?.containers[0]?.resources?.requests?.cpu ?? "0", 10);
    const strangers = new Set<string>();
    for (const pod of this.#truth.values()) {
      const on = pod.spec?.nodeName;
      if (!on) continue;
      free.set(on, (free.get(on) ?? 0) - cpu(pod));
      if (this.#foreign.has(pod.metadata.uid)) strangers.add(on);
    }
    for (const [name, left] of free) {
      // A stranger may overcommit a node; the scheduler alone may not.
      if (left < 0 && !strangers.has(name)) this.problems.push(`${name} is overcommitted by ${-left}`);
    }
    for (const pod of this.#truth.values()) {
      if (pod.spec?.nodeName) continue;
      if ([...free.values()].some((left) => left >= cpu(pod))) this.problems.push(`${pod.metadata.name} is forgotten`);
    }
    const { binding, ...counts } = { ...this.#core.queue.counts, binding: this.#core.bindings };
    const waiting = [...this.#truth.values()].filter(({ spec }) => !spec?.nodeName).length;
    const queued = counts.active + counts.backoff + counts.resting;
    if (binding !== 0 || queued !== waiting)
      this.problems.push(`${queued} queued, ${binding} binding, ${waiting} waiting`);
  }
}

describe("SchedulerCore under failing writes, late watches, strangers and restarts", () => {
  it.each(Array.from({ length: 20 }, (_, index) => index * 10))(
    "binds each pod once and forgets none, seeds from %i",
    async (first) => {
      for (let seed = first; seed < first + 10; seed++) {
        const chaos = new Chaos(seed);
        await chaos.run(150);
        expect(chaos.problems, `seed ${seed}`).toEqual([]);
      }
    },
  );
});
