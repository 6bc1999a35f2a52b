import type { Pod } from "../api/index.js";
import type { ClusterCache } from "./cache/cluster-cache.js";
import type { PodInfo } from "./cache/pod-info.js";
import { Algorithm, type Decision } from "./engine/algorithm.js";
import { fitMessage } from "./engine/fit-error.js";
import type { Nominations } from "./engine/surroundings.js";
import type { VerdictTable } from "./engine/verdicts.js";
import { PolicyError } from "./framework/guard.js";
import type { TimeBudget } from "./framework/time-budget.js";
import { type RunningProfile, runningProfile, type SchedulerProfile, schedulerNameOf } from "./profile.js";

export interface ShadowOptions {
  /** As those of the scheduler, with policies of their own: a policy must not be in both. Pods of other schedulers are not compared. */
  readonly profiles: readonly SchedulerProfile[];
  /** Told of each difference as it is found, in the middle of scheduling: keep it short. What it throws is ignored. */
  readonly onDifference?: (difference: ShadowDifference) => void;
}

/** A pod that the shadow would have treated otherwise. */
export interface ShadowDifference {
  readonly pod: Pod;
  /** Where it goes; absent: nowhere, and why is in `message`. */
  readonly nodeName?: string;
  readonly message?: string;
  /** Where the shadow would have put it; absent: nowhere, and why is in `shadowMessage`. */
  readonly shadowNodeName?: string;
  readonly shadowMessage?: string;
}

export interface ShadowSummary {
  readonly compared: number;
  readonly same: number;
  /** Both found a node, and the shadow thought another one better. */
  readonly otherNode: number;
  /** Only the shadow found one. */
  readonly onlyShadow: number;
  /** Only the scheduler found one. */
  readonly onlyScheduler: number;
  /** A policy of the shadow failed. */
  readonly failed: number;
  /** The latest differences, newest last; at most 100. */
  readonly recent: readonly ShadowDifference[];
}

export interface ShadowSurroundings {
  readonly cache: ClusterCache;
  readonly verdicts: VerdictTable;
  readonly nominations: Nominations;
  readonly budget: TimeBudget;
}

const remembered = 100;

/**
 * A second set of policies that sees what the scheduler sees and decides nothing. A node that it thinks as good as its best is no
 * difference, as chance would decide between them.
 */
export class Shadow {
  readonly #options: ShadowOptions;
  readonly #surroundings: ShadowSurroundings;
  readonly #profiles = new Map<string, RunningProfile>();
  readonly #algorithm: Algorithm;
  readonly #recent: ShadowDifference[] = [];
  readonly #counts = { compared: 0, same: 0, otherNode: 0, onlyShadow: 0, onlyScheduler: 0, failed: 0 };

  constructor(options: ShadowOptions, surroundings: ShadowSurroundings) {
    const { cache, verdicts, nominations, budget } = surroundings;
    this.#options = options;
    this.#surroundings = surroundings;
    // Chance is the scheduler's own: the shadow leaves its sequence alone.
    const random = { next: () => 0 };
    this.#algorithm = new Algorithm({
      table: cache.table,
      snapshots: cache.snapshots,
      verdicts,
      nominations,
      random,
    });
    for (const profile of options.profiles) {
      // All nodes are looked at: a sample that misses the scheduler's node would be taken for a difference.
      const running = runningProfile({ ...profile, percentageOfNodesToScore: 100 }, cache, verdicts, budget);
      this.#profiles.set(running.name, running);
    }
  }

  get summary(): ShadowSummary {
    return { ...this.#counts, recent: [...this.#recent] };
  }

  /** To be called before the decision is acted on. Throws nothing. */
  compare(pod: PodInfo, decision: Decision): void {
    const profile = this.#profiles.get(schedulerNameOf(pod.pod));
    if (profile === undefined) return;
    this.#counts.compared++;
    const mine = this.#outcome(decision);
    try {
      const theirs = this.#algorithm.schedule(pod, profile.engine, this.#algorithm.newCycle(), decision.node);
      if (theirs.node === decision.node) {
        this.#counts.same++;
        return;
      }
      if (theirs.node === undefined) this.#counts.onlyScheduler++;
      else if (decision.node === undefined) this.#counts.onlyShadow++;
      else this.#counts.otherNode++;
      const { nodeName, message } = this.#outcome(theirs);
      this.#tell({
        pod: pod.pod,
        ...mine,
        ...(nodeName === undefined ? {} : { shadowNodeName: nodeName }),
        ...(message === undefined ? {} : { shadowMessage: message }),
      });
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      this.#counts.failed++;
      this.#tell({ pod: pod.pod, ...mine, shadowMessage: error.message });
    }
  }

  close(): void {
    for (const { engine } of this.#profiles.values()) engine.classes.clear();
  }

  #outcome(decision: Decision): { readonly nodeName?: string; readonly message?: string } {
    const { cache, verdicts } = this.#surroundings;
    if (decision.failure !== undefined) return { message: fitMessage(decision.failure, verdicts) };
    const nodeName = cache.table.nodes[decision.node]?.metadata.name;
    return nodeName === undefined ? {} : { nodeName };
  }

  #tell(difference: ShadowDifference): void {
    this.#recent.push(difference);
    if (this.#recent.length > remembered) this.#recent.shift();
    try {
      this.#options.onDifference?.(difference);
    } catch {
      // Whoever listens must not be able to stop scheduling.
    }
  }
}
