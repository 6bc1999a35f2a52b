import type { Job, JobCondition, Pod } from "../../api/index.js";
import { isTrue } from "../shared/conditions.js";
import { isActive, isFinished, isReady, isTerminating } from "../shared/pods.js";
import { judgeFailure } from "./failure-policy.js";
import { formatIndexes, parseIndexes } from "./indexes.js";

export const trackingFinalizer = "batch.kubernetes.io/job-tracking";
export const indexKey = "batch.kubernetes.io/job-completion-index";
export const failuresKey = "batch.kubernetes.io/job-index-failure-count";
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
  readonly terminating: number;
  readonly ready: number;
  /** Counted and noted together. */
  succeeded: number;
  failed: number;
  readonly completed: Set<number>;
  readonly failedIndexes: Set<number>;
  readonly counted: { succeeded: number; failed: number };
  readonly noted: { readonly succeeded: Set<string>; readonly failed: Set<string> };
  /** To be let go once the status is written. */
  readonly release: readonly Pod[];
  /** A pod ended against the Job since the last time. */
  readonly newFailures: boolean;
  /** Set when the failure policy ends the Job. */
  readonly policyFailure: string | undefined;
  readonly lastFailureMs: number;
  readonly #pods: readonly Pod[];

  constructor(job: Job, pods: readonly Pod[], ending: boolean) {
    this.job = job;
    this.#pods = pods;
    this.active = pods.filter(isActive);
    this.terminating = pods.filter((pod) => isTerminating(pod) && !isFinished(pod)).length;
    this.ready = this.active.filter(isReady).length;
    const { status = {} } = job;
    const completions = job.spec?.completions ?? 0;
    this.completed = parseIndexes(status.completedIndexes, completions);
    this.failedIndexes = parseIndexes(status.failedIndexes, completions);
    this.counted = { succeeded: status.succeeded ?? 0, failed: status.failed ?? 0 };
    const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {};
    this.noted = { succeeded: new Set(succeeded), failed: new Set(failed) };
    this.#flush();
    const before = this.counted.failed + this.noted.failed.size;
    let policyFailure: string | undefined;
    this.release = pods.filter(
      (pod) => isTracked(pod) && this.#note(pod, ending, (message) => (policyFailure ??= message)),
    );
    this.policyFailure = policyFailure;
    this.failed = this.counted.failed + this.noted.failed.size;
    this.newFailures = this.failed > before;
    this.succeeded = isIndexed(job) ? this.completed.size : this.counted.succeeded + this.noted.succeeded.size;
    this.lastFailureMs = pods
      .filter((pod) => pod.status?.phase === "Failed")
      .reduce((last, pod) => Math.max(last, endOf(pod)), 0);
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

  /** Says whether the pod has ended, and so is to be let go. */
  #note(pod: Pod, ending: boolean, failJob: (message: string) => void): boolean {
    const { uid } = pod.metadata;
    if (this.noted.failed.has(uid) || this.noted.succeeded.has(uid)) return true;
    const full = this.noted.failed.size + this.noted.succeeded.size >= maxUncounted;
    const index = indexOf(pod);
    if (pod.status?.phase === "Succeeded") {
      if (full) return false;
      if (!isIndexed(this.job)) this.noted.succeeded.add(uid);
      else if (index !== undefined && index < (this.job.spec?.completions ?? 0)) this.completed.add(index);
      return true;
    }
    const gone = isTerminating(pod) && (ending || !replacesOnlyFailed(this.job));
    if (pod.status?.phase !== "Failed" && !gone) return false;
    if (full) return false;
    const { action, message } =
      pod.status?.phase === "Failed" ? judgeFailure(this.job, pod) : { action: "Count", message: "" };
    if (action === "FailJob") failJob(message);
    if (action !== "Ignore") this.noted.failed.add(uid);
    this.#noteIndex(pod, index, action);
    return true;
  }

  /** With a limit for each index, an index that used it up has failed for good. */
  #noteIndex(pod: Pod, index: number | undefined, action: string): void {
    const { backoffLimitPerIndex } = this.job.spec ?? {};
    if (backoffLimitPerIndex === undefined || index === undefined || action === "Ignore") return;
    if (action === "FailIndex" || failuresOf(pod) >= backoffLimitPerIndex) this.failedIndexes.add(index);
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
      terminating: this.terminating,
      uncountedTerminatedPods: uncounted,
      ...(this.completed.size === 0 ? {} : { completedIndexes: formatIndexes(this.completed) }),
      ...(job.spec?.backoffLimitPerIndex === undefined ? {} : { failedIndexes: formatIndexes(this.failedIndexes) }),
    };
  }

  /** Pods of an index that failed before, for the limit of each index. */
  failuresAt(index: number): number {
    const failed = this.#pods.filter(
      (pod) => indexOf(pod) === index && !isActive(pod) && pod.status?.phase !== "Succeeded",
    );
    return failed.reduce((most, pod) => {
      const ignored = pod.status?.phase === "Failed" && judgeFailure(this.job, pod).action === "Ignore";
      return Math.max(most, failuresOf(pod) + (ignored ? 0 : 1));
    }, 0);
  }
}

function failuresOf(pod: Pod): number {
  return Number(pod.metadata.annotations?.[failuresKey] ?? "0");
}

function endOf(pod: Pod): number {
  const ends = (pod.status?.containerStatuses ?? []).map(({ state }) =>
    Date.parse(state?.terminated?.finishedAt ?? ""),
  );
  const known = ends.filter((end) => !Number.isNaN(end));
  if (known.length > 0) return Math.max(...known);
  const ready = pod.status?.conditions?.find(({ type }) => type === "Ready")?.lastTransitionTime;
  return Date.parse(pod.metadata.deletionTimestamp ?? ready ?? pod.metadata.creationTimestamp);
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
