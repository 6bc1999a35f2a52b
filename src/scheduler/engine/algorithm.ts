import type { Pod } from "../../api/index.js";
import type { Random } from "../../internal/random.js";
import type { ClusterTable } from "../cache/cluster-table.js";
import type { PodInfo } from "../cache/pod-info.js";
import type { Snapshots } from "../cache/snapshot.js";
import { checkedScore, checkedVerdict, guarded, PolicyError } from "../framework/guard.js";
import {
  type Cycle,
  type NodeSnapshot,
  type PreFilterResult,
  type Rejection,
  type SchedulingPolicy,
  toRejection,
  type Verdict,
} from "../framework/policy.js";
import type { TimeBudget } from "../framework/time-budget.js";
import type { ClassCache, Classified, WeightedPolicy } from "./class-cache.js";
import type { Unschedulable } from "./fit-error.js";
import type { PodClass } from "./pod-class.js";
import { bestOf, bestOfGroups, classScores, nodesToFind } from "./selection.js";
import type { VerdictTable } from "./verdicts.js";

/** Pods that were promised room on nodes by preemption and are not there yet. */
export interface Nominations {
  /** Node names with nominated pods. */
  readonly nodeNames: Iterable<string>;
  readonly size: number;
  nodeOf(uid: string): string | undefined;
  on(nodeName: string): readonly PodInfo[];
}

export interface AlgorithmOptions {
  readonly table: ClusterTable;
  readonly snapshots: Snapshots;
  readonly verdicts: VerdictTable;
  readonly nominations: Nominations;
  readonly random: Random;
  readonly host?: Cycle["host"];
}

export interface ProfileEngine {
  readonly policies: readonly WeightedPolicy[];
  readonly classes: ClassCache;
  readonly percentageOfNodesToScore?: number | undefined;
  readonly budget: TimeBudget;
}

export type Decision =
  | { readonly node: number; readonly failure?: undefined }
  | { readonly node?: undefined; readonly failure: Unschedulable };

/** Nodes to choose from, by slot, with their scores. */
export interface Offer {
  readonly slots: readonly number[];
  readonly scores: readonly number[];
  /** `refused`: verdict codes of nodes of the offer that were turned down afterwards. */
  readonly failure: (refused: ReadonlyMap<number, number>) => Unschedulable;
}

/**
 * Finds the node for a pod: a pure function of table, nominations and chance. Pods that no policy has to be called plainly for
 * cost as many steps as their class has groups; else nodes are asked one by one, from where the last pod left off.
 */
export class Algorithm {
  readonly #options: AlgorithmOptions;
  #start = 0;

  constructor(options: AlgorithmOptions) {
    this.#options = options;
  }

  newCycle(): Cycle {
    const { snapshots, host } = this.#options;
    return { snapshot: snapshots.current(), state: new Map(), ...(host === undefined ? {} : { host }) };
  }

