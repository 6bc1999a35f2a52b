import type { Job, JobCondition, Pod } from "../../api/index.js";
import { findCondition, isTrue } from "../shared/conditions.js";
import { isActive, isFinished, isReady, isTerminating } from "../shared/pods.js";
import { judgeFailure } from "./failure-policy.js";
import { formatIndexes, parseIndexes } from "./indexes.js";

export const trackingFinalizer = "batch.kubernetes.io/job-tracking";
export const indexKey = "batch.kubernetes.io/job-completion-index";
export const failuresKey = "batch.kubernetes.io/job-index-failure-count";
const ignoredFailuresKey = "batch.kubernetes.io/job-index-ignored-failure-count";
/** So many pods at most wait in the status to be counted. */
const maxUncounted = 500;

export function isIndexed(job: Job): boolean {
  return job.spec?.completionMode === "Indexed";
}

export function isJobFinished(job: Job): boolean {
  return isTrue(job.status?.conditions, "Complete") || isTrue(job.status?.conditions, "Failed");
}

export function isTracked(pod: Pod): boolean {
  return pod.metadata.finalizers?.includes(trackingFinalizer) ?? false;
}

export function indexOf(pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[indexKey];
  return text !== undefined && /^[0-9]+$/.test(text) ? Number(text) : undefined;
}

/** Whether a pod that is being deleted is replaced only once it has ended. */
export function replacesOnlyFailed(job: Job): boolean {
  return (
    (job.spec?.podReplacementPolicy ??
      (job.spec?.podFailurePolicy === undefined ? "TerminatingOrFailed" : "Failed")) === "Failed"
  );
}

/**
 * What is known of a Job's pods, with every end counted exactly once. A pod that ended is first noted by uid in the status; then
 * its finalizer is taken off; then it is counted and the note removed. At whatever point that stops, it goes on from
 * status and pods alone.
 */
export class JobState {
  readonly job: Job;
  readonly active: readonly Pod[];
  readonly terminating: readonly Pod[];
  readonly ready: number;
  /** Counted, noted and held back together. */
  readonly succeeded: number;
  readonly failed: number;
  readonly completed: ReadonlySet<number>;
  readonly failedIndexes: ReadonlySet<number>;
  readonly counted: { succeeded: number; failed: number };
  readonly noted: { readonly succeeded: Set<string>; readonly failed: Set<string> };
  /** To be let go once the status is written. */
  readonly release: readonly Pod[];
  /** Pods whose end was not known before. */
  readonly newlyEnded: { readonly succeeded: readonly Pod[]; readonly failed: readonly Pod[] };
  /** By index: the last failed pod, until there is one that goes on with its number of failures. */
  readonly heldBack: ReadonlyMap<number, Pod>;
  /** Set when the failure policy ends the Job. */
  readonly policyFailure: string | undefined;
  readonly #pods: readonly Pod[];
  readonly #verdict: string | undefined;

