import {
  isStatusError,
  type Job,
  type JobCondition,
  type JobStatus,
  jobs,
  keyOf,
  type Pod,
  pods,
  selectorFromLabelSelector,
} from "../../api/index.js";
import { timestamp } from "../../internal/clock.js";
import type { Controller, ControllerContext } from "../controller.js";
import {
  defineStatefulController,
  type Reconcile,
  type ReconcileContext,
  type ReconcileResult,
} from "../define-controller.js";
import { removeCondition, setCondition } from "../shared/conditions.js";
import { Expectations } from "../shared/expectations.js";
import { OwnWrites } from "../shared/own-writes.js";
import { claim, controllerOf, indexByController } from "../shared/owners.js";
import { deletePod } from "../shared/pod-control.js";
import { isTerminating } from "../shared/pods.js";
import { deleteExactly, writeStatus } from "../shared/write-status.js";
import { Backoffs } from "./backoff.js";
import { createJobPods, planJobPods, surplusPods } from "./job-pods.js";
import { isJobFinished, isTracked, JobState, jobCondition, replacesOnlyFailed, trackingFinalizer } from "./state.js";
import { deadlineOf, isSuspended, verdictOn, wantedActive } from "./verdict.js";

const ownName = "kubernetes.io/job-controller";

const trackedIndex = "tracked-by-job";

/** Files the pods that are to be counted under the key of their Job. */
function trackedBy(pod: Pod): readonly string[] {
  const owner = controllerOf(pod);
  if (owner?.kind !== jobs.kind || !isTracked(pod)) return [];
  return [`${pod.metadata.namespace ?? ""}/${owner.name}`];
}

/** Runs pods to their end, as often as a Job asks for. */
export const jobController: Controller = defineStatefulController<Job>({
  name: "job-controller",
  aliases: ["job"],
  for: jobs,
  owns: [pods],
  prepare: (context, enqueue) => new Jobs(context, enqueue).reconcile,
});

class Jobs {
  readonly #expectations: Expectations;
  readonly #writes: OwnWrites<Job>;
  readonly #backoffs = new Backoffs();

