import type { Deployment, ReplicaSet } from "../../api/index.js";
import { scaledValue } from "../shared/int-or-percent.js";

export function desiredReplicas(deployment: Deployment): number {
  return deployment.spec?.replicas ?? 1;
}

export function sizeOf(replicaSet: ReplicaSet): number {
  return replicaSet.spec?.replicas ?? 1;
}

export function totalSize(replicaSets: readonly ReplicaSet[]): number {
  return replicaSets.reduce((sum, replicaSet) => sum + sizeOf(replicaSet), 0);
}

export function isRolling(deployment: Deployment): boolean {
  return deployment.spec?.strategy?.type !== "Recreate";
}

/** How many pods there may be beyond the desired number. */
export function maxSurge(deployment: Deployment): number {
  return isRolling(deployment) ? resolve(deployment).surge : 0;
}

/** How many of the desired pods may be missing. */
export function maxUnavailable(deployment: Deployment): number {
  const desired = desiredReplicas(deployment);
  if (!isRolling(deployment) || desired === 0) return 0;
  return Math.min(resolve(deployment).unavailable, desired);
}

function resolve(deployment: Deployment): { readonly surge: number; readonly unavailable: number } {
  const desired = desiredReplicas(deployment);
  const { maxSurge: surgeText, maxUnavailable: unavailableText } = deployment.spec?.strategy?.rollingUpdate ?? {};
  const surge = scaledValue(surgeText, desired, "up");
  const unavailable = scaledValue(unavailableText, desired, "down");
  // Both 0 would never move: shares of few pods can round to that.
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}

/** What the new ReplicaSet may grow to now. */
export function newSize(deployment: Deployment, all: readonly ReplicaSet[], current: number): number {
  const desired = desiredReplicas(deployment);
  if (!isRolling(deployment)) return desired;
  const room = desired + maxSurge(deployment) - totalSize(all);
  if (room <= 0) return current;
  return current + Math.min(room, desired - current);
}
