import {
  type ControllerRevision,
  controllerRevisions,
  keyOf,
  type Pod,
  persistentVolumeClaims,
  pods,
  type StatefulSet,
  type StatefulSetStatus,
  selectorFromLabelSelector,
  statefulSets,
} from "../../api/index.js";
import type { Controller } from "../controller.js";
import { defineStatefulController, type ReconcileContext, type ReconcileResult } from "../define-controller.js";
import { currentRevision, inRevisionOrder, templateOf, truncateHistory } from "../shared/history.js";
import { claim, controllerOf, indexByController } from "../shared/owners.js";
import { availableAt, isFinished, isReady, isTerminating } from "../shared/pods.js";
import { writeStatus } from "../shared/write-status.js";
import { ordinalOf, revisionLabel } from "./identity.js";
import { Replicas } from "./replicas.js";

const hashLabel = "controller.kubernetes.io/hash";

/** Keeps numbered pods, each with its name and its volumes, in order. */
export const statefulSetController: Controller = defineStatefulController<StatefulSet>({
  name: "statefulset-controller",
  aliases: ["statefulset"],
  for: statefulSets,
  owns: [pods, controllerRevisions],
  prepare: (context, enqueue) => {
    const sets = context.informer(statefulSets);
    const podInformer = context.informer(pods);
    const revisions = context.informer(controllerRevisions);
    context.informer(persistentVolumeClaims);
    indexByController(podInformer);
    indexByController(revisions);
    const orphan = (pod: Pod): void => {
      if (controllerOf(pod) !== undefined) return;
      for (const set of sets.list(pod.metadata.namespace)) {
        if (selectorFromLabelSelector(set.spec?.selector).matches(pod.metadata.labels)) enqueue(keyOf(set));
      }
    };
    podInformer.addHandler({ add: orphan, update: (_, pod) => orphan(pod) });
    return async (key, reconcile) => {
      const set = sets.get(key);
      if (set === undefined) return;
      const { client, signal } = reconcile;
      const selector = selectorFromLabelSelector(set.spec?.selector);
      const common = { client, owner: set, ownerResource: statefulSets, selector, signal };
      const history = inRevisionOrder(await claim({ ...common, resource: controllerRevisions, informer: revisions }));
      const adoptable = (pod: Pod): boolean => ordinalOf(set, pod) !== undefined;
      const owned = await claim({ ...common, resource: pods, informer: podInformer, adoptable });
      return sync(set, history, owned, reconcile);
    };
  },
});

async function sync(
  set: StatefulSet,
  history: readonly ControllerRevision[],
  owned: readonly Pod[],
  context: ReconcileContext,
): Promise<ReconcileResult> {
  const { client, signal } = context;
  const template = set.spec?.template ?? {};
  const collisionCount = set.status?.collisionCount ?? 0;
  const options = { client, owner: set, ownerResource: statefulSets, template, hashLabel, collisionCount, signal };
  const { revision: update, collisions } = await currentRevision(options, history);
  const current = history.find(({ metadata }) => metadata.name === set.status?.currentRevision) ?? update;
  let failure: { readonly error: unknown } | undefined;
  if (set.metadata.deletionTimestamp === undefined) {
    const revisions = {
      current: current.metadata.name,
      update: update.metadata.name,
      currentTemplate: templateOf(current),
      updateTemplate: template,
    };
    try {
      await new Replicas(set, owned, revisions, context).reconcile();
    } catch (error) {
      failure = { error };
    }
  }
  const result = await updateStatus(set, owned, current, update, collisions, context);
  if (failure !== undefined) throw failure.error;
  const live = new Set([current.metadata.name, update.metadata.name]);
  for (const pod of owned) live.add(pod.metadata.labels?.[revisionLabel] ?? "");
  const limit = set.spec?.revisionHistoryLimit ?? 10;
  await truncateHistory(client, history, ({ metadata }) => live.has(metadata.name), limit, signal);
  return result;
}

async function updateStatus(
  set: StatefulSet,
  owned: readonly Pod[],
  current: ControllerRevision,
  update: ControllerRevision,
  collisions: number,
  context: ReconcileContext,
): Promise<ReconcileResult> {
  const now = context.clock.now();
  const minReadySeconds = set.spec?.minReadySeconds ?? 0;
  let [replicas, ready, available, atCurrent, atUpdate, nextAt] = [0, 0, 0, 0, 0, Number.POSITIVE_INFINITY];
  for (const pod of owned) {
    if (isFinished(pod)) continue;
    replicas++;
    const at = availableAt(pod, minReadySeconds);
    if (isReady(pod) && pod.status?.phase === "Running") {
      ready++;
      if (at !== undefined && at <= now) available++;
      else if (at !== undefined) nextAt = Math.min(nextAt, at);
    }
    if (isTerminating(pod)) continue;
    const revision = pod.metadata.labels?.[revisionLabel];
    if (revision === current.metadata.name) atCurrent++;
    if (revision === update.metadata.name) atUpdate++;
  }
  const rolling = set.spec?.updateStrategy?.type !== "OnDelete";
  // An update is over when all pods are of it and up: then it is what the set is at.
  const complete = rolling && atUpdate === replicas && ready === replicas && replicas === (set.spec?.replicas ?? 1);
  const counts = {
    observedGeneration: set.metadata.generation ?? 0,
    readyReplicas: ready,
    currentReplicas: complete ? atUpdate : atCurrent,
    updatedReplicas: atUpdate,
  };
  const status: StatefulSetStatus = {
    replicas,
    availableReplicas: available,
    ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)),
    currentRevision: complete ? update.metadata.name : current.metadata.name,
    updateRevision: update.metadata.name,
    collisionCount: collisions,
    ...(set.status?.conditions === undefined ? {} : { conditions: set.status.conditions }),
  };
  await writeStatus(context.client, statefulSets, set, status, context.signal);
  return nextAt === Number.POSITIVE_INFINITY ? undefined : { requeueAfterMs: nextAt - now };
}
