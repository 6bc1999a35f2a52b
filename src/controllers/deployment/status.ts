import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from "../../api/index.js";
import { type Clock, timestamp } from "../../internal/clock.js";
import { findCondition } from "../shared/conditions.js";
import { desiredReplicas, maxUnavailable, totalSize } from "./sizes.js";

/** No deadline, said as a number. */
const maxInt32 = 2 ** 31 - 1;

export function progressDeadlineMs(deployment: Deployment): number | undefined {
  const seconds = deployment.spec?.progressDeadlineSeconds;
  return seconds === undefined || seconds === maxInt32 ? undefined : seconds * 1000;
}

export function makeCondition(
  clock: Clock,
  type: string,
  status: string,
  reason: string,
  message: string,
): DeploymentCondition {
  const now = timestamp(clock);
  return { type, status, lastUpdateTime: now, lastTransitionTime: now, reason, message };
}

/** Replaces the condition of that type unless its status and reason are the same already. */
export function withCondition(
  conditions: readonly DeploymentCondition[],
  next: DeploymentCondition,
): readonly DeploymentCondition[] {
  const current = findCondition(conditions, next.type);
  if (current?.status === next.status && current.reason === next.reason) return conditions;
  const since = current?.status === next.status ? current.lastTransitionTime : undefined;
  const kept = since === undefined ? next : { ...next, lastTransitionTime: since };
  return [...conditions.filter((condition) => condition !== current), kept];
}

export function without(conditions: readonly DeploymentCondition[], type: string): readonly DeploymentCondition[] {
  return conditions.filter((condition) => condition.type !== type);
}

interface Counts {
  readonly replicas: number;
  readonly updatedReplicas: number;
  readonly readyReplicas: number;
  readonly availableReplicas: number;
}

function sum(
  all: readonly ReplicaSet[],
  count: (status: NonNullable<ReplicaSet["status"]>) => number | undefined,
): number {
  return all.reduce((total, { status }) => total + (status === undefined ? 0 : (count(status) ?? 0)), 0);
}

/** The counts and the Available condition; other conditions are taken over. */
export function calculateStatus(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newest: ReplicaSet | undefined,
  clock: Clock,
): DeploymentStatus {
  const availableReplicas = sum(all, (status) => status.availableReplicas);
  const enough = availableReplicas >= desiredReplicas(deployment) - maxUnavailable(deployment);
  const available = enough
    ? makeCondition(clock, "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    : makeCondition(
        clock,
        "Available",
        "False",
        "MinimumReplicasUnavailable",
        "Deployment does not have minimum availability.",
      );
  const counts = {
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: sum(all, (status) => status.replicas),
    updatedReplicas: sum(newest === undefined ? [] : [newest], (status) => status.replicas),
    readyReplicas: sum(all, (status) => status.readyReplicas),
    availableReplicas,
    unavailableReplicas: Math.max(0, totalSize(all) - availableReplicas),
  };
  const { collisionCount } = deployment.status ?? {};
  return {
    ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0)),
    terminatingReplicas: sum(all, (status) => status.terminatingReplicas),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    conditions: withCondition(deployment.status?.conditions ?? [], available),
  };
}

function countsOf(status: DeploymentStatus | undefined): Counts {
  const { replicas = 0, updatedReplicas = 0, readyReplicas = 0, availableReplicas = 0 } = status ?? {};
  return { replicas, updatedReplicas, readyReplicas, availableReplicas };
}

