import type { Random } from "../../internal/random.js";
import type { ClusterTable } from "../cache/cluster-table.js";
import type { PodInfo } from "../cache/pod-info.js";
import type { Snapshots } from "../cache/snapshot.js";
import type { Cycle } from "../framework/policy.js";
import type { TimeBudget } from "../framework/time-budget.js";
import type { ClassCache, WeightedPolicy } from "./class-cache.js";
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