  constructor(context: ControllerContext, enqueue: (key: string) => void) {
    this.#expectations = new Expectations(context.clock);
    this.#writes = new OwnWrites(context.clock);
    const jobInformer = context.informer(jobs);
    const podInformer = context.informer(pods);
    indexByController(podInformer);
    podInformer.addIndex(trackedIndex, trackedBy);
    jobInformer.addHandler({ delete: ({ metadata }) => this.#backoffs.forget(metadata.uid) });
    const orphan = (pod: Pod): void => {
      for (const job of jobInformer.list(pod.metadata.namespace)) {
        if (selectorFromLabelSelector(job.spec?.selector).matches(pod.metadata.labels)) enqueue(keyOf(job));
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
    const informer = context.informer(jobs);
    const job = informer.get(key);
    await releasePods(leftBehind(key, job?.metadata.uid, context), context);
    if (job === undefined) return this.#writes.forget(key);
    if ((job.spec?.managedBy ?? ownName) !== ownName) return;
    // Counting on an older status would count pods twice, or never.
    const behindMs = this.#writes.waitMs(key, informer);
    if (behindMs > 0) return { requeueAfterMs: behindMs };
    const owned = await claim({
      client: context.client,
      owner: job,
      ownerResource: jobs,
      resource: pods,
      informer: context.informer(pods),
      selector: selectorFromLabelSelector(job.spec?.selector),
      signal: context.signal,
      finalizers: [trackingFinalizer],
    });
    // With the Job gone, or done, nobody counts any more.
    if (job.metadata.deletionTimestamp !== undefined || isJobFinished(job)) {
      await releasePods(owned.filter(isTracked), context);
      return;
    }
    return this.#sync(key, job, owned, context);
  };

  async #sync(key: string, job: Job, owned: readonly Pod[], context: ReconcileContext): Promise<ReconcileResult> {
    const { clock, events } = context;
    const now = timestamp(clock);
    const upToDate = this.#expectations.satisfied(job.metadata.uid);
    const decided = (job.status?.conditions ?? []).find(
      ({ type }) => type === "FailureTarget" || type === "SuccessCriteriaMet",
    );
    const state = new JobState(job, owned, decided?.type);
    let conditions: readonly JobCondition[] = job.status?.conditions ?? [];
    let { startTime, completionTime } = job.status ?? {};
    const verdict = verdictOn(state, now, clock.now());
    const suspend = job.spec?.suspend ?? false;
    if (verdict !== undefined) {
      conditions = setCondition(conditions, verdict);
      if (state.active.length === 0 && state.terminating.length === 0 && state.settled) {
        conditions = end(job, conditions, verdict, now, context);
        if (verdict.type === "SuccessCriteriaMet") completionTime = now;
      }
    } else if (suspend !== isSuspended(job)) {
      conditions = suspension(conditions, suspend, now);
      // Not told to those who look at a Job that was never suspended.
      if (suspend) events.event(job, "Normal", "Suspended", "Job suspended");
      else if (conditions !== (job.status?.conditions ?? [])) events.event(job, "Normal", "Resumed", "Job resumed");
    }
    const resumed = isSuspended(job) && !suspend;
    if (!suspend && (startTime === undefined || resumed)) startTime = now;
    if (suspend) startTime = undefined;
    const status = statusOf(state, conditions, startTime, completionTime);
    const written = await writeStatus(context.client, jobs, job, status, context.signal);
    if (written === undefined) return undefined;
    if (written !== job) this.#writes.wrote(key, written);
    this.#backoffs.observe(state, owned);
    await releasePods(state.release, context);
    if (!upToDate) return undefined;
    const current: JobState = written === job ? state : new JobState(written, owned, verdict?.type);
    return this.#manage(current, verdict, context);
  }

  async #manage(
    state: JobState,
    verdict: JobCondition | undefined,
    context: ReconcileContext,
  ): Promise<ReconcileResult> {
    const { job, active } = state;
    const nowMs = context.clock.now();
    if (verdict !== undefined) {
      // Where the Job fails they keep their finalizer: how they end is counted still.
      await this.#delete(job, active, context, verdict.type === "SuccessCriteriaMet");
      return undefined;
    }
    if (job.spec?.suspend) {
      await this.#delete(job, active, context, true);
      return undefined;
    }
    const wanted = wantedActive(state);
    const surplus = surplusPods(state, active.length - wanted, nowMs);
    const waiting = replacesOnlyFailed(job) ? state.terminating.length : 0;
    const missing = surplus.length > 0 ? 0 : wanted - active.length - waiting;
    let requeueAfterMs: number | undefined;
    if (surplus.length > 0) await this.#delete(job, surplus, context, true);
    else if (missing > 0) {
      const plan = planJobPods(state, missing, this.#backoffs, nowMs);
      if (plan.waitMs > 0) requeueAfterMs = plan.waitMs;
      else await createJobPods(state, plan, this.#expectations, context);
    }
    const deadline = deadlineOf(job);
    if (deadline !== undefined)
      requeueAfterMs = Math.min(requeueAfterMs ?? Number.POSITIVE_INFINITY, deadline - context.clock.now());
    return requeueAfterMs === undefined ? undefined : { requeueAfterMs: Math.max(0, requeueAfterMs) };
  }

  /** `uncounted`: their end is no failure of theirs, so they are let go first. */
  async #delete(job: Job, victims: readonly Pod[], context: ReconcileContext, uncounted: boolean): Promise<void> {
    const { uid } = job.metadata;
    this.#expectations.expectDeletions(
      uid,
      victims.map((pod) => pod.metadata.uid),
    );
    const call = { client: context.client, events: context.events, owner: job, signal: context.signal };
    await Promise.all(
      victims.map(async (pod) => {
        try {
          if (uncounted && isTracked(pod)) await releasePods([pod], context);
          if (!(await deletePod(call, pod))) this.#expectations.deletionObserved(uid, pod.metadata.uid);
        } catch (error) {
          this.#expectations.deletionObserved(uid, pod.metadata.uid);
          throw error;
        }
      }),
    );
  }
}

function statusOf(
  state: JobState,
  conditions: readonly JobCondition[],
  startTime: string | undefined,
  completionTime: string | undefined,
): JobStatus {
  return {
    ...state.counts(),
    ...(startTime === undefined ? {} : { startTime }),
    ...(completionTime === undefined ? {} : { completionTime }),
    ...(conditions.length === 0 ? {} : { conditions }),
  };
}

/** The last condition: all pods are over and counted. */
function end(
  job: Job,
  conditions: readonly JobCondition[],
  verdict: JobCondition,
  now: string,
  { events }: ReconcileContext,
): readonly JobCondition[] {
  const { reason = "", message = "" } = verdict;
  if (verdict.type === "SuccessCriteriaMet") {
    events.event(job, "Normal", "Completed", "Job completed");
    return setCondition(conditions, jobCondition("Complete", reason, message, now));
  }
  events.event(job, "Warning", reason, message);
  return setCondition(conditions, jobCondition("Failed", reason, message, now));
}

function suspension(conditions: readonly JobCondition[], suspend: boolean, now: string): readonly JobCondition[] {
  if (suspend) return setCondition(conditions, jobCondition("Suspended", "JobSuspended", "Job suspended", now));
  if (removeCondition(conditions, "Suspended") === conditions) return conditions;
  return setCondition(conditions, jobCondition("Suspended", "JobResumed", "Job resumed", now, "False"));
}

/** Counted pods of a Job of this key that is not there any more: nobody else would let them go. */
function leftBehind(key: string, uid: string | undefined, { informer }: ReconcileContext): readonly Pod[] {
  return [...informer(pods).byIndex(trackedIndex, key)].filter((pod) => controllerOf(pod)?.uid !== uid);
}

async function releasePods(released: readonly Pod[], { client, signal }: ReconcileContext): Promise<void> {
  await Promise.all(
    released.map(async ({ metadata }) => {
      const { namespace, name, uid } = metadata;
      // Of whatever version the pod is by now: who runs it writes its status all the time.
      const body = { metadata: { uid, "$deleteFromPrimitiveList/finalizers": [trackingFinalizer] } };
      try {
        await client.patch(pods, { namespace, name }, { type: "strategic", body }, { signal });
      } catch (error) {
        if (!isStatusError(error, "NotFound")) throw error;
      }
    }),
  );
}

/** Deletes Jobs that are over for longer than they are to be kept. */
export const ttlAfterFinishedController: Controller = defineStatefulController<Job>({
  name: "ttl-after-finished-controller",
  aliases: ["ttl-after-finished"],
  for: jobs,
  prepare:
    () =>
    async (key, { client, clock, informer, signal }) => {
      const job = informer(jobs).get(key);
      const seconds = job?.spec?.ttlSecondsAfterFinished;
      if (
        job === undefined ||
        seconds === undefined ||
        !isJobFinished(job) ||
        job.metadata.deletionTimestamp !== undefined
      )
        return;
      const over = (job.status?.conditions ?? []).find(
        ({ type, status }) => status === "True" && (type === "Complete" || type === "Failed"),
      );
      const at = Date.parse(over?.lastTransitionTime ?? "") + seconds * 1000;
      if (at > clock.now()) return { requeueAfterMs: at - clock.now() };
      await deleteExactly(client, jobs, job, { propagationPolicy: "Foreground", signal });
    },
});