  /** `preferred` is taken when no node is better. Throws PolicyError. */
  schedule(pod: PodInfo, engine: ProfileEngine, cycle: Cycle, preferred = -1): Decision {
    const { table } = this.#options;
    const classified = classify(pod, engine);
    const run = new Run(this.#options, engine, classified, pod, cycle);
    const early = run.preFilter();
    if (early !== undefined) return { failure: early };
    const { podClass } = classified;
    podClass.beginRound();
    const nominated = pod.pod.status?.nominatedNodeName;
    const nominatedSlot = nominated === undefined ? undefined : table.slotOf(nominated);
    if (nominatedSlot !== undefined && run.includes(nominatedSlot) && run.passes(nominatedSlot)) {
      return { node: nominatedSlot };
    }
    const blocked = run.blockNominated();
    try {
      const node =
        run.candidates === undefined && !run.plain
          ? bestOfGroups(podClass, this.#options.random, preferred)
          : this.#oneByOne(run, engine, preferred);
      return node >= 0 ? { node } : { failure: run.failure() };
    } finally {
      for (const slot of blocked) podClass.reconsider(slot);
    }
  }

  /**
   * All nodes that would do with their scores, for who wants to choose otherwise. `failure` says why when none is left; nodes that
   * were refused since can be added to it. Throws PolicyError.
   */
  offer(pod: PodInfo, engine: ProfileEngine, cycle: Cycle): Offer {
    const classified = classify(pod, engine);
    const run = new Run(this.#options, engine, classified, pod, cycle);
    const early = run.preFilter();
    if (early !== undefined) return { slots: [], scores: [], failure: () => early };
    const { podClass } = classified;
    podClass.beginRound();
    const blocked = run.blockNominated();
    try {
      const slots = this.#feasible(run, engine);
      const scores = slots.length === 0 ? [] : run.scores(slots);
      const failure = run.failure();
      return {
        slots,
        scores,
        failure(refused) {
          const verdicts = new Map(failure.verdicts);
          for (const code of refused.values()) bump(verdicts, code);
          return { ...failure, verdicts, codeOf: (slot) => refused.get(slot) ?? failure.codeOf(slot) };
        },
      };
    } finally {
      for (const slot of blocked) podClass.reconsider(slot);
    }
  }

  /** Whether the node would do as things are now. Throws PolicyError. */
  passes(pod: PodInfo, engine: ProfileEngine, slot: number): boolean {
    const classified = classify(pod, engine);
    const run = new Run(this.#options, engine, classified, pod, this.newCycle());
    if (run.preFilter() !== undefined) return false;
    classified.podClass.beginRound();
    return run.includes(slot) && run.passes(slot);
  }

  #oneByOne(run: Run, engine: ProfileEngine, preferred: number): number {
    const feasible = this.#feasible(run, engine);
    if (feasible.length === 0) return -1;
    if (feasible.length === 1) return feasible[0] ?? -1;
    return bestOf(feasible, run.scores(feasible), this.#options.random, preferred);
  }

  #feasible(run: Run, engine: ProfileEngine): number[] {
    const { table } = this.#options;
    const feasible: number[] = [];
    if (run.candidates !== undefined) {
      for (const slot of run.candidates) if (run.passesUnblocked(slot)) feasible.push(slot);
      return feasible;
    }
    const enough = nodesToFind(table.nodeCount, engine.percentageOfNodesToScore);
    const { slots } = table;
    let slot = this.#start < slots ? this.#start : 0;
    for (let looked = 0; looked < slots && feasible.length < enough; looked++) {
      if (run.passesUnblocked(slot)) feasible.push(slot);
      if (++slot === slots) slot = 0;
    }
    this.#start = slot;
    return feasible;
  }
}

function classify(pod: PodInfo, { classes, budget }: ProfileEngine): Classified {
  budget.begin();
  return classes.classify(pod);
}

/** One pod's way through filters and scores. */
class Run {
  readonly #options: AlgorithmOptions;
  readonly #engine: ProfileEngine;
  readonly #class: PodClass;
  readonly #pod: PodInfo;
  readonly #cycle: Cycle;
  #filters: WeightedPolicy[];
  #scorers: WeightedPolicy[];
  #narrowedBy: string[] = [];
  /** Nodes that passed their class but not a plain filter or a nomination. */
  readonly #rejected = new Map<number, number>();
  /** Whether some of those are nominated to others. */
  #blocks = false;
  /** Such nodes by what the class knows. */
  #withheld: ReadonlyMap<number, number> = new Map();
  candidates: readonly number[] | undefined;

  constructor(options: AlgorithmOptions, engine: ProfileEngine, classified: Classified, pod: PodInfo, cycle: Cycle) {
    this.#options = options;
    this.#engine = engine;
    this.#class = classified.podClass;
    this.#pod = pod;
    this.#cycle = cycle;
    this.#filters = classified.plain.filter(({ policy }) => policy.filter !== undefined);
    this.#scorers = classified.plain.filter(({ policy, weight }) => policy.score !== undefined && weight !== 0);
    this.#preFilters = classified.plain;
  }
  readonly #preFilters: readonly WeightedPolicy[];

  /** Whether nodes have to be asked one by one. */
  get plain(): boolean {
    return this.#filters.length > 0 || this.#scorers.length > 0;
  }

  preFilter(): Unschedulable | undefined {
    let names: ReadonlySet<string> | undefined;
    const narrow = (policy: string, own: ReadonlySet<string>): void => {
      this.#narrowedBy.push(policy);
      const before = names;
      names = before === undefined ? own : new Set([...own].filter((name) => before.has(name)));
    };
    for (const { policy } of this.#engine.policies) {
      const own = policy.vector?.narrow?.(this.#pod);
      if (own === undefined) continue;
      if (isRejection(own)) return this.#refused(policy.name, own);
      narrow(policy.name, own);
    }
    for (const weighted of this.#preFilters) {
      const { policy } = weighted;
      if (policy.preFilter === undefined) continue;
      const result = guarded(policy.name, "PreFilter", () => policy.preFilter?.(this.#pod.pod, this.#cycle));
      if (result === undefined) continue;
      if (typeof result === "string" || isRejection(result)) return this.#refused(policy.name, toRejection(result));
      if (result.skip) this.#filters = this.#filters.filter((other) => other !== weighted);
      if (result.nodeNames !== undefined) narrow(policy.name, result.nodeNames);
    }
    if (names !== undefined) {
      const { table } = this.#options;
      this.candidates = [...names].flatMap((name) => table.slotOf(name) ?? []);
    }
    return undefined;
  }

  includes(slot: number): boolean {
    return this.candidates === undefined || this.candidates.includes(slot);
  }

  /** Takes nodes out of the class that are spoken for by nominated pods. Those it gives are to be reconsidered afterwards. */
  blockNominated(): readonly number[] {
    const { withheld } = this.#class;
    if (withheld.priority !== this.#pod.priority) {
      // Promises to pods of lower priority do not count.
      for (const slot of [...withheld.codes.keys()]) this.#class.reconsider(slot);
      withheld.priority = undefined;
    }
    if (this.#class.local && !this.plain) return this.#withhold();
    return this.#block(this.#nominatedSlots());
  }

  /** The same for verdicts that depend on the one node only: what is blocked stays so for the next pod of the class. */
  #withhold(): readonly number[] {
    const podClass = this.#class;
    const { withheld } = podClass;
    const { nominations, table } = this.#options;
    const { priority, uid } = this.#pod;
    const like = withheld.priority !== undefined;
    withheld.priority = priority;
    const touched = withheld.takeTouched();
    for (const slot of like ? touched : this.#nominatedSlots()) {
      const code = podClass.code(slot) === 0 ? this.#codeWithNominated(slot) : 0;
      if (code === 0) continue;
      withheld.set(slot, code);
      podClass.block(slot);
    }
    this.#withheld = withheld.codes;
    // What is promised to the pod itself stands in the way of the others only.
    const own = table.slotOf(nominations.nodeOf(uid) ?? "");
    if (own === undefined) return [];
    podClass.reconsider(own);
    return this.#block([own]);
  }

  #block(slots: readonly number[]): number[] {
    const blocked: number[] = [];
    for (const slot of slots) {
      const code = this.#class.code(slot) === 0 ? this.#codeWithNominated(slot) : 0;
      if (code === 0) continue;
      this.#rejected.set(slot, code);
      this.#blocks = true;
      this.#class.block(slot);
      blocked.push(slot);
    }
    return blocked;
  }

  #nominatedSlots(): number[] {
    const { nominations, table } = this.#options;
    if (nominations.size === 0) return [];
    const slots: number[] = [];
    for (const name of nominations.nodeNames) {
      const slot = table.slotOf(name);
      if (slot !== undefined) slots.push(slot);
    }
    return slots;
  }

  passes(slot: number): boolean {
    return this.passesUnblocked(slot) && this.#codeWithNominated(slot) === 0;
  }

  /** For nodes whose nominations have been dealt with. */
  passesUnblocked(slot: number): boolean {
    if (this.#class.code(slot) !== 0 || this.#withheld.has(slot) || (this.#blocks && this.#rejected.has(slot)))
      return false;
    const code = this.#plainCode(slot);
    if (code !== 0) this.#rejected.set(slot, code);
    return code === 0;
  }

  scores(slots: readonly number[]): number[] {
    const totals = classScores(this.#class, slots);
    if (this.#scorers.length === 0) return totals;
    const nodes: NodeSnapshot[] = [];
    for (const slot of slots) {
      const node = this.#options.snapshots.node(slot);
      if (node !== undefined) nodes.push(node);
    }
    for (const { policy, weight } of this.#scorers) {
      const skipped = guarded(
        policy.name,
        "PreScore",
        () => policy.preScore?.(this.#pod.pod, nodes, this.#cycle)?.skip,
      );
      if (skipped === true) continue;
      const tick = (): void => this.#engine.budget.check(policy.name);
      const scores = plainScores({ policy, weight }, this.#pod, nodes, this.#cycle, tick);
      for (let index = 0; index < totals.length; index++) {
        totals[index] = (totals[index] ?? 0) + weight * (scores[index] ?? 0);
      }
    }
    return totals;
  }

  failure(): Unschedulable {
    const podClass = this.#class;
    const rejected = new Map(this.#rejected);
    const withheld = this.#withheld;
    const codeOf = (slot: number): number => {
      const code = podClass.code(slot);
      return code !== 0 ? code : (rejected.get(slot) ?? withheld.get(slot) ?? 0);
    };
    let verdicts: Map<number, number>;
    if (this.candidates !== undefined) {
      verdicts = new Map();
      for (const slot of this.candidates) bump(verdicts, codeOf(slot));
    } else {
      verdicts = podClass.verdicts();
      for (const code of rejected.values()) bump(verdicts, code);
      for (const code of withheld.values()) bump(verdicts, code);
    }
    const { candidates } = this;
    return {
      nodeCount: this.#options.table.nodeCount,
      verdicts,
      narrowedBy: this.#narrowedBy,
      likeness: podClass.local && !this.plain && candidates === undefined ? podClass : undefined,
      codeWithout: (slot, gone) => this.#codeWithout(slot, gone),
      codeOf: candidates === undefined ? codeOf : (slot) => (candidates.includes(slot) ? codeOf(slot) : -1),
    };
  }

  #refused(policy: string, rejection: Rejection): Unschedulable {
    const { nodeCount } = this.#options.table;
    return {
      nodeCount,
      verdicts: new Map(),
      preFilter: { policy, rejection },
      narrowedBy: [],
      codeOf: () => -1,
      codeWithout: () => -1,
      likeness: undefined,
    };
  }

  #codeWithNominated(slot: number): number {
    const others = this.#promised(slot);
    return others.length === 0 ? 0 : this.#codeIf(slot, others, []);
  }

  /** The other pods that were promised room on the node and matter to this one. */
  #promised(slot: number): readonly PodInfo[] {
    const { nominations, table } = this.#options;
    if (nominations.size === 0) return [];
    const { uid, priority } = this.#pod;
    return nominations
      .on(table.nodes[slot]?.metadata.name ?? "")
      .filter((other) => other.uid !== uid && other.priority >= priority);
  }

  #codeWithout(slot: number, gone: readonly Pod[]): number {
    const uids = new Set(gone.map(({ metadata }) => metadata.uid));
    const leaving = (this.#options.table.pods[slot] ?? []).filter(({ uid }) => uids.has(uid));
    const code = this.#codeIf(slot, [], leaving);
    const promised = this.#promised(slot);
    return code !== 0 || promised.length === 0 ? code : this.#codeIf(slot, promised, leaving);
  }

  /** The verdict of the node if some pods came to it and others left. */
  #codeIf(slot: number, coming: readonly PodInfo[], leaving: readonly PodInfo[]): number {
    const { table, snapshots } = this.#options;
    const pretend = (sign: 1 | -1): void => {
      for (const pod of leaving) table.pretend(slot, pod, sign === 1 ? -1 : 1);
      for (const pod of coming) table.pretend(slot, pod, sign);
      snapshots.forget(slot);
    };
    pretend(1);
    try {
      const code = this.#class.local ? this.#class.evaluate(slot) : this.#reconsidered(slot);
      return Math.max(0, code === 0 && this.#filters.length > 0 ? this.#plainCode(slot, this.#imagined()) : code);
    } finally {
      pretend(-1);
      if (!this.#class.local) this.#reconsidered(slot);
    }
  }

  #reconsidered(slot: number): number {
    this.#class.reconsider(slot);
    this.#class.beginRound();
    return this.#class.code(slot);
  }

  /** A cycle for the cluster as it would be: what policies worked out before is not true there. */
  #imagined(): Cycle {
    const cycle: Cycle = { ...this.#cycle, state: new Map() };
    for (const { policy } of this.#filters) {
      guarded(policy.name, "PreFilter", () => policy.preFilter?.(this.#pod.pod, cycle));
    }
    return cycle;
  }

  #plainCode(slot: number, cycle: Cycle = this.#cycle): number {
    if (this.#filters.length === 0) return 0;
    const node = this.#options.snapshots.node(slot);
    if (node === undefined) return 0;
    for (const { policy } of this.#filters) {
      const verdict = this.#ask(policy, node, cycle);
      if (verdict !== undefined) return this.#options.verdicts.code(policy.name, checkedVerdict(policy.name, verdict));
    }
    return 0;
  }

  #ask(policy: SchedulingPolicy, node: NodeSnapshot, cycle: Cycle): Verdict {
    try {
      this.#engine.budget.check(policy.name);
      return policy.filter?.(this.#pod.pod, node, cycle);
    } catch (error) {
      return guarded(policy.name, "Filter", () => {
        throw error;
      });
    }
  }
}

/** The normalised, unweighted scores of a plainly called policy. Throws PolicyError. */
export function plainScores(
  { policy }: WeightedPolicy,
  pod: PodInfo,
  nodes: readonly NodeSnapshot[],
  cycle: Cycle,
  tick: () => void,
): readonly number[] {
  const bounded = policy.normalizeScore === undefined;
  const raw = new Array<number>(nodes.length);
  guarded(policy.name, "Score", () => {
    for (let index = 0; index < nodes.length; index++) {
      const node = nodes[index];
      if (node === undefined) continue;
      raw[index] = checkedScore(policy.name, "Score", policy.score?.(pod.pod, node, cycle), bounded);
      tick();
    }
  });
  if (bounded) return raw;
  const scores = guarded(policy.name, "NormalizeScore", () => policy.normalizeScore?.(pod.pod, raw, nodes, cycle));
  if (!Array.isArray(scores) || scores.length !== raw.length) {
    throw new PolicyError(policy.name, "NormalizeScore", "must give one score per node");
  }
  return scores.map((score) => checkedScore(policy.name, "NormalizeScore", score, true));
}

function isRejection(result: Rejection | PreFilterResult | ReadonlySet<string>): result is Rejection {
  return "reasons" in result && Array.isArray(result.reasons);
}

function bump(counts: Map<number, number>, code: number): void {
  if (code > 0) counts.set(code, (counts.get(code) ?? 0) + 1);
}
