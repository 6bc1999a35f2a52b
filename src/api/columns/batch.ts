import type { PrinterColumn } from "../description.js";
import type { CronJob, Job } from "../gen/types.js";
import { ageColumn, columns, flag, integer, name, orNone, text } from "./column.js";
import { age, humanDuration } from "./human-duration.js";
import { selectorColumn, templateColumns } from "./workloads.js";

function jobStatus(job: Job): string {
  const isTrue = (type: string): boolean =>
    job.status?.conditions?.find((condition) => condition.type === type)?.status === "True";
  if (isTrue("Complete")) return "Complete";
  if (isTrue("Failed")) return "Failed";
  if (job.metadata.deletionTimestamp !== undefined) return "Terminating";
  if (isTrue("Suspended")) return "Suspended";
  return isTrue("FailureTarget") ? "FailureTarget" : "Running";
}

function completions(job: Job): string {
  const succeeded = job.status?.succeeded ?? 0;
  const wanted = job.spec?.completions;
  if (wanted !== undefined) return `${succeeded}/${wanted}`;
  // A work queue: it is done when one of its workers says so.
  const parallelism = job.spec?.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function jobDuration(job: Job, nowMs: number): string {
  const { startTime, completionTime } = job.status ?? {};
  if (startTime === undefined) return "";
  return humanDuration((completionTime === undefined ? nowMs : Date.parse(completionTime)) - Date.parse(startTime));
}

export const jobColumns: readonly PrinterColumn[] = columns<Job>(
  name,
  text("Status", "What the job is doing.", jobStatus),
  text("Completions", "How many pods ended well, of how many that must.", completions),
  text("Duration", "How long the job took, or has taken so far.", jobDuration),
  ageColumn,
  ...templateColumns<Job>((job) => job.spec?.template),
  selectorColumn<Job>((job) => job.spec?.selector),
);

export const cronJobColumns: readonly PrinterColumn[] = columns<CronJob>(
  name,
  text("Schedule", "When jobs are made.", (cron) => cron.spec?.schedule ?? ""),
  text("Timezone", "The time zone of the schedule.", (cron) => orNone(cron.spec?.timeZone)),
  flag("Suspend", "Whether no jobs are made.", (cron) => {
    const suspend = cron.spec?.suspend;
    return suspend === undefined ? "<unset>" : suspend ? "True" : "False";
  }),
  integer("Active", "How many of its jobs run.", (cron) => cron.status?.active?.length ?? 0),
  text("Last Schedule", "The time since the last job was made.", (cron, nowMs) =>
    cron.status?.lastScheduleTime === undefined ? "<none>" : age(cron.status.lastScheduleTime, nowMs),
  ),
  ageColumn,
  ...templateColumns<CronJob>((cron) => cron.spec?.jobTemplate.spec?.template),
  selectorColumn<CronJob>((cron) => cron.spec?.jobTemplate.spec?.selector),
);