/** All pods are of the new template and available, and none is left of the old. */
export function isComplete(deployment: Deployment, status: DeploymentStatus | undefined): boolean {
  const { replicas, updatedReplicas, availableReplicas } = countsOf(status);
  const desired = desiredReplicas(deployment);
  return (
    updatedReplicas === desired &&
    replicas === desired &&
    availableReplicas === desired &&
    (status?.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

function hasProgressed(before: DeploymentStatus | undefined, after: DeploymentStatus): boolean {
  const [old, now] = [countsOf(before), countsOf(after)];
  return (
    now.updatedReplicas > old.updatedReplicas ||
    now.replicas - now.updatedReplicas < old.replicas - old.updatedReplicas ||
    now.readyReplicas > old.readyReplicas ||
    now.availableReplicas > old.availableReplicas
  );
}

function hasTimedOut(deployment: Deployment, status: DeploymentStatus, clock: Clock): boolean {
  const condition = findCondition(status.conditions, "Progressing");
  const deadlineMs = progressDeadlineMs(deployment);
  if (condition === undefined || deadlineMs === undefined || condition.reason === "NewReplicaSetAvailable")
    return false;
  if (condition.reason === "ProgressDeadlineExceeded") return true;
  return Date.parse(condition.lastUpdateTime ?? "") + deadlineMs < clock.now();
}

/** The status of a rollout under way: counts, progress and failures. */
export function rolloutStatus(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newest: ReplicaSet | undefined,
  clock: Clock,
): DeploymentStatus {
  const status = calculateStatus(deployment, all, newest, clock);
  let conditions = status.conditions ?? [];
  const current = findCondition(deployment.status?.conditions, "Progressing");
  if (progressDeadlineMs(deployment) === undefined) conditions = without(conditions, "Progressing");
  else if (status.replicas !== status.updatedReplicas || current?.reason !== "NewReplicaSetAvailable") {
    const who =
      newest === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${newest.metadata.name}"`;
    if (isComplete(deployment, status)) {
      const message = `${who} has successfully progressed.`;
      conditions = withCondition(
        conditions,
        makeCondition(clock, "Progressing", "True", "NewReplicaSetAvailable", message),
      );
    } else if (hasProgressed(deployment.status, status)) {
      // Each step forward begins the deadline anew, so the condition is replaced even when it says the same.
      const next = makeCondition(clock, "Progressing", "True", "ReplicaSetUpdated", `${who} is progressing.`);
      const since = current?.status === "True" ? current.lastTransitionTime : undefined;
      conditions = [
        ...without(conditions, "Progressing"),
        since === undefined ? next : { ...next, lastTransitionTime: since },
      ];
    } else if (hasTimedOut(deployment, status, clock)) {
      const message = `${who} has timed out progressing.`;
      conditions = withCondition(
        conditions,
        makeCondition(clock, "Progressing", "False", "ProgressDeadlineExceeded", message),
      );
    }
  }
  const failure = replicaFailure(all, newest);
  conditions = failure === undefined ? without(conditions, "ReplicaFailure") : withCondition(conditions, failure);
  return { ...status, conditions };
}

function replicaFailure(all: readonly ReplicaSet[], newest: ReplicaSet | undefined): DeploymentCondition | undefined {
  for (const replicaSet of newest === undefined ? all : [newest, ...all]) {
    const condition = findCondition(replicaSet.status?.conditions, "ReplicaFailure");
    if (condition === undefined) continue;
    const { type, status, reason, message, lastTransitionTime } = condition;
    return {
      type,
      status,
      ...(lastTransitionTime === undefined ? {} : { lastUpdateTime: lastTransitionTime, lastTransitionTime }),
      ...(reason === undefined ? {} : { reason }),
      ...(message === undefined ? {} : { message }),
    };
  }
  return undefined;
}

/** When to look at a rollout again that makes no progress by itself, so that its deadline is noticed. */
export function deadlineCheckMs(deployment: Deployment, status: DeploymentStatus, clock: Clock): number | undefined {
  const deadlineMs = progressDeadlineMs(deployment);
  const condition = findCondition(status.conditions, "Progressing");
  if (deadlineMs === undefined || condition === undefined || isComplete(deployment, status)) return undefined;
  if (condition.reason === "ProgressDeadlineExceeded" || condition.reason === "NewReplicaSetAvailable")
    return undefined;
  const leftMs = Date.parse(condition.lastUpdateTime ?? "") + deadlineMs - clock.now();
  return Math.max(0, leftMs) + 1000;
}
