import type { Job, JobCondition } from "../../api/index.js";
import { findCondition, isTrue } from "../shared/conditions.js";
import { parseIndexes } from "./indexes.js";
import { indexOf, isIndexed, type JobState, jobCondition, replacesOnlyFailed } from "./state.js";

/** How a Job ends: a condition that says that it is going to, `FailureTarget` or `SuccessCriteriaMet`. */
export function verdictOn(state: JobState, now: string, nowMs: number): JobCondition | undefined {
  const { job } = state;
  for (const type of ["FailureTarget", "SuccessCriteriaMet"]) {
    const before = findCondition(job.status?.conditions, type);
    if (before?.status === "True") return before;
  }
  const fail = (reason: string, message: string): JobCondition => jobCondition("FailureTarget", reason, message, now);
  if (state.policyFailure !== undefined) return fail("PodFailurePolicy", state.policyFailure);
  const limit = job.spec?.backoffLimit ?? 6;
  if (state.failed > limit || restartedTooOften(state, limit)) {
    return fail("BackoffLimitExceeded", "Job has reached the specified backoff limit");
  }
  const deadlineMs = deadlineOf(job);
  if (deadlineMs !== undefined && nowMs >= deadlineMs) {
    return fail("DeadlineExceeded", "Job was active longer than specified deadline");
  }
  return indexVerdict(state, fail) ?? successVerdict(state, now);
}

/** When an active Job runs out of time. */
export function deadlineOf(job: Job): number | undefined {
  const { activeDeadlineSeconds, suspend } = job.spec ?? {};
  const { startTime } = job.status ?? {};
  if (activeDeadlineSeconds === undefined || suspend || startTime === undefined) return undefined;
  return Date.parse(startTime) + activeDeadlineSeconds * 1000;
}

function restartedTooOften({ job, active }: JobState, limit: number): boolean {
  if (job.spec?.template.spec?.restartPolicy !== "OnFailure") return false;
  const running = active.filter(({ status }) => status?.phase === "Running" || status?.phase === "Pending");
  const restarts = running
    .flatMap(({ status }) => [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])])
    .reduce((sum, { restartCount }) => sum + restartCount, 0);
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

function indexVerdict(
  state: JobState,
  fail: (reason: string, message: string) => JobCondition,
): JobCondition | undefined {
  const { job, failedIndexes, completed } = state;
  if (!isIndexed(job) || job.spec?.backoffLimitPerIndex === undefined) return undefined;
  const { maxFailedIndexes, completions = 0 } = job.spec;
  if (maxFailedIndexes !== undefined && failedIndexes.size > maxFailedIndexes) {
    return fail("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes");
  }
  if (failedIndexes.size > 0 && failedIndexes.size + completed.size >= completions) {
    return fail("FailedIndexes", "Job has failed indexes");
  }
  return undefined;
}

function successVerdict(state: JobState, now: string): JobCondition | undefined {
  const { job, completed, succeeded, active } = state;
  const { completions, successPolicy } = job.spec ?? {};
  if (successPolicy !== undefined && isIndexed(job)) {
    for (const [index, { succeededIndexes, succeededCount }] of successPolicy.rules.entries()) {
      const wanted = succeededIndexes === undefined ? undefined : parseIndexes(succeededIndexes, completions ?? 0);
      const met = wanted === undefined ? completed.size : [...wanted].filter((one) => completed.has(one)).length;
      if (met >= (succeededCount ?? wanted?.size ?? Number.POSITIVE_INFINITY)) {
        return jobCondition("SuccessCriteriaMet", "SuccessPolicy", `Matched rules at index ${index}`, now);
      }
    }
  }
  const done = completions === undefined ? succeeded > 0 && active.length === 0 : succeeded >= completions;
  if (!done) return undefined;
  return jobCondition("SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods", now);
}

/** How many pods should be active. */
export function wantedActive({ job, succeeded, active }: JobState): number {
  const { completions, parallelism = 1 } = job.spec ?? {};
  if (completions === undefined) return succeeded > 0 ? active.length : parallelism;
  return Math.max(0, Math.min(completions - succeeded, parallelism));
}

/** The lowest `count` indexes that nobody works on and that are not settled. */
export function freeIndexes(state: JobState, count: number): readonly number[] {
  const { job, active, terminating, completed, failedIndexes } = state;
  const taken = new Set([...active, ...(replacesOnlyFailed(job) ? terminating : [])].map(indexOf));
  const free: number[] = [];
  for (let index = 0; index < (job.spec?.completions ?? 0) && free.length < count; index++) {
    if (!taken.has(index) && !completed.has(index) && !failedIndexes.has(index)) free.push(index);
  }
  return free;
}

export function isSuspended(job: Job): boolean {
  return isTrue(job.status?.conditions, "Suspended");
}
