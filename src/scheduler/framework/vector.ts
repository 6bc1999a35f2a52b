import type { ClusterTable } from "../cache/cluster-table.js";
import type { LabelColumn } from "../cache/label-column.js";
import type { SlotCounter } from "../cache/pod-counters.js";
import type { PodInfo } from "../cache/pod-info.js";
import type { Rejection } from "./policy.js";

/**
 * The fast face of a built-in policy. Pods for which `key` gives the same text are alike to the policy: they share one
 * compiled part, which is kept up to date from the table's log of changes instead of being asked anew.
 */
export interface VectorCompiler {
  /** Everything that the policy reads of the pod, as text. `undefined`: call the plain methods for this pod. */
  key(pod: PodInfo, context: VectorContext): string | undefined;
  /** For this very pod, beyond its kind: the only nodes to look at, as `preFilter` gives them. */
  narrow?(pod: PodInfo): ReadonlySet<string> | Rejection | undefined;
  /** `undefined`: the policy has nothing to say about such pods. */
  compile(pod: PodInfo, context: VectorContext): VectorPart | undefined;
}

export interface VectorContext {
  readonly table: ClusterTable;
  /** The code of a rejection by this policy; 0 is not one. Distinct rejections must be few. */
  verdict(rejection: Rejection): number;
}

/** What all filters here give: 0 passes, anything else is the code of a rejection. */
export type VerdictCode = number;

export interface VectorPart {
  /** Depends on the node object alone. */
  readonly nodeFilter?: (slot: number) => VerdictCode;
  /** Depends on the pods of this one node as well. */
  readonly podsFilter?: (slot: number) => VerdictCode;
  /** Depends on the node object alone; with `normalize`, on the scores of all feasible nodes too. */
  readonly nodeScore?: { readonly of: (slot: number) => number; readonly normalize?: Normalize };
  /** Depends on the pods of this one node as well. From 0 to 100. */
  readonly podsScore?: (slot: number) => number;
  readonly topology?: TopologyPart;
  /** It looks at whole objects, so changes matter to it that columns do not show, such as an annotation or a pod's status. */
  readonly readsObjects?: boolean;
  /** Called when the compiled part is thrown away. */
  readonly dispose?: () => void;
}

/** Brings raw scores to 0..100 in place. How often a value occurs must not matter, only which values do. NaN stands for a node that is left out. */
export type Normalize = (scores: number[]) => void;

/** A rule about counts of pods per topology domain. */
export interface TopologyPart {
  readonly inputs: readonly DomainInput[];
  readonly filter?: (view: DomainView, base: number) => VerdictCode;
  readonly score?: {
    /** Once per pod, before `of`. */
    readonly prepare?: (feasible: FeasibleView, base: number) => void;
    readonly of: (view: DomainView, base: number) => number;
    readonly normalize: Normalize;
  };
}

export interface DomainInput {
  readonly counter: SlotCounter;
  readonly key: LabelColumn;
  /** Which nodes belong to the domains; by the node object alone. Absent: all that have the label. */
  readonly eligible?: (slot: number) => boolean;
  /** Whether `min` will be asked for. Counts must not be negative then. */
  readonly trackMin?: boolean;
}

/** The domains of one node; `input` counts from the part's `base`. */
export interface DomainView {
  hasKey(input: number): boolean;
  count(input: number): number;
  /** The least count of any domain that has an eligible node; 0 without domains. */
  min(input: number): number;
  /** How many domains have an eligible node. */
  domains(input: number): number;
  /** The sum over all domains. */
  total(input: number): number;
}

export interface FeasibleView {
  /** Feasible nodes that have every key of `inputs` (of all of them when empty). */
  nodes(inputs: readonly number[]): number;
  /** Distinct domains of `input` among the nodes that `nodes` counts; those without the key are one more. */
  domains(input: number, required: readonly number[]): number;
}

/** Scales by the largest; `reverse` gives the most to the least. */
export function scaleByMax(reverse: boolean): Normalize {
  return (scores) => {
    let max = 0;
    for (const score of scores) if (score > max) max = score;
    for (let index = 0; index < scores.length; index++) {
      if (max === 0) scores[index] = reverse ? 100 : 0;
      else {
        const scaled = Math.trunc((100 * (scores[index] ?? 0)) / max);
        scores[index] = reverse ? 100 - scaled : scaled;
      }
    }
  };
}
