import {
  type Deployment,
  deployments,
  type Pod,
  pods,
  type ReplicaSet,
  replicaSets,
  selectorFromLabelSelector,
} from "../../api/index.js";
import type { Informer } from "../../client/index.js";
import type { Controller, ControllerContext } from "../controller.js";
import { defineStatefulController, type Reconcile, type ReconcileContext } from "../define-controller.js";
import { findCondition } from "../shared/conditions.js";
import { equalJson } from "../shared/hash.js";
import { claim, controlledBy, controllerOf, indexByController } from "../shared/owners.js";
import { isFinished } from "../shared/pods.js";
import { deleteExactly } from "../shared/write-status.js";
import { proportionalSizes } from "./proportional.js";
import { byAge, desiredAnnotation, numberAnnotation, revisionOf } from "./revisions.js";
import { Rollout } from "./rollout.js";
import { desiredReplicas, isRolling, maxUnavailable, newSize, sizeOf, totalSize } from "./sizes.js";
import {
  calculateStatus,
  deadlineCheckMs,
  isComplete,
  makeCondition,
  progressDeadlineMs,
  rolloutStatus,
  withCondition,
} from "./status.js";

const maxInt32 = 2 ** 31 - 1;

/** Rolls pod templates out over ReplicaSets. */
export const deploymentController: Controller = defineStatefulController<Deployment>({
  name: "deployment-controller",
  aliases: ["deployment"],
  for: deployments,
  owns: [replicaSets],
  prepare: (context, enqueue) => new Deployments(context, enqueue).reconcile,
});

class Deployments {
  readonly #deployments: Informer<Deployment>;
  readonly #replicaSets: Informer<ReplicaSet>;
  readonly #pods: Informer<Pod>;

  constructor(context: ControllerContext, enqueue: (key: string) => void) {
    this.#deployments = context.informer(deployments);
    this.#replicaSets = context.informer(replicaSets);
    this.#pods = context.informer(pods);
    indexByController(this.#replicaSets);
    indexByController(this.#pods);
    const adoptable = (object: ReplicaSet): void => {
      if (controllerOf(object) !== undefined) return;
      const { namespace = "", labels } = object.metadata;
      for (const { metadata, spec } of this.#deployments.list(namespace)) {
        if (selectorFromLabelSelector(spec?.selector).matches(labels)) enqueue(`${namespace}/${metadata.name}`);
      }
    };
    this.#replicaSets.addHandler({ add: adoptable, update: (_, object) => adoptable(object) });
    // Recreate waits for the old pods to be gone; nothing else here looks at pods.
    this.#pods.addHandler({
      update: (old, pod) => {
        if (isFinished(pod) && !isFinished(old)) this.#podGone(pod, enqueue);
      },
      delete: (pod) => this.#podGone(pod, enqueue),
    });
  }

  #podGone(pod: Pod, enqueue: (key: string) => void): void {
    const owner = controllerOf(pod);
    if (owner?.kind !== "ReplicaSet") return;
    const { namespace = "" } = pod.metadata;
    const replicaSet = this.#replicaSets.get(`${namespace}/${owner.name}`);
    const above = replicaSet === undefined ? undefined : controllerOf(replicaSet);
    if (above?.kind !== "Deployment") return;
    const key = `${namespace}/${above.name}`;
    const deployment = this.#deployments.get(key);
    if (deployment !== undefined && !isRolling(deployment)) enqueue(key);
  }

  readonly reconcile: Reconcile = async (key, context) => {
    const deployment = this.#deployments.get(key);
    if (deployment === undefined) return;
    const selector = selectorFromLabelSelector(deployment.spec?.selector);
    if (selector.empty) return refuseEverything(deployment, context);
    const owned = await claim({
      client: context.client,
      owner: deployment,
      ownerResource: deployments,
      resource: replicaSets,
      informer: this.#replicaSets,
      selector,
      signal: context.signal,
    });
    const rollout = new Rollout(deployment, owned, context);
    if (deployment.metadata.deletionTimestamp !== undefined) return syncStatus(rollout);
    await notePause(rollout);
    if (deployment.spec?.paused || isResized(rollout)) return resize(rollout);
    return isRolling(deployment) ? roll(rollout) : this.#recreate(rollout);
  };

  async #recreate(rollout: Rollout): ReturnType<typeof syncRollout> {
    await rollout.syncNewest(false);
    const old = rollout.old.filter((replicaSet) => sizeOf(replicaSet) > 0);
    if (old.length > 0) {
      for (const replicaSet of old) await rollout.scale(replicaSet, 0);
      return syncRollout(rollout);
    }
    for (const replicaSet of rollout.old) {
      for (const pod of controlledBy(this.#pods, replicaSet.metadata.uid))
        if (!isFinished(pod)) return syncRollout(rollout);
    }
    if (rollout.newest === undefined) await rollout.syncNewest(true);
    if (rollout.newest !== undefined) await rollout.scale(rollout.newest, desiredReplicas(rollout.deployment));
    if (isComplete(rollout.deployment, rollout.deployment.status)) await cleanUp(rollout);
    return syncRollout(rollout);
  }
}