  /** `verdict`: how the Job is going to end, where that is known: `FailureTarget` or `SuccessCriteriaMet`. */
  constructor(job: Job, pods: readonly Pod[], verdict: string | undefined) {
    this.job = job;
    this.#pods = pods;
    this.#verdict = verdict;
    this.active = pods.filter(isActive);
    this.terminating = pods.filter((pod) => isTerminating(pod) && !isFinished(pod));
    this.ready = this.active.filter(isReady).length;
    const { status = {} } = job;
    this.counted = { succeeded: status.succeeded ?? 0, failed: status.failed ?? 0 };
    const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {};
    this.noted = { succeeded: new Set(succeeded), failed: new Set(failed) };
    this.#flush();
    const tracked = pods.filter(isTracked);
    const isNew = ({ metadata }: Pod): boolean =>
      !this.noted.succeeded.has(metadata.uid) && !this.noted.failed.has(metadata.uid);
    this.newlyEnded = {
      succeeded: tracked.filter((pod) => pod.status?.phase === "Succeeded" && isNew(pod)),
      failed: tracked.filter((pod) => this.#hasFailed(pod) && isNew(pod)),
    };
    this.completed = this.#withIndexes(status.completedIndexes, this.newlyEnded.succeeded);
    this.failedIndexes = this.#withIndexes(
      status.failedIndexes,
      this.newlyEnded.failed.filter((pod) => this.#usesUpIndex(pod)),
    );
    this.heldBack = this.#holdBack(tracked);
    this.policyFailure = this.newlyEnded.failed
      .map((pod) => judgeFailure(job, pod))
      .find(({ action }) => action === "FailJob")?.message;
    this.release = tracked.filter((pod) => this.#note(pod));
    const held = [...this.heldBack.values()].filter((pod) => this.#counts(pod)).length;
    this.failed = this.counted.failed + this.noted.failed.size + held;
    this.succeeded = isIndexed(job) ? this.completed.size : this.counted.succeeded + this.noted.succeeded.size;
  }

  /** Nothing is left to be counted. */
  get settled(): boolean {
    return this.noted.succeeded.size + this.noted.failed.size === 0 && !this.#pods.some(isTracked);
  }

  #flush(): void {
    const held = new Set(this.#pods.filter(isTracked).map(({ metadata }) => metadata.uid));
    for (const kind of ["succeeded", "failed"] as const) {
      for (const uid of this.noted[kind]) {
        if (held.has(uid)) continue;
        this.noted[kind].delete(uid);
        this.counted[kind]++;
      }
    }
  }

  /** A pod on its way out has failed already, where another one takes its place at once. */
  #hasFailed(pod: Pod): boolean {
    if (pod.status?.phase === "Failed") return true;
    return isTerminating(pod) && pod.status?.phase !== "Succeeded" && !replacesOnlyFailed(this.job);
  }

  #counts(pod: Pod): boolean {
    return judgeFailure(this.job, pod).action !== "Ignore";
  }

  /** The index of a pod of an indexed Job, unless the Job has shrunk below it. */
  #validIndex(pod: Pod): number | undefined {
    const index = indexOf(pod);
    return index !== undefined && index < (this.job.spec?.completions ?? 0) ? index : undefined;
  }

  #withIndexes(before: string | undefined, pods: readonly Pod[]): ReadonlySet<number> {
    const indexes = parseIndexes(before, this.job.spec?.completions ?? 0);
    for (const index of pods.map((pod) => this.#validIndex(pod))) if (index !== undefined) indexes.add(index);
    return indexes;
  }

  #usesUpIndex(pod: Pod): boolean {
    const { backoffLimitPerIndex } = this.job.spec ?? {};
    if (backoffLimitPerIndex === undefined) return false;
    const { action } = judgeFailure(this.job, pod);
    return action === "FailIndex" || (action !== "Ignore" && numberOf(pod, failuresKey) >= backoffLimitPerIndex);
  }

