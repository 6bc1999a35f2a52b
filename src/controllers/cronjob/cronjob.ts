import {
  type CronJob,
  type CronJobStatus,
  cronJobs,
  isStatusError,
  type Job,
  jobs,
  type New,
  type ObjectReference,
} from "../../api/index.js";
import type { Controller } from "../controller.js";
import { defineStatefulController, type ReconcileContext, type ReconcileResult } from "../define-controller.js";
import { isJobFinished } from "../job/state.js";
import { isTrue } from "../shared/conditions.js";
import { OwnWrites } from "../shared/own-writes.js";
import { controlledBy, controllerReference, indexByController, isControlledBy } from "../shared/owners.js";
import { isNamespaceTerminating, messageOf } from "../shared/pod-control.js";
import { deleteExactly, getOrUndefined, writeStatus } from "../shared/write-status.js";
import { inZone, mostRecent, parseSchedule, type Schedule } from "./schedule.js";

const scheduledAnnotation = "batch.kubernetes.io/cronjob-scheduled-timestamp";
/** A timer that fires a little early would find nothing to do yet. */
const slackMs = 100;

/** Makes Jobs on a schedule. */
export const cronJobController: Controller = defineStatefulController<CronJob>({
  name: "cronjob-controller",
  aliases: ["cronjob"],
  for: cronJobs,
  owns: [jobs],
  prepare: (context) => {
    const informer = context.informer(cronJobs);
    const jobInformer = context.informer(jobs);
    indexByController(jobInformer);
    const writes = new OwnWrites<CronJob>(context.clock);
    return async (key, reconcile) => {
      const cronJob = informer.get(key);
      if (cronJob === undefined) return writes.forget(key);
      const behindMs = writes.waitMs(key, informer);
      if (behindMs > 0) return { requeueAfterMs: behindMs };
      const owned = [...controlledBy(jobInformer, cronJob.metadata.uid)];
      const run = new CronRun(cronJob, owned, reconcile);
      const result = await run.sync();
      const written = await writeStatus(reconcile.client, cronJobs, cronJob, run.status(), reconcile.signal);
      if (written !== undefined && written !== cronJob) writes.wrote(key, written);
      await run.cleanUp();
      return result;
    };
  },
});

class CronRun {
  readonly #cronJob: CronJob;
  readonly #jobs: readonly Job[];
  readonly #context: ReconcileContext;
  #active: readonly ObjectReference[];
  #lastScheduleTime: string | undefined;
  #lastSuccessfulTime: string | undefined;

  constructor(cronJob: CronJob, owned: readonly Job[], context: ReconcileContext) {
    this.#cronJob = cronJob;
    this.#jobs = owned;
    this.#context = context;
    const { active = [], lastScheduleTime, lastSuccessfulTime } = cronJob.status ?? {};
    this.#active = active;
    this.#lastScheduleTime = lastScheduleTime;
    this.#lastSuccessfulTime = lastSuccessfulTime;
  }

