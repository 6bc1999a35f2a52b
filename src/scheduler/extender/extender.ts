import type { Node, Pod } from "../../api/index.js";

/**
 * Somebody outside who has a say in where pods go, asked after the policies: upstream's scheduler extender. Every method is
 * optional. A rejection of a method fails the pod's attempt, unless the extender is `ignorable`.
 *
 * While an extender thinks no other pod is scheduled, as with upstream: keep it near and quick.
 */
export interface Extender {
  /** In messages. */
  readonly name: string;
  /** Of its scores; default 1. */
  readonly weight?: number;
  /** Whether pods are scheduled without it when it cannot be reached. */
  readonly ignorable?: boolean;
  /** Whether it is to be asked about the pod; absent: about all. */
  interested?(pod: Pod): boolean;
  /** Which of the nodes will do. Those in neither map do. Asked with the nodes that passed the policies and the extenders before. */
  filter?(pod: Pod, nodes: readonly Node[], signal: AbortSignal): Promise<ExtenderVerdict>;
  /** Scores from 0 to 10 by node name; absent is 0. They count tenfold, to be on the scale of policies. */
  prioritize?(pod: Pod, nodes: readonly Node[], signal: AbortSignal): Promise<ReadonlyMap<string, number>>;
  /** Looks at what is to be evicted on a node. Gives the uids that it agrees to evict there; `undefined`: not on this node. */
  preempt?(pod: Pod, plan: PreemptionPlan, signal: AbortSignal): Promise<ReadonlySet<string> | undefined>;
  /** Binds in place of the scheduler. */
  bind?(pod: Pod, nodeName: string, signal: AbortSignal): Promise<void>;
}

export interface ExtenderVerdict {
  /** Why not, by node name. */
  readonly failed: ReadonlyMap<string, string>;
  /** Why not, where removing pods would not help. */
  readonly unresolvable: ReadonlyMap<string, string>;
}

export interface PreemptionPlan {
  readonly nodeName: string;
  readonly victims: readonly Pod[];
}
