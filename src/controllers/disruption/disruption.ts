import {
  type Condition,
  deployments,
  keyOf,
  type Pod,
  type PodDisruptionBudget,
  type PodDisruptionBudgetStatus,
  podDisruptionBudgets,
  pods,
  replicaSets,
  replicationControllers,
  selectorFromLabelSelector,
  statefulSets,
} from "../../api/index.js";
import { timestamp } from "../../internal/clock.js";
import type { Controller } from "../controller.js";
import { defineStatefulController, type ReconcileContext, type ReconcileResult } from "../define-controller.js";
import { setCondition } from "../shared/conditions.js";
import { type Discovery, discoverFrom } from "../shared/discovery.js";
import { equalJson } from "../shared/hash.js";
import { scaledValue } from "../shared/int-or-percent.js";
import { messageOf } from "../shared/pod-control.js";
import { isFinished, isReady, isTerminating } from "../shared/pods.js";
import { writeStatus } from "../shared/write-status.js";
import { expectedScale } from "./expected-scale.js";
import { isPodKey, StaleDisruptions } from "./stale-disruptions.js";

/** An eviction that the API server granted and that nobody carried out is forgotten after this. */
const disruptedMs = 2 * 60_000;

/** Says for every PodDisruptionBudget how many pods may be evicted now. */
export const disruptionController: Controller = defineStatefulController<PodDisruptionBudget>({
  name: "disruption-controller",
  aliases: ["disruption"],
  eventSource: "controllermanager",
  for: podDisruptionBudgets,
  prepare: (context, enqueue) => {
    const budgets = context.informer(podDisruptionBudgets);
    const podInformer = context.informer(pods);
    const discovery = discoverFrom(context);
    const about = (pod: Pod): void => {
      for (const budget of budgets.list(pod.metadata.namespace)) {
        if (selectorFromLabelSelector(budget.spec?.selector).matches(pod.metadata.labels)) enqueue(keyOf(budget));
      }
    };
    const stale = new StaleDisruptions(podInformer);
    podInformer.addHandler({
      add: (pod) => {
        about(pod);
        stale.look(pod, enqueue);
      },
      update: (old, pod) => {
        stale.look(pod, enqueue);
        const sameLabels = equalJson(old.metadata.labels, pod.metadata.labels);
        const counts =
          isReady(old) === isReady(pod) &&
          isTerminating(old) === isTerminating(pod) &&
          isFinished(old) === isFinished(pod);
        if (sameLabels && counts) return;
        about(pod);
        if (!sameLabels) about(old);
      },
      delete: about,
    });
    // A new size of what controls the pods is a new expectation of them.
    const resized = (
      old: { spec?: { replicas?: number } },
      object: { spec?: { replicas?: number }; metadata: { namespace?: string } },
    ): void => {
      if (old.spec?.replicas === object.spec?.replicas) return;
      for (const budget of budgets.list(object.metadata.namespace)) enqueue(keyOf(budget));
    };
    context.informer(deployments).addHandler({ update: resized });
    context.informer(replicaSets).addHandler({ update: resized });
    context.informer(statefulSets).addHandler({ update: resized });
    context.informer(replicationControllers).addHandler({ update: resized });
    return async (key, reconcile) => {
      if (isPodKey(key)) return stale.reconcile(key, reconcile);
      const budget = budgets.get(key);
      if (budget === undefined || budget.metadata.deletionTimestamp !== undefined) return;
      const selector = selectorFromLabelSelector(budget.spec?.selector);
      const selected = [...podInformer.list(budget.metadata.namespace)].filter((pod) =>
        selector.matches(pod.metadata.labels),
      );
      if (selected.length === 0) reconcile.events.event(budget, "Normal", "NoPods", "No matching pods found");
      return sync(budget, selected, discovery, reconcile);
    };
  },
});

