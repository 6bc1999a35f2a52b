import type { Deployment, ReplicaSet } from "../../api/index.js";
import { byAge, maxAnnotation, numberAnnotation } from "./revisions.js";
import { desiredReplicas, maxSurge, sizeOf, totalSize } from "./sizes.js";

/**
 * New sizes when a Deployment is scaled in the middle of a rollout: what is added or taken away is spread over its
 * ReplicaSets by their share, so that a rollout that goes wrong does not get all the new pods.
 */
export function proportionalSizes(
  deployment: Deployment,
  active: readonly ReplicaSet[],
): ReadonlyMap<ReplicaSet, number> {
  const desired = desiredReplicas(deployment);
  const allowed = desired > 0 ? desired + maxSurge(deployment) : 0;
  const toAdd = allowed - totalSize(active);
  const newestFirst = toAdd > 0;
  const ordered = [...active].sort((a, b) => sizeOf(b) - sizeOf(a) || (newestFirst ? byAge(b, a) : byAge(a, b)));
  const sizes = new Map<ReplicaSet, number>();
  let added = 0;
  for (const replicaSet of ordered) {
    const share = toAdd === 0 ? 0 : proportion(replicaSet, deployment, toAdd, added);
    added += share;
    sizes.set(replicaSet, sizeOf(replicaSet) + share);
  }
  const first = ordered[0];
  if (first !== undefined && toAdd !== 0) sizes.set(first, Math.max(0, (sizes.get(first) ?? 0) + toAdd - added));
  return sizes;
}

function proportion(replicaSet: ReplicaSet, deployment: Deployment, toAdd: number, added: number): number {
  if (sizeOf(replicaSet) === 0 || toAdd === added) return 0;
  const share = fraction(replicaSet, deployment);
  const left = toAdd - added;
  return toAdd > 0 ? Math.min(share, left) : Math.max(share, left);
}

function fraction(replicaSet: ReplicaSet, deployment: Deployment): number {
  const desired = desiredReplicas(deployment);
  const size = sizeOf(replicaSet);
  if (desired === 0) return -size;
  const before = numberAnnotation(replicaSet, maxAnnotation) || (deployment.status?.replicas ?? 0);
  if (before === 0) return 0;
  const after = desired + maxSurge(deployment);
  // Half away from zero, as upstream rounds; sizes are never negative.
  return Math.round((size * after) / before) - size;
}
