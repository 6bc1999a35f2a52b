import type { PodInfo } from "../cache/pod-info.js";
import { guarded } from "../framework/guard.js";
import {
  type Cycle,
  type NodeSnapshot,
  type NodeVerdict,
  type PreFilterResult,
  type Rejection,
  toRejection,
} from "../framework/policy.js";
import { unlimitedTime } from "../framework/time-budget.js";
import type { WeightedPolicy } from "./class-cache.js";
import { plainScores } from "./plain-scores.js";

export interface PolicyScore {
  readonly policy: string;
  readonly weight: number;
  /** After normalisation, 0..100. */
  readonly score: number;
  readonly weighted: number;
}

export interface NodeEvaluation {
  readonly name: string;
  /** The first rejection; absent when all filters passed. */
  readonly verdict?: NodeVerdict;
  readonly scores: readonly PolicyScore[];
  readonly total: number;
}

/**
 * Asks every policy about every node through its plain methods. Slow: for explanations, and what the fast paths are
 * tested against. Throws PolicyError.
 */
export function evaluatePlainly(pod: PodInfo, policies: readonly WeightedPolicy[], cycle: Cycle): NodeEvaluation[] {
  const skipped = new Set<string>();
  const narrowing = new Map<string, ReadonlySet<string>>();
  for (const { policy } of policies) {
    const result = guarded(policy.name, "PreFilter", () => policy.preFilter?.(pod.pod, cycle));
    if (result === undefined) continue;
    if (typeof result === "string" || isRejection(result)) {
      const verdict = { ...toRejection(result), policy: policy.name };
      return cycle.snapshot.nodes.map(({ name }) => ({ name, verdict, scores: [], total: 0 }));
    }
    if (result.skip) skipped.add(policy.name);
    if (result.nodeNames !== undefined) narrowing.set(policy.name, result.nodeNames);
  }
  const verdicts = new Map<string, NodeVerdict>();
  const feasible: NodeSnapshot[] = [];
  for (const node of cycle.snapshot.nodes) {
    const verdict = firstRejection(pod, node, policies, skipped, narrowing, cycle);
    if (verdict === undefined) feasible.push(node);
    else verdicts.set(node.name, verdict);
  }
  const scores = scoreAll(pod, feasible, policies, cycle);
  return cycle.snapshot.nodes.map(({ name }) => {
    const verdict = verdicts.get(name);
    if (verdict !== undefined) return { name, verdict, scores: [], total: 0 };
    const own = scores.get(name) ?? [];
    return { name, scores: own, total: own.reduce((sum, { weighted }) => sum + weighted, 0) };
  });
}

function firstRejection(
  pod: PodInfo,
  node: NodeSnapshot,
  policies: readonly WeightedPolicy[],
  skipped: ReadonlySet<string>,
  narrowing: ReadonlyMap<string, ReadonlySet<string>>,
  cycle: Cycle,
): NodeVerdict | undefined {
  const excluding = [...narrowing].filter(([, names]) => !names.has(node.name));
  if (excluding.length > 0) {
    const names = [...narrowing.keys()].sort();
    return {
      policy: excluding[0]?.[0] ?? "",
      reasons: [`node(s) didn't satisfy plugin(s) [${names.join(" ")}]`],
      unresolvable: true,
    };
  }
  for (const { policy } of policies) {
    if (policy.filter === undefined || skipped.has(policy.name)) continue;
    const verdict = guarded(policy.name, "Filter", () => policy.filter?.(pod.pod, node, cycle));
    if (verdict !== undefined) return { ...toRejection(verdict), policy: policy.name };
  }
  return undefined;
}

function scoreAll(
  pod: PodInfo,
  feasible: readonly NodeSnapshot[],
  policies: readonly WeightedPolicy[],
  cycle: Cycle,
): Map<string, PolicyScore[]> {
  const byNode = new Map<string, PolicyScore[]>(feasible.map(({ name }) => [name, []]));
  if (feasible.length === 0) return byNode;
  for (const { policy, weight } of policies) {
    if (policy.score === undefined || weight === 0) continue;
    const skip = guarded(policy.name, "PreScore", () => policy.preScore?.(pod.pod, feasible, cycle)?.skip);
    if (skip === true) continue;
    const scores = plainScores(policy, pod, feasible, cycle, unlimitedTime);
    feasible.forEach(({ name }, index) => {
      const score = scores[index] ?? 0;
      byNode.get(name)?.push({ policy: policy.name, weight, score, weighted: weight * score });
    });
  }
  return byNode;
}

function isRejection(result: Rejection | PreFilterResult): result is Rejection {
  return "reasons" in result;
}
