import {
  type ControllerRevision,
  controllerRevisions,
  type DaemonSet,
  type DaemonSetStatus,
  daemonSets,
  keyOf,
  nodes,
  type Pod,
  type PodTemplateSpec,
  pods,
  selectorFromLabelSelector,
} from "../../api/index.js";
import type { Controller, ControllerContext } from "../controller.js";
import {
  defineStatefulController,
  type Reconcile,
  type ReconcileContext,
  type ReconcileResult,
} from "../define-controller.js";
import { Expectations } from "../shared/expectations.js";
import { equalJson } from "../shared/hash.js";
import { currentRevision, inRevisionOrder, isOfTemplate, truncateHistory } from "../shared/history.js";
import { claim, controllerOf, indexByController } from "../shared/owners.js";
import { createPod, deletePod, isNamespaceTerminating, podFromTemplate } from "../shared/pod-control.js";
import { isAvailable, isReady, isTerminating } from "../shared/pods.js";
import { slowStart } from "../shared/slow-start.js";
import { deleteExactly, writeStatus } from "../shared/write-status.js";
import { placementOn, specFor } from "./placement.js";
import { type DaemonState, groupByNode, isUpdated, planPlacement, planUpdate } from "./plan.js";

const hashLabel = "controller-revision-hash";
const generationLabel = "pod-template-generation";
const generationAnnotation = "deprecated.daemonset.template.generation";
const burst = 250;
/** A daemon that fails at once is tried again ever more slowly. */
const failedBackoff = { firstMs: 1_000, maxMs: 15 * 60_000 };

/** Runs one pod of a set on every node that fits. */
export const daemonSetController: Controller = defineStatefulController<DaemonSet>({
  name: "daemonset-controller",
  account: "daemon-set-controller",
  aliases: ["daemonset"],
  for: daemonSets,
  // Who touches revisions is left alone until there is something else to do: as upstream, and its clients count on it.
  owns: [pods],
  concurrency: 2,
  prepare: (context, enqueue) => new DaemonSets(context, enqueue).reconcile,
});

class DaemonSets {
  readonly #expectations: Expectations;
  readonly #failures = new Map<string, { readonly waitMs: number; readonly until: number }>();
  readonly #context: ControllerContext;

  constructor(context: ControllerContext, enqueue: (key: string) => void) {
    this.#context = context;
    this.#expectations = new Expectations(context.clock);
    const sets = context.informer(daemonSets);
    const podInformer = context.informer(pods);
    indexByController(podInformer);
    indexByController(context.informer(controllerRevisions));
    const enqueueAll = (): void => {
      for (const key of sets.keys()) enqueue(key);
    };
    context.informer(nodes).addHandler({
      add: (_, initial) => initial || enqueueAll(),
      update: (old, node) => {
        const same = old.spec === node.spec || equalJson(old.spec, node.spec);
        if (!same || !equalJson(old.metadata.labels, node.metadata.labels)) enqueueAll();
      },
      delete: enqueueAll,
    });
    const orphan = (pod: Pod): void => {
      for (const set of sets.list(pod.metadata.namespace)) {
        if (selectorFromLabelSelector(set.spec?.selector).matches(pod.metadata.labels)) enqueue(keyOf(set));
      }
    };
    podInformer.addHandler({
      add: (pod) => {
        const owner = controllerOf(pod);
        if (isTerminating(pod)) this.#deleting(pod);
        else if (owner !== undefined) this.#expectations.creationObserved(owner.uid);
        else orphan(pod);
      },
      update: (_, pod) => {
        if (isTerminating(pod)) this.#deleting(pod);
        else if (controllerOf(pod) === undefined) orphan(pod);
      },
      delete: (pod) => this.#deleting(pod),
    });
  }

