import type { Pod, PodDisruptionBudget } from "../../api/index.js";
import { randomInt } from "../../internal/random.js";
import { safeSelector } from "../cache/affinity-term.js";
import { histogram } from "../engine/fit-error.js";
import type { Cycle, PostFilterResult, Rejection, ScheduleFailure, SchedulingPolicy } from "../framework/policy.js";

export interface DefaultPreemptionArgs {
  /** How many of the nodes to try, at the least; default 10. */
  readonly minCandidateNodesPercentage?: number;
  /** And how many at the least in number; default 100. */
  readonly minCandidateNodesAbsolute?: number;
}

interface Candidate {
  readonly nodeName: string;
  /** Most important first. */
  readonly victims: readonly Pod[];
  readonly violations: number;
}

const noVictims: Rejection = { reasons: ["No preemption victims found for incoming pod"] };
const notHelpful: Rejection = { reasons: ["Preemption is not helpful for scheduling"] };

/** Makes room for a pod by evicting pods of lower priority, as few and as unimportant as possible. */
export function defaultPreemption(args: DefaultPreemptionArgs = {}): SchedulingPolicy {
  return {
    name: "DefaultPreemption",
    postFilter(pod, failure, cycle) {
      const refusal = ineligible(pod, failure, cycle);
      if (refusal !== undefined) return { message: `preemption: ${refusal}` };
      return preempt(pod, failure, cycle, args);
    },
    requeueWhen: [{ resource: "AssignedPod", actions: ["Delete"] }],
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

function preempt(pod: Pod, failure: ScheduleFailure, cycle: Cycle, args: DefaultPreemptionArgs): PostFilterResult {
  const names = failure.resolvableNodeNames();
  const tallied = [{ verdict: notHelpful, count: failure.nodeCount - names.length }];
  const candidates: Candidate[] = [];
  const enough = Math.min(
    names.length,
    Math.max(
      Math.trunc((names.length * (args.minCandidateNodesPercentage ?? 10)) / 100),
      args.minCandidateNodesAbsolute ?? 100,
    ),
  );
  const budgets = [...cycle.snapshot.listers.podDisruptionBudgets.list()];
  const offset = names.length === 0 ? 0 : randomInt(failure.random, names.length);
  let unviolated = false;
  for (let index = 0; index < names.length && !(unviolated && candidates.length >= enough); index++) {
    const name = names[(offset + index) % names.length] ?? "";
    const found = candidateOn(pod, name, failure, cycle, budgets);
    if ("reasons" in found) tallied.push({ verdict: found, count: 1 });
    else {
      candidates.push(found);
      unviolated ||= found.violations === 0;
    }
  }
  const best = pickOne(candidates, failure.nowMs);
  if (best !== undefined) return { nominatedNodeName: best.nodeName, victims: best.victims };
  const counted = tallied.filter(({ count }) => count > 0);
  return { message: `preemption: 0/${failure.nodeCount} nodes are available:${histogram(counted)}` };
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
  return { nodeName, victims: lower.filter((other) => gone.has(other)), violations };
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

/**
 * Least harm: fewest broken budgets, then the lowest of the highest victims' priorities, the lowest sum of priorities, the fewest
 * victims, and the youngest among the most important victims.
 */
function pickOne(candidates: readonly Candidate[], nowMs: number): Candidate | undefined {
  const keep = (left: readonly Candidate[], measure: (candidate: Candidate) => number): readonly Candidate[] => {
    if (left.length < 2) return left;
    const measures = left.map(measure);
    const least = Math.min(...measures);
    return left.filter((_, index) => measures[index] === least);
  };
  let left = candidates.filter(({ victims }) => victims.length === 0);
  if (left.length > 0) return left[0];
  left = [...keep(candidates, ({ violations }) => violations)];
  left = [...keep(left, ({ victims }) => Math.max(...victims.map(priorityOf)))];
  // The offset makes every victim count, also those of negative priority.
  left = [...keep(left, ({ victims }) => victims.reduce((sum, victim) => sum + priorityOf(victim) + 2 ** 31, 0))];
  left = [...keep(left, ({ victims }) => victims.length)];
  left = [...keep(left, ({ victims }) => -earliestStart(victims, nowMs))];
  return left[0];
}

function earliestStart(victims: readonly Pod[], nowMs: number): number {
  const highest = Math.max(...victims.map(priorityOf));
  return Math.min(
    ...victims.filter((victim) => priorityOf(victim) === highest).map((victim) => startOf(victim, nowMs)),
  );
}

function moreImportant(a: Pod, b: Pod, nowMs: number): number {
  return priorityOf(b) - priorityOf(a) || startOf(a, nowMs) - startOf(b, nowMs);
}

function priorityOf(pod: Pod): number {
  return pod.spec?.priority ?? 0;
}

function startOf(pod: Pod, nowMs: number): number {
  return pod.status?.startTime === undefined ? nowMs : Date.parse(pod.status.startTime);
}
