import type { Pod } from "../../api/index.js";
import type { NodeVerdict, Rejection } from "../framework/policy.js";
import type { VerdictTable } from "./verdicts.js";

/** Why no node was found for a pod. */
export interface Unschedulable {
  readonly nodeCount: number;
  /** How many nodes have each verdict. */
  readonly verdicts: ReadonlyMap<number, number>;
  /** Set when a preFilter said no for all nodes. */
  readonly preFilter?: { readonly policy: string; readonly rejection: Rejection };
  /** Nodes that were not looked at because these policies narrowed the choice. */
  readonly narrowedBy: readonly string[];
  /** Set when `codeWithout` depends on nothing but the kind of pod, its priority, and what is on the one node. */
  readonly likeness: object | undefined;
  /** What the code would be without these pods on the node. */
  readonly codeWithout: (slot: number, gone: readonly Pod[]) => number;
  /** Code of one node; below 0 there is none, 0 when it was not rejected by a filter. */
  readonly codeOf: (slot: number) => number;
}

/** Which policies stood in the way: events that they wait for may help. */
export function rejectingPolicies(failure: Unschedulable, verdicts: VerdictTable): Set<string> {
  const policies = new Set<string>(failure.narrowedBy);
  if (failure.preFilter !== undefined) policies.add(failure.preFilter.policy);
  for (const code of failure.verdicts.keys()) policies.add(verdicts.get(code).policy);
  return policies;
}

/** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.`, in upstream's words and order. */
export function fitMessage(failure: Unschedulable, verdicts: VerdictTable): string {
  if (failure.nodeCount === 0) return "no nodes available to schedule pods";
  const head = `0/${failure.nodeCount} nodes are available:`;
  if (failure.preFilter !== undefined) return `${head} ${failure.preFilter.rejection.reasons.join(", ")}.`;
  const tallied: { verdict: NodeVerdict; count: number }[] = [];
  let seen = 0;
  for (const [code, count] of failure.verdicts) {
    tallied.push({ verdict: verdicts.get(code), count });
    seen += count;
  }
  const left = failure.nodeCount - seen;
  if (failure.narrowedBy.length > 0 && left > 0) {
    const reasons = [`node(s) didn't satisfy plugin(s) [${[...failure.narrowedBy].sort().join(" ")}]`];
    tallied.push({ verdict: { policy: "", reasons, unresolvable: true }, count: left });
  }
  return `${head}${histogram(tallied)}`;
}

export function histogram(tallied: readonly { readonly verdict: Rejection; readonly count: number }[]): string {
  const counts = new Map<string, number>();
  for (const { verdict, count } of tallied) {
    for (const reason of verdict.reasons) counts.set(reason, (counts.get(reason) ?? 0) + count);
  }
  const parts = [...counts].map(([reason, count]) => `${count} ${reason}`).sort();
  return parts.length === 0 ? "" : ` ${parts.join(", ")}.`;
}

/** Counts one more node with the verdict. */
export function bump(counts: Map<number, number>, code: number): void {
  if (code > 0) counts.set(code, (counts.get(code) ?? 0) + 1);
}
