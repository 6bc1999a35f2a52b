import type { PodInfo } from "../cache/pod-info.js";
import type { Cycle } from "../framework/policy.js";
import type { Classified } from "./class-cache.js";
import { bump, type Unschedulable } from "./fit-error.js";
import { type Found, Run } from "./run.js";
import { bestOf, bestOfGroups, nodesToFind } from "./selection.js";
import type { AlgorithmOptions, ProfileEngine } from "./surroundings.js";

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
      const found = this.#feasible(run, engine);
      const { slots } = found;
      const scores = slots.length === 0 ? [] : run.scores(found);
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
    const found = this.#feasible(run, engine);
    const { slots } = found;
    if (slots.length <= 1) return slots[0] ?? -1;
    return bestOf(slots, run.scores(found), this.#options.random, preferred);
  }

  #feasible(run: Run, engine: ProfileEngine): Found {
    if (run.candidates !== undefined) return run.searchCandidates(run.candidates);
    const { slots, nodeCount } = this.#options.table;
    const from = this.#start < slots ? this.#start : 0;
    const found = run.search(from, nodesToFind(nodeCount, engine.percentageOfNodesToScore));
    this.#start = found.next;
    return found;
  }
}

function classify(pod: PodInfo, { classes, budget }: ProfileEngine): Classified {
  budget.begin();
  return classes.classify(pod);
}