  status(): CronJobStatus {
    return {
      ...(this.#active.length === 0 ? {} : { active: this.#active }),
      ...(this.#lastScheduleTime === undefined ? {} : { lastScheduleTime: this.#lastScheduleTime }),
      ...(this.#lastSuccessfulTime === undefined ? {} : { lastSuccessfulTime: this.#lastSuccessfulTime }),
    };
  }

  async sync(): Promise<ReconcileResult> {
    await this.#followJobs();
    const { spec, metadata } = this.#cronJob;
    if (spec === undefined || metadata.deletionTimestamp !== undefined || spec.suspend) return undefined;
    let schedule: Schedule;
    try {
      schedule = parseSchedule(spec.schedule, spec.timeZone ?? "UTC");
    } catch (error) {
      this.#warn("UnparseableSchedule", `unparseable schedule: ${spec.schedule} : ${messageOf(error)}`);
      return undefined;
    }
    await this.#startDue(schedule);
    const now = this.#context.clock.now();
    const next = schedule.next(now);
    return next === undefined ? undefined : { requeueAfterMs: next - now + slackMs };
  }

  /** Brings the list of active Jobs in line with the Jobs that there are. */
  async #followJobs(): Promise<void> {
    const { events, client, signal } = this.#context;
    const known = new Map(this.#jobs.map((job) => [job.metadata.uid, job]));
    for (const job of this.#jobs) {
      const { uid, name } = job.metadata;
      const listed = this.#active.some((reference) => reference.uid === uid);
      const finished = isJobFinished(job);
      if (!listed && !finished && job.metadata.deletionTimestamp === undefined) {
        // Made just before a restart, or by hand: it counts as running all the same.
        this.#active = [...this.#active, referenceTo(job)];
      } else if (listed && finished) {
        this.#active = this.#active.filter((reference) => reference.uid !== uid);
        const how = isTrue(job.status?.conditions, "Complete") ? "Complete" : "Failed";
        events.event(this.#cronJob, "Normal", "SawCompletedJob", `Saw completed job: ${name}, condition: ${how}`);
      }
      const { completionTime } = job.status ?? {};
      if (completionTime !== undefined && isTrue(job.status?.conditions, "Complete")) {
        if (this.#lastSuccessfulTime === undefined || completionTime > this.#lastSuccessfulTime)
          this.#lastSuccessfulTime = completionTime;
      }
    }
    for (const reference of this.#active) {
      if (known.has(reference.uid ?? "")) continue;
      const live = await getOrUndefined(
        client,
        jobs,
        { metadata: { ...this.#cronJob.metadata, name: reference.name ?? "" } },
        signal,
      );
      if (live?.metadata.uid === reference.uid) continue;
      events.event(this.#cronJob, "Normal", "MissingJob", `Active job went missing: ${reference.name}`);
      this.#active = this.#active.filter((one) => one !== reference);
    }
  }

  async #startDue(schedule: Schedule): Promise<void> {
    const { clock } = this.#context;
    const { creationTimestamp } = this.#cronJob.metadata;
    const { startingDeadlineSeconds, concurrencyPolicy } = this.#cronJob.spec ?? {};
    const now = clock.now();
    let since = Date.parse(this.#lastScheduleTime ?? creationTimestamp);
    if (startingDeadlineSeconds !== undefined) since = Math.max(since, now - startingDeadlineSeconds * 1000);
    const { at, missedTooMany, missed } = mostRecent(schedule, since, now);
    if (missedTooMany) {
      const hint = "Set or decrease .spec.startingDeadlineSeconds or check clock skew";
      this.#warn("TooManyMissedTimes", `too many missed start times: ${missed}. ${hint}`);
    }
    if (at === undefined) return;
    if (startingDeadlineSeconds !== undefined && at + startingDeadlineSeconds * 1000 < now) {
      this.#warn(
        "MissSchedule",
        `Missed scheduled time to start a job: ${new Date(at).toUTCString().replace("GMT", "+0000")}`,
      );
      return;
    }
    if (concurrencyPolicy === "Forbid" && this.#active.length > 0) {
      const message = "Not starting job because prior execution is running and concurrency policy is Forbid";
      this.#context.events.event(this.#cronJob, "Normal", "JobAlreadyActive", message);
      return;
    }
    if (concurrencyPolicy === "Replace") await this.#deleteActive();
    await this.#start(at);
  }

  async #deleteActive(): Promise<void> {
    for (const reference of this.#active) {
      const job = this.#jobs.find(({ metadata }) => metadata.uid === reference.uid);
      if (job !== undefined) await this.#delete(job);
    }
    this.#active = [];
  }

  async #start(at: number): Promise<void> {
    const { client, events, signal } = this.#context;
    const wanted = makeJob(this.#cronJob, at);
    let job: Job | undefined;
    try {
      job = await client.create(jobs, wanted, { signal });
      events.event(this.#cronJob, "Normal", "SuccessfulCreate", `Created job ${job.metadata.name}`);
    } catch (error) {
      if (isNamespaceTerminating(error)) return;
      if (!isStatusError(error, "AlreadyExists")) {
        this.#warn("FailedCreate", `Error creating job: ${messageOf(error)}`);
        throw error;
      }
      // Made at this very time before a restart; its name says when it was due.
      job = await getOrUndefined(
        client,
        jobs,
        { metadata: { ...this.#cronJob.metadata, name: wanted.metadata.name ?? "" } },
        signal,
      );
      if (job === undefined || !isControlledBy(job, this.#cronJob)) throw error;
    }
    const { uid } = job.metadata;
    const listed = this.#active.some((reference) => reference.uid === uid);
    if (!listed && !isJobFinished(job)) this.#active = [...this.#active, referenceTo(job)];
    this.#lastScheduleTime = `${new Date(at).toISOString().slice(0, 19)}Z`;
  }

  /** Deletes finished Jobs beyond the limits of history, oldest first. */
  async cleanUp(): Promise<void> {
    const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = this.#cronJob.spec ?? {};
    const trim = async (type: string, limit: number): Promise<void> => {
      const over = this.#jobs.filter((job) => isTrue(job.status?.conditions, type));
      over.sort((a, b) => ((a.status?.startTime ?? "") < (b.status?.startTime ?? "") ? -1 : 1));
      for (const job of over.slice(0, Math.max(0, over.length - limit))) await this.#delete(job);
    };
    await trim("Complete", successfulJobsHistoryLimit);
    await trim("Failed", failedJobsHistoryLimit);
  }

  async #delete(job: Job): Promise<void> {
    const { client, events, signal } = this.#context;
    if (job.metadata.deletionTimestamp !== undefined) return;
    if (await deleteExactly(client, jobs, job, { propagationPolicy: "Background", signal })) {
      events.event(this.#cronJob, "Normal", "SuccessfulDelete", `Deleted job ${job.metadata.name}`);
    }
  }

  #warn(reason: string, message: string): void {
    this.#context.events.event(this.#cronJob, "Warning", reason, message);
  }
}

function makeJob(cronJob: CronJob, at: number): New<Job> {
  const { name, namespace } = cronJob.metadata;
  const { metadata = {}, spec } = cronJob.spec?.jobTemplate ?? {};
  const scheduled = inZone(at, cronJob.spec?.timeZone ?? "UTC");
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: `${name}-${Math.floor(at / 60_000)}`,
      ...(namespace === undefined ? {} : { namespace }),
      ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
      annotations: { ...metadata.annotations, [scheduledAnnotation]: scheduled },
      ownerReferences: [controllerReference(cronJob, cronJobs)],
    },
    ...(spec === undefined ? {} : { spec }),
  };
}

function referenceTo({ metadata: { namespace, name, uid, resourceVersion } }: Job): ObjectReference {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    ...(namespace === undefined ? {} : { namespace }),
    name,
    uid,
    resourceVersion,
  };
}
