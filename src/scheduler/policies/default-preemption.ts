import type { Pod, PodDisruptionBudget } from "../../api/index.js";
import { safeSelector } from "../cache/affinity-term.js";
import { histogram } from "../engine/fit-error.js";
import type { Cycle, PostFilterResult, Rejection, ScheduleFailure, SchedulingPolicy } from "../framework/policy.js";
import { type Candidate, CandidateMemory, priorityOf } from "./preemption-candidates.js";

export interface DefaultPreemptionArgs {
  /** How many of the nodes to try, at the least; default 10. */
  readonly minCandidateNodesPercentage?: number;
  /** And how many at the least in number; default 100. */
  readonly minCandidateNodesAbsolute?: number;
}

const noVictims: Rejection = { reasons: ["No preemption victims found for incoming pod"] };
const notHelpful: Rejection = { reasons: ["Preemption is not helpful for scheduling"] };

/** Makes room for a pod by evicting pods of lower priority, as few and as unimportant as possible. */
export function defaultPreemption(args: DefaultPreemptionArgs = {}): SchedulingPolicy {
  const memory = new CandidateMemory();
  return {
    name: "DefaultPreemption",
    postFilter(pod, failure, cycle) {
      const refusal = ineligible(pod, failure, cycle);
      if (refusal !== undefined) return { message: `preemption: ${refusal}` };
      return preempt(pod, failure, cycle, args, memory);
    },
    // What makes room for a pod is told to the policies that refused it.
    requeueWhen: [],
  };
}

/** A pod that has been promised a node waits for the victims there to go before it may ask for more. */
function ineligible(pod: Pod, failure: ScheduleFailure, cycle: Cycle): string | undefined {
  if (pod.spec?.preemptionPolicy === "Never") return "not eligible due to preemptionPolicy=Never.";
  const nominated = pod.status?.nominatedNodeName;
  if (!nominated || failure.verdictOf(nominated)?.unresolvable === true) return undefined;
  const leaving = cycle.snapshot
    .node(nominated)
    ?.pods.some((other) => other.metadata.deletionTimestamp !== undefined && priorityOf(other) < priorityOf(pod));
  return leaving ? "not eligible due to a terminating pod on the nominated node." : undefined;
}

function preempt(
  pod: Pod,
  failure: ScheduleFailure,
  cycle: Cycle,
  args: DefaultPreemptionArgs,
  memory: CandidateMemory,
): PostFilterResult {
  const count = failure.resolvableCount;
  const share = Math.trunc((count * (args.minCandidateNodesPercentage ?? 10)) / 100);
  const enough = Math.min(count, Math.max(share, args.minCandidateNodesAbsolute ?? 100));
  const tallied: { readonly verdict: Rejection; readonly count: number }[] = [];
  const start = failure.random.next();
  if (!failure.hasPodBelow(priorityOf(pod))) {
    if (count > 0) tallied.push({ verdict: noVictims, count });
  } else {
    const budgets = [...cycle.snapshot.listers.podDisruptionBudgets.list()];
    const candidates = memory.of(pod, failure, budgets);
    const best = candidates.best(failure, start, enough, ({ name }) => candidateOn(pod, name, failure, cycle, budgets));
    if (best !== undefined) return { nominatedNodeName: best.nodeName, victims: best.victims };
    for (const verdict of candidates.rejections()) tallied.push({ verdict, count: 1 });
  }
  if (failure.nodeCount > count) tallied.push({ verdict: notHelpful, count: failure.nodeCount - count });
  return { message: `preemption: 0/${failure.nodeCount} nodes are available:${histogram(tallied)}` };
}

function candidateOn(
  pod: Pod,
  nodeName: string,
  failure: ScheduleFailure,
  cycle: Cycle,
  budgets: readonly PodDisruptionBudget[],
): Candidate | Rejection {
  const priority = priorityOf(pod);
  const lower = (cycle.snapshot.node(nodeName)?.pods ?? []).filter((other) => priorityOf(other) < priority);
  if (lower.length === 0) return noVictims;
  const verdict = failure.verdictWithout(nodeName, lower);
  if (verdict !== undefined) return verdict;
  lower.sort((a, b) => moreImportant(a, b, failure.nowMs));
  const [violating, harmless] = byBudget(lower, budgets);
  // Spare what can be spared: first those whose eviction would break a budget, each time the more important.
  const gone = new Set(lower);
  let violations = 0;
  for (const other of [...violating, ...harmless]) {
    gone.delete(other);
    if (failure.verdictWithout(nodeName, [...gone]) === undefined) continue;
    gone.add(other);
    if (violating.includes(other)) violations++;
  }
  const victims = lower.filter((other) => gone.has(other));
  const highest = Math.max(...victims.map(priorityOf));
  const starts = victims
    .filter((victim) => priorityOf(victim) === highest)
    .map((victim) => startOf(victim, failure.nowMs));
  // The offset makes every victim count, also those of negative priority.
  const sum = victims.reduce((total, victim) => total + priorityOf(victim) + 2 ** 31, 0);
  return { nodeName, victims, violations, highest, sum, earliestStartMs: Math.min(...starts) };
}

/** Pods whose eviction would exceed a budget, given those before them are evicted too; and the others. */
function byBudget(pods: readonly Pod[], budgets: readonly PodDisruptionBudget[]): [violating: Pod[], harmless: Pod[]] {
  const allowed = budgets.map(({ status }) => status?.disruptionsAllowed ?? 0);
  const selectors = budgets.map(({ spec }) => safeSelector(spec?.selector));
  const violating: Pod[] = [];
  const harmless: Pod[] = [];
  for (const pod of pods) {
    const { labels, name, namespace } = pod.metadata;
    let violates = false;
    budgets.forEach(({ metadata, status }, index) => {
      const selector = selectors[index];
      if (labels === undefined || metadata.namespace !== namespace || selector === undefined) return;
      if (selector.empty || !selector.matches(labels)) return;
      // It has been taken off the budget already.
      if (status?.disruptedPods !== undefined && Object.hasOwn(status.disruptedPods, name)) return;
      allowed[index] = (allowed[index] ?? 0) - 1;
      if ((allowed[index] ?? 0) < 0) violates = true;
    });
    (violates ? violating : harmless).push(pod);
  }
  return [violating, harmless];
}

/** Among equals the uid decides, so that the same cluster always gives the same victims. */
function moreImportant(a: Pod, b: Pod, nowMs: number): number {
  const order = priorityOf(b) - priorityOf(a) || startOf(a, nowMs) - startOf(b, nowMs);
  return order !== 0 ? order : a.metadata.uid < b.metadata.uid ? -1 : 1;
}

function startOf(pod: Pod, nowMs: number): number {
  return pod.status?.startTime === undefined ? nowMs : Date.parse(pod.status.startTime);
}