async function sync(
  budget: PodDisruptionBudget,
  selected: readonly Pod[],
  discovery: Discovery,
  context: ReconcileContext,
): Promise<ReconcileResult> {
  const { client, clock, events, signal } = context;
  let expectation: { readonly expected: number; readonly desired: number };
  try {
    expectation = await expect(budget, selected, discovery, context);
  } catch (error) {
    signal.throwIfAborted();
    const message = `Failed to calculate the number of expected pods: ${messageOf(error)}`;
    events.event(budget, "Warning", "CalculateExpectedPodCountFailed", message);
    const condition = conditionOf(budget, "False", "SyncFailed", messageOf(error), timestamp(clock));
    const before = budget.status;
    const { currentHealthy = 0, desiredHealthy = 0, expectedPods = 0 } = before ?? {};
    // Nobody knows what is safe, so nothing is.
    const status = {
      ...before,
      currentHealthy,
      desiredHealthy,
      expectedPods,
      disruptionsAllowed: 0,
      conditions: setCondition(before?.conditions, condition),
    };
    await writeStatus(client, podDisruptionBudgets, budget, status, signal);
    throw error;
  }
  const { disruptedPods, recheckMs } = stillDisrupted(budget, selected, clock.now());
  const healthy = selected.filter(
    (pod) => isReady(pod) && !isTerminating(pod) && !isFinished(pod) && disruptedPods[pod.metadata.name] === undefined,
  );
  const { expected, desired } = expectation;
  const allowed = expected <= 0 ? 0 : Math.max(0, healthy.length - desired);
  const condition = conditionOf(
    budget,
    allowed > 0 ? "True" : "False",
    allowed > 0 ? "SufficientPods" : "InsufficientPods",
    "",
    timestamp(clock),
  );
  const status: PodDisruptionBudgetStatus = {
    currentHealthy: healthy.length,
    desiredHealthy: desired,
    expectedPods: expected,
    disruptionsAllowed: allowed,
    ...(Object.keys(disruptedPods).length === 0 ? {} : { disruptedPods }),
    observedGeneration: budget.metadata.generation ?? 0,
    conditions: setCondition(budget.status?.conditions, condition),
  };
  // Not over a newer one: the API server counts evictions in this status, and one must not be lost.
  if (!equalJson(budget.status, status))
    await client.update(podDisruptionBudgets, { ...budget, status }, { subresource: "status", signal });
  return recheckMs === undefined ? undefined : { requeueAfterMs: recheckMs };
}

async function expect(
  { spec = {}, ...budget }: PodDisruptionBudget,
  selected: readonly Pod[],
  discovery: Discovery,
  context: ReconcileContext,
): Promise<{ readonly expected: number; readonly desired: number }> {
  const { maxUnavailable, minAvailable } = spec;
  if (maxUnavailable === undefined && typeof minAvailable === "number")
    return { expected: selected.length, desired: minAvailable };
  if (maxUnavailable === undefined && minAvailable === undefined) return { expected: selected.length, desired: 0 };
  const { total, unmanaged } = await expectedScale(selected, discovery, context);
  if (unmanaged.length > 0) {
    const selector = selectorFromLabelSelector(spec.selector).toString();
    const message = `Pods selected by this PodDisruptionBudget (selector: ${selector}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.`;
    context.events.event({ ...budget, spec } as PodDisruptionBudget, "Warning", "UnmanagedPods", message);
  }
  if (maxUnavailable !== undefined)
    return { expected: total, desired: Math.max(0, total - scaledValue(maxUnavailable, total, "up")) };
  return { expected: total, desired: scaledValue(minAvailable, total, "up") };
}

/** Pods whose eviction was granted and that do not show it yet, and when the first of them is forgotten. */
function stillDisrupted(
  { status }: PodDisruptionBudget,
  selected: readonly Pod[],
  now: number,
): { readonly disruptedPods: { readonly [name: string]: string }; readonly recheckMs: number | undefined } {
  const granted = new Map(Object.entries(status?.disruptedPods ?? {}));
  const kept: [string, string][] = [];
  let recheckMs: number | undefined;
  for (const pod of selected) {
    const { name } = pod.metadata;
    const at = granted.get(name);
    if (at === undefined || isTerminating(pod)) continue;
    const leftMs = Date.parse(at) + disruptedMs - now;
    if (leftMs <= 0) continue;
    kept.push([name, at]);
    recheckMs = Math.min(recheckMs ?? leftMs, leftMs);
  }
  return { disruptedPods: Object.fromEntries(kept), recheckMs };
}

function conditionOf(
  budget: PodDisruptionBudget,
  status: string,
  reason: string,
  message: string,
  lastTransitionTime: string,
): Condition {
  return {
    type: "DisruptionAllowed",
    status,
    reason,
    message,
    lastTransitionTime,
    observedGeneration: budget.metadata.generation ?? 0,
  };
}
