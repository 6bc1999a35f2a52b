import type { PodInfo } from "../cache/pod-info.js";
import { checkedScore, guarded, PolicyError, policyError } from "../framework/guard.js";
import type { Cycle, NodeSnapshot, SchedulingPolicy } from "../framework/policy.js";
import type { TimeBudget } from "../framework/time-budget.js";

/** The normalised, unweighted scores of a plainly called policy. Throws PolicyError. */
export function plainScores(
  policy: SchedulingPolicy,
  { pod }: PodInfo,
  nodes: readonly NodeSnapshot[],
  cycle: Cycle,
  budget: TimeBudget,
): readonly number[] {
  const { name } = policy;
  const bounded = policy.normalizeScore === undefined;
  const raw: number[] = [];
  try {
    for (const node of nodes) {
      budget.check(name);
      raw.push(checkedScore(name, "Score", policy.score?.(pod, node, cycle), bounded));
    }
  } catch (error) {
    throw policyError(name, "Score", error);
  }
  if (bounded) return raw;
  const scores = guarded(name, "NormalizeScore", () => policy.normalizeScore?.(pod, raw, nodes, cycle));
  if (!Array.isArray(scores) || scores.length !== raw.length) {
    throw new PolicyError(name, "NormalizeScore", "must give one score per node");
  }
  return scores.map((score) => checkedScore(name, "NormalizeScore", score, true));
}
