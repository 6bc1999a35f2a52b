import type { Pod } from "../../api/index.js";
import type { PodInfo } from "../cache/pod-info.js";
import { checkedVerdict, guarded, policyError } from "../framework/guard.js";
import {
  type Cycle,
  type NodeSnapshot,
  type PreFilterResult,
  type Rejection,
  type SchedulingPolicy,
  toRejection,
  type Verdict,
} from "../framework/policy.js";
import type { Classified, WeightedPolicy } from "./class-cache.js";
import { bump, type Unschedulable } from "./fit-error.js";
import { plainScores } from "./plain-scores.js";
import type { PodClass } from "./pod-class.js";
import { classScores } from "./selection.js";
import type { AlgorithmOptions, ProfileEngine } from "./surroundings.js";

/** Nodes that passed, in the same order. */
export interface Found {
  readonly slots: readonly number[];
  readonly nodes: readonly NodeSnapshot[];
}

/** One pod's way through filters and scores. */
export class Run {
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
    if (!this.#passesClass(slot)) return false;
    const code = this.#plainCode(slot);
    if (code !== 0) this.#rejected.set(slot, code);
    return code === 0;
  }

  /** As many nodes as are enough, asked one after the other from a slot on, and where the search ended. Throws PolicyError. */
  search(from: number, enough: number): Found & { readonly next: number } {
    const { table, snapshots, verdicts } = this.#options;
    const { budget } = this.#engine;
    const filters = this.#filters.map(({ policy }) => policy);
    const [pod, cycle] = [this.#pod.pod, this.#cycle];
    const slots: number[] = [];
    const nodes: NodeSnapshot[] = [];
    let slot = from;
    let asked = "";
    try {
      for (let looked = 0; looked < table.slots && slots.length < enough; looked++) {
        const at = slot;
        if (++slot === table.slots) slot = 0;
        if (!this.#passesClass(at)) continue;
        const node = snapshots.node(at);
        if (node === undefined) continue;
        let verdict: Verdict;
        for (const policy of filters) {
          asked = policy.name;
          budget.check(asked);
          verdict = policy.filter?.(pod, node, cycle);
          if (verdict !== undefined) break;
        }
        if (verdict === undefined) {
          slots.push(at);
          nodes.push(node);
        } else this.#rejected.set(at, verdicts.code(asked, checkedVerdict(asked, verdict)));
      }
    } catch (error) {
      throw policyError(asked, "Filter", error);
    }
    return { slots, nodes, next: slot };
  }

  /** Those of the candidates that pass. Throws PolicyError. */
  searchCandidates(candidates: readonly number[]): Found {
    const slots = candidates.filter((slot) => this.passesUnblocked(slot));
    return { slots, nodes: slots.flatMap((slot) => this.#options.snapshots.node(slot) ?? []) };
  }

  #passesClass(slot: number): boolean {
    return this.#class.code(slot) === 0 && !this.#withheld.has(slot) && !(this.#blocks && this.#rejected.has(slot));
  }

  scores({ slots, nodes }: Found): number[] {
    const totals = classScores(this.#class, slots);
    for (const { policy, weight } of this.#scorers) {
      const skipped = guarded(
        policy.name,
        "PreScore",
        () => policy.preScore?.(this.#pod.pod, nodes, this.#cycle)?.skip,
      );
      if (skipped === true) continue;
      const scores = plainScores(policy, this.#pod, nodes, this.#cycle, this.#engine.budget);
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

function isRejection(result: Rejection | PreFilterResult | ReadonlySet<string>): result is Rejection {
  return "reasons" in result && Array.isArray(result.reasons);
}