  #holdBack(tracked: readonly Pod[]): ReadonlyMap<number, Pod> {
    const last = new Map<number, Pod>();
    if (this.job.spec?.backoffLimitPerIndex === undefined || this.#verdict !== undefined) return last;
    const worked = new Set(this.active.map(indexOf));
    for (const pod of tracked) {
      const index = this.#validIndex(pod);
      if (index === undefined || worked.has(index) || !this.#hasFailed(pod) || this.noted.failed.has(pod.metadata.uid))
        continue;
      if (this.completed.has(index) || this.failedIndexes.has(index)) continue;
      const other = last.get(index);
      const isLater = other === undefined || (allFailuresOf(other) <= allFailuresOf(pod) && endOf(other) <= endOf(pod));
      if (isLater) last.set(index, pod);
    }
    return last;
  }

  /** Says whether the pod has ended, and so is to be let go. */
  #note(pod: Pod): boolean {
    const { uid } = pod.metadata;
    if (this.noted.failed.has(uid) || this.noted.succeeded.has(uid)) return true;
    const full = this.noted.failed.size + this.noted.succeeded.size >= maxUncounted;
    if (pod.status?.phase === "Succeeded") {
      if (isIndexed(this.job)) return true;
      if (!full) this.noted.succeeded.add(uid);
      return !full;
    }
    if (this.heldBack.get(indexOf(pod) ?? -1) === pod) return false;
    // What a Job that is as good as complete takes down did not fail.
    if (this.#verdict === "SuccessCriteriaMet" && pod.status?.phase !== "Failed") return isTerminating(pod);
    if (!this.#hasFailed(pod) && !(isTerminating(pod) && this.#verdict === "FailureTarget")) return false;
    if (isIndexed(this.job) && this.#validIndex(pod) === undefined) return true;
    if (full) return false;
    if (this.#counts(pod)) this.noted.failed.add(uid);
    return true;
  }

  /** The counts as they go into the status. */
  counts(): Partial<NonNullable<Job["status"]>> {
    const { job, noted, counted } = this;
    const numbers = {
      active: this.active.length,
      succeeded: isIndexed(job) ? this.completed.size : counted.succeeded,
      failed: counted.failed,
    };
    const uncounted = {
      ...(noted.succeeded.size === 0 ? {} : { succeeded: [...noted.succeeded] }),
      ...(noted.failed.size === 0 ? {} : { failed: [...noted.failed] }),
    };
    return {
      ...Object.fromEntries(Object.entries(numbers).filter(([, count]) => count > 0)),
      ready: this.ready,
      terminating: this.terminating.length,
      uncountedTerminatedPods: uncounted,
      ...(this.completed.size === 0 ? {} : { completedIndexes: formatIndexes(this.completed) }),
      ...(job.spec?.backoffLimitPerIndex === undefined ? {} : { failedIndexes: formatIndexes(this.failedIndexes) }),
    };
  }
}

function numberOf(pod: Pod, annotation: string): number {
  const text = pod.metadata.annotations?.[annotation];
  return text !== undefined && /^[0-9]+$/.test(text) ? Number(text) : 0;
}

/** How often pods of its index had failed before this one, counted or not. */
export function allFailuresOf(pod: Pod): number {
  return numberOf(pod, failuresKey) + numberOf(pod, ignoredFailuresKey);
}

/** What a pod says of the failures of its index that takes the place of `before`. */
export function failureAnnotations(job: Job, before: Pod | undefined): { readonly [name: string]: string } {
  if (before === undefined) return { [failuresKey]: "0" };
  const ignored = judgeFailure(job, before).action === "Ignore";
  const ignoredFailures = numberOf(before, ignoredFailuresKey) + (ignored ? 1 : 0);
  return {
    [failuresKey]: String(numberOf(before, failuresKey) + (ignored ? 0 : 1)),
    ...(ignoredFailures === 0 ? {} : { [ignoredFailuresKey]: String(ignoredFailures) }),
  };
}

/** When a pod ended, in ms: by its containers, else by when it ceased to be ready, else by its deletion. */
export function endOf({ metadata, spec, status }: Pod): number {
  const sidecars = new Set(
    (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always").map(({ name }) => name),
  );
  const all = [
    ...(status?.containerStatuses ?? []),
    ...(status?.initContainerStatuses ?? []).filter(({ name }) => sidecars.has(name)),
  ];
  const ends = all.map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ""));
  if (ends.length > 0 && !ends.some(Number.isNaN)) return Math.max(...ends);
  const ready = findCondition(status?.conditions, "Ready");
  if (ready?.status === "False" && ready.lastTransitionTime !== undefined) return Date.parse(ready.lastTransitionTime);
  if (metadata.deletionTimestamp !== undefined) {
    return Date.parse(metadata.deletionTimestamp) - (metadata.deletionGracePeriodSeconds ?? 0) * 1000;
  }
  return Date.parse(metadata.creationTimestamp);
}

export function jobCondition(
  type: string,
  reason: string,
  message: string,
  now: string,
  status = "True",
): JobCondition {
  return { type, status, lastProbeTime: now, lastTransitionTime: now, reason, message };
}