async function refuseEverything(deployment: Deployment, context: ReconcileContext): Promise<undefined> {
  const message = "This deployment is selecting all pods. A non-empty selector is required.";
  context.events.event(deployment, "Warning", "SelectingAll", message);
  const { generation = 0 } = deployment.metadata;
  if ((deployment.status?.observedGeneration ?? 0) >= generation) return undefined;
  const rollout = new Rollout(deployment, [], context);
  await rollout.writeStatus({ ...deployment.status, observedGeneration: generation });
  return undefined;
}

async function notePause(rollout: Rollout): Promise<void> {
  const { deployment, context } = rollout;
  if (progressDeadlineMs(deployment) === undefined) return;
  const conditions = deployment.status?.conditions ?? [];
  const current = findCondition(conditions, "Progressing");
  if (current?.reason === "ProgressDeadlineExceeded") return;
  const wasPaused = current?.reason === "DeploymentPaused";
  if (wasPaused === (deployment.spec?.paused ?? false)) return;
  const condition = wasPaused
    ? makeCondition(context.clock, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed")
    : makeCondition(context.clock, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused");
  await rollout.writeStatus({ ...deployment.status, conditions: withCondition(conditions, condition) });
}

/** Whether the Deployment was scaled since its ReplicaSets were last sized. */
function isResized({ deployment, all }: Rollout): boolean {
  const desired = desiredReplicas(deployment);
  return all.some((replicaSet) => {
    if (sizeOf(replicaSet) === 0) return false;
    const noted = numberAnnotation(replicaSet, desiredAnnotation);
    return noted !== undefined && noted !== desired;
  });
}

/** Follows a change of `replicas` without moving the rollout on. */
async function resize(rollout: Rollout): Promise<undefined> {
  await rollout.syncNewest(false);
  await resizeAll(rollout);
  if (rollout.deployment.spec?.paused) await cleanUp(rollout);
  return syncStatus(rollout);
}

async function resizeAll(rollout: Rollout): Promise<void> {
  const { deployment } = rollout;
  const desired = desiredReplicas(deployment);
  const active = rollout.all.filter((replicaSet) => sizeOf(replicaSet) > 0);
  if (active.length <= 1) {
    const latestOld = [...rollout.old].sort(byAge).at(-1);
    const only = active[0] ?? rollout.newest ?? latestOld;
    if (only !== undefined && sizeOf(only) !== desired) await rollout.scale(only, desired);
    else if (only !== undefined) await rollout.scale(only, sizeOf(only));
    return;
  }
  const { newest } = rollout;
  const saturated =
    newest !== undefined &&
    sizeOf(newest) === desired &&
    numberAnnotation(newest, desiredAnnotation) === desired &&
    newest.status?.availableReplicas === desired;
  if (saturated) {
    for (const replicaSet of rollout.old) if (sizeOf(replicaSet) > 0) await rollout.scale(replicaSet, 0);
    return;
  }
  if (!isRolling(deployment)) return;
  for (const [replicaSet, size] of proportionalSizes(deployment, active)) await rollout.scale(replicaSet, size);
}

async function roll(rollout: Rollout): ReturnType<typeof syncRollout> {
  await rollout.syncNewest(true);
  const { newest, deployment } = rollout;
  if (newest === undefined) return syncRollout(rollout);
  const current = sizeOf(newest);
  const desired = desiredReplicas(deployment);
  const target = current > desired ? desired : newSize(deployment, rollout.all, current);
  if (current !== desired && (await rollout.scale(newest, target))) return syncRollout(rollout);
  if (await shrinkOld(rollout, newest)) return syncRollout(rollout);
  if (isComplete(deployment, deployment.status)) await cleanUp(rollout);
  return syncRollout(rollout);
}

/** Takes pods from the old ReplicaSets as far as availability allows: first those that do not work anyway. */
async function shrinkOld(rollout: Rollout, newest: ReplicaSet): Promise<boolean> {
  const { deployment } = rollout;
  const byCreation = (): readonly ReplicaSet[] => rollout.old.filter((one) => sizeOf(one) > 0).sort(byAge);
  if (byCreation().length === 0) return false;
  const minAvailable = desiredReplicas(deployment) - maxUnavailable(deployment);
  const newUnavailable = sizeOf(newest) - (newest.status?.availableReplicas ?? 0);
  const maxDown = totalSize(rollout.all) - minAvailable - newUnavailable;
  if (maxDown <= 0) return false;
  let broken = 0;
  for (const replicaSet of byCreation()) {
    if (broken >= maxDown) break;
    const [size, available] = [sizeOf(replicaSet), replicaSet.status?.availableReplicas ?? 0];
    const down = Math.min(maxDown - broken, size - available);
    if (down <= 0) continue;
    await rollout.scale(replicaSet, size - down);
    broken += down;
  }
  const available = rollout.all.reduce((sum, { status }) => sum + (status?.availableReplicas ?? 0), 0);
  let left = available - minAvailable;
  let shrunk = 0;
  for (const replicaSet of byCreation()) {
    if (left <= 0) break;
    const down = Math.min(sizeOf(replicaSet), left);
    await rollout.scale(replicaSet, sizeOf(replicaSet) - down);
    left -= down;
    shrunk += down;
  }
  return broken + shrunk > 0;
}

/** Deletes the oldest ReplicaSets beyond the history limit. */
async function cleanUp(rollout: Rollout): Promise<void> {
  const limit = rollout.deployment.spec?.revisionHistoryLimit;
  if (limit === undefined || limit === maxInt32) return;
  const { client, signal } = rollout.context;
  const alive = rollout.old.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const excess = alive
    .sort((a, b) => Number(revisionOf(a) - revisionOf(b)) || byAge(a, b))
    .slice(0, Math.max(0, alive.length - limit));
  for (const replicaSet of excess) {
    const { metadata, status } = replicaSet;
    const empty = sizeOf(replicaSet) === 0 && (status?.replicas ?? 0) === 0;
    if (!empty || (metadata.generation ?? 0) > (status?.observedGeneration ?? 0)) continue;
    await deleteExactly(client, replicaSets, replicaSet, { signal });
  }
}

async function syncStatus(rollout: Rollout): Promise<undefined> {
  const { deployment, all, newest, context } = rollout;
  await rollout.writeStatus(calculateStatus(deployment, all, newest, context.clock));
  return undefined;
}

async function syncRollout(rollout: Rollout): Promise<{ readonly requeueAfterMs: number } | undefined> {
  const { deployment, all, newest, context } = rollout;
  const status = rolloutStatus(deployment, all, newest, context.clock);
  const unchanged = equalJson(status, deployment.status);
  await rollout.writeStatus(status);
  const requeueAfterMs = unchanged ? deadlineCheckMs(deployment, status, context.clock) : undefined;
  return requeueAfterMs === undefined ? undefined : { requeueAfterMs };
}