  #deleting(pod: Pod): void {
    const owner = controllerOf(pod);
    if (owner !== undefined) this.#expectations.deletionObserved(owner.uid, pod.metadata.uid);
  }

  readonly reconcile: Reconcile = async (key, context) => {
    const daemonSet = context.informer(daemonSets).get(key);
    if (daemonSet === undefined || daemonSet.metadata.deletionTimestamp !== undefined) return;
    const selector = selectorFromLabelSelector(daemonSet.spec?.selector);
    if (selector.empty) {
      const message = "This daemon set is selecting all pods. A non-empty selector is required.";
      context.events.event(daemonSet, "Warning", "SelectingAll", message);
      return;
    }
    const upToDate = this.#expectations.satisfied(daemonSet.metadata.uid);
    const common = {
      client: context.client,
      owner: daemonSet,
      ownerResource: daemonSets,
      selector,
      signal: context.signal,
    };
    const history = inRevisionOrder(
      await claim({ ...common, resource: controllerRevisions, informer: context.informer(controllerRevisions) }),
    );
    const template = daemonSet.spec?.template ?? {};
    const collisionCount = daemonSet.status?.collisionCount ?? 0;
    const { revision, collisions } = await currentRevision({ ...common, template, hashLabel, collisionCount }, history);
    const claimed = await claim({ ...common, resource: pods, informer: context.informer(pods) });
    const owned = await oneRevision(template, history, revision, claimed, context);
    const state: DaemonState = {
      daemonSet,
      nodes: [...context.informer(nodes).list()],
      byNode: groupByNode(owned),
      hash: revision.metadata.labels?.[hashLabel] ?? "",
      nowMs: context.clock.now(),
    };
    let retryMs: number | undefined;
    let failure: { readonly error: unknown } | undefined;
    if (upToDate) ({ retryMs, failure } = await this.#manage(state, context));
    const limit = daemonSet.spec?.revisionHistoryLimit ?? 10;
    await truncateHistory(context.client, history, (one) => isLive(one, revision, owned), limit, context.signal);
    const next = await updateStatus(state, collisions, context);
    if (failure !== undefined) throw failure.error;
    return soonest(retryMs, next);
  };

  async #manage(
    state: DaemonState,
    context: ReconcileContext,
  ): Promise<{ readonly retryMs: number | undefined; readonly failure: { readonly error: unknown } | undefined }> {
    const { daemonSet } = state;
    const { events } = context;
    const plan = planPlacement(state);
    const remove = [...plan.remove];
    let retryMs: number | undefined;
    for (const pod of [...plan.failed, ...plan.succeeded]) {
      const failed = plan.failed.includes(pod);
      const waitMs = failed ? this.#failureWaitMs(pod) : 0;
      if (waitMs > 0) {
        retryMs = Math.min(retryMs ?? waitMs, waitMs);
        continue;
      }
      const { namespace, name } = pod.metadata;
      const [kind, reason, verb] = failed
        ? (["Warning", "FailedDaemonPod", "kill"] as const)
        : (["Normal", "SucceededDaemonPod", "delete"] as const);
      const what = failed ? "failed" : "succeeded";
      events.event(
        daemonSet,
        kind,
        reason,
        `Found ${what} daemon pod ${namespace}/${name} on node ${pod.spec?.nodeName ?? ""}, will try to ${verb} it`,
      );
      remove.push(pod);
    }
    const settled = plan.create.length === 0 && remove.length === 0;
    const rolling = daemonSet.spec?.updateStrategy?.type !== "OnDelete";
    const step = settled && rolling ? planUpdate(state) : { create: [], remove: [] };
    const failure = await this.#act([...plan.create, ...step.create], [...remove, ...step.remove], state, context);
    return { retryMs, failure };
  }

  #failureWaitMs(pod: Pod): number {
    const key = `${controllerOf(pod)?.uid ?? ""}/${pod.spec?.nodeName ?? ""}`;
    const now = this.#context.clock.now();
    const known = this.#failures.get(key);
    if (known !== undefined && now < known.until) return known.until - now;
    // Twice the longest wait without a failure, and it counts from the beginning again.
    const isOld = known !== undefined && now - known.until > 2 * failedBackoff.maxMs;
    const waitMs =
      known === undefined || isOld ? failedBackoff.firstMs : Math.min(known.waitMs * 2, failedBackoff.maxMs);
    this.#failures.set(key, { waitMs, until: now + waitMs });
    for (const [one, { until }] of this.#failures)
      if (now - until > 2 * failedBackoff.maxMs) this.#failures.delete(one);
    return 0;
  }

  async #act(
    create: readonly string[],
    remove: readonly Pod[],
    { daemonSet, hash }: DaemonState,
    context: ReconcileContext,
  ): Promise<{ readonly error: unknown } | undefined> {
    const { uid } = daemonSet.metadata;
    const call = { client: context.client, events: context.events, owner: daemonSet, signal: context.signal };
    const names = create.slice(0, burst);
    const victims = remove.slice(0, burst);
    this.#expectations.expectCreations(uid, names.length);
    this.#expectations.expectDeletions(
      uid,
      victims.map((pod) => pod.metadata.uid),
    );
    const template = podFromTemplate(daemonSet, daemonSets, daemonSet.spec?.template ?? {});
    const generation = daemonSet.metadata.annotations?.[generationAnnotation];
    const labels = {
      ...template.metadata.labels,
      [hashLabel]: hash,
      ...(generation === undefined ? {} : { [generationLabel]: generation }),
    };
    let tried = 0;
    const { error } = await slowStart(names.length, async (index) => {
      tried++;
      try {
        const spec = specFor(template.spec ?? { containers: [] }, names[index] ?? "");
        await createPod(call, { ...template, metadata: { ...template.metadata, labels }, spec });
      } catch (failure) {
        this.#expectations.creationObserved(uid);
        if (!isNamespaceTerminating(failure)) throw failure;
      }
    });
    for (; tried < names.length; tried++) this.#expectations.creationObserved(uid);
    let failure: { readonly error: unknown } | undefined = error === undefined ? undefined : { error };
    await Promise.all(
      victims.map(async (pod) => {
        try {
          if (!(await deletePod(call, pod))) this.#expectations.deletionObserved(uid, pod.metadata.uid);
        } catch (problem) {
          this.#expectations.deletionObserved(uid, pod.metadata.uid);
          failure ??= { error: problem };
        }
      }),
    );
    return failure;
  }
}

