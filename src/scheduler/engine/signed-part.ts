import type { PodInfo } from "../cache/pod-info.js";
import type { Snapshots } from "../cache/snapshot.js";
import { checkedScore, checkedVerdict, guarded } from "../framework/guard.js";
import type { Cycle, NodeSnapshot, SchedulingPolicy } from "../framework/policy.js";
import type { TimeBudget } from "../framework/time-budget.js";
import type { VectorContext, VectorPart } from "../framework/vector.js";

/**
 * The compiled form of a policy that signs its pods: its plain methods, called for one pod of the kind, and only about nodes that
 * changed. Throws PolicyError.
 */
export function signedPart(
  policy: SchedulingPolicy,
  { pod }: PodInfo,
  { verdict }: VectorContext,
  snapshots: Snapshots,
  budget: TimeBudget,
): VectorPart {
  const { name } = policy;
  const cycle: Cycle = { snapshot: snapshots.current(), state: new Map() };
  const ask = <T>(point: string, slot: number, otherwise: T, call: (node: NodeSnapshot) => T): T => {
    const node = snapshots.node(slot);
    if (node === undefined) return otherwise;
    budget.check(name);
    return guarded(name, point, () => call(node));
  };
  return {
    readsObjects: true,
    ...(policy.filter === undefined
      ? {}
      : {
          podsFilter: (slot) =>
            ask("Filter", slot, 0, (node) => {
              const answer = policy.filter?.(pod, node, cycle);
              return answer === undefined ? 0 : verdict(checkedVerdict(name, answer));
            }),
        }),
    ...(policy.score === undefined
      ? {}
      : {
          podsScore: (slot) =>
            ask("Score", slot, 0, (node) => checkedScore(name, "Score", policy.score?.(pod, node, cycle), true)),
        }),
  };
}

/** The points at which a policy hears of more than one node, or of one pod: what it says there cannot be shared by like pods. */
const singular = ["preFilter", "preScore", "normalizeScore"] as const;

/** Why the policy cannot keep what its `signPod` promises; `undefined`: it may. */
export function unsignable(policy: SchedulingPolicy): string | undefined {
  if (policy.signPod === undefined) return undefined;
  const point = singular.find((name) => policy[name] !== undefined);
  return point === undefined ? undefined : `policy ${policy.name} has signPod, and so cannot have ${point}`;
}