/** Deletes other revisions of the present template, after their pods were made those of `current`. Gives back the pods as they are then. */
async function oneRevision(
  template: PodTemplateSpec,
  history: readonly ControllerRevision[],
  current: ControllerRevision,
  owned: readonly Pod[],
  { client, signal }: ReconcileContext,
): Promise<readonly Pod[]> {
  const others = history.filter((one) => one.metadata.name !== current.metadata.name && isOfTemplate(one, template));
  if (others.length === 0) return owned;
  const hash = current.metadata.labels?.[hashLabel] ?? "";
  const hashes = new Set(others.map(({ metadata }) => metadata.labels?.[hashLabel]));
  const body = { metadata: { labels: { [hashLabel]: hash } } };
  const relabelled = await Promise.all(
    owned.map((pod) =>
      hashes.has(pod.metadata.labels?.[hashLabel])
        ? client.patch(pods, pod.metadata, { type: "strategic", body }, { signal })
        : pod,
    ),
  );
  for (const revision of others) await deleteExactly(client, controllerRevisions, revision, { signal });
  return relabelled;
}

function isLive(revision: ControllerRevision, current: ControllerRevision, owned: readonly Pod[]): boolean {
  const hash = revision.metadata.labels?.[hashLabel] ?? "";
  return revision.metadata.name === current.metadata.name || owned.some((pod) => isUpdated(pod, hash));
}

function soonest(a: number | undefined, b: number | undefined): ReconcileResult {
  if (a === undefined && b === undefined) return undefined;
  return { requeueAfterMs: Math.min(a ?? Number.POSITIVE_INFINITY, b ?? Number.POSITIVE_INFINITY) };
}

/** Gives back when a pod that is ready becomes available. */
async function updateStatus(
  state: DaemonState,
  collisions: number,
  context: ReconcileContext,
): Promise<number | undefined> {
  const { daemonSet, nodes: all, byNode, hash, nowMs } = state;
  const minReadySeconds = daemonSet.spec?.minReadySeconds ?? 0;
  let [desired, current, misscheduled, ready, available, updated, waiting] = [0, 0, 0, 0, 0, 0, false];
  for (const node of all) {
    const running = (byNode.get(node.metadata.name) ?? []).filter((pod) => !isTerminating(pod));
    if (!placementOn(daemonSet, node).run) {
      if (running.length > 0) misscheduled++;
      continue;
    }
    desired++;
    if (running.length === 0) continue;
    current++;
    // The newest shows how far an update has come, but an old one that serves still counts.
    const newest = running.find((pod) => isUpdated(pod, hash)) ?? running[0];
    if (running.some(isReady)) ready++;
    if (running.some((pod) => isAvailable(pod, minReadySeconds, nowMs))) available++;
    else if (running.some(isReady)) waiting = true;
    if (newest !== undefined && isUpdated(newest, hash)) updated++;
  }
  const optional = {
    updatedNumberScheduled: updated,
    numberAvailable: available,
    numberUnavailable: desired - available,
  };
  const status: DaemonSetStatus = {
    currentNumberScheduled: current,
    numberMisscheduled: misscheduled,
    desiredNumberScheduled: desired,
    numberReady: ready,
    observedGeneration: daemonSet.metadata.generation ?? 0,
    ...Object.fromEntries(Object.entries(optional).filter(([, count]) => count > 0)),
    ...(collisions === 0 ? {} : { collisionCount: collisions }),
    ...(daemonSet.status?.conditions === undefined ? {} : { conditions: daemonSet.status.conditions }),
  };
  await writeStatus(context.client, daemonSets, daemonSet, status, context.signal);
  return waiting ? minReadySeconds * 1000 : undefined;
}
