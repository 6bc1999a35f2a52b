import { type FieldError, invalid, notSupported, required } from "../../field-error.js";
import type { CronJob } from "../../gen/types.js";
import { checkEnum, checkNonNegative, type Errors } from "../checks.js";
import type { Loose } from "../loose.js";
import { cronScheduleError, isTimeZone } from "./cron-schedule.js";
import { checkJobSpec } from "./validation.js";

const maxCronJobName = 52;
const zonePart = /^(?!\.\.?$|-)[A-Za-z.\-_0-9+]{1,14}$/;

export function validateCronJob(job: Loose<CronJob>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = job.spec ?? {};
  const schedule = spec.schedule ?? "";
  const wrong = cronScheduleError(schedule);
  if (schedule === "") errors.push(required("spec.schedule"));
  else if (wrong !== undefined) errors.push(invalid("spec.schedule", schedule, wrong));
  checkNonNegative(errors, "spec.startingDeadlineSeconds", spec.startingDeadlineSeconds);
  checkEnum(errors, "spec.concurrencyPolicy", spec.concurrencyPolicy, ["Allow", "Forbid", "Replace"]);
  const jobSpec = spec.jobTemplate?.spec ?? {};
  const path = "spec.jobTemplate.spec";
  checkJobSpec(errors, path, jobSpec);
  if (jobSpec.selector !== undefined) {
    errors.push(invalid(`${path}.selector`, jobSpec.selector, "`selector` will be auto-generated"));
  }
  if (jobSpec.manualSelector === true) errors.push(notSupported(`${path}.manualSelector`, true, ["nil", "false"]));
  checkNonNegative(errors, "spec.successfulJobsHistoryLimit", spec.successfulJobsHistoryLimit);
  checkNonNegative(errors, "spec.failedJobsHistoryLimit", spec.failedJobsHistoryLimit);
  return errors;
}

export function validateNewCronJob(job: Loose<CronJob>): readonly FieldError[] {
  const errors: Errors = [];
  checkZones(errors, job, undefined);
  const name = job.metadata?.name ?? "";
  // The jobs' names add a dash and a number of ten digits.
  if (name.length > maxCronJobName) {
    errors.push(invalid("metadata.name", name, `must be no more than ${maxCronJobName} characters`));
  }
  return errors;
}

export function validateCronJobUpdate(job: Loose<CronJob>, old: Loose<CronJob>): readonly FieldError[] {
  const errors: Errors = [];
  checkZones(errors, job, old);
  return errors;
}

/** A schedule that had a time zone of its own keeps it, and a time zone that the server does not know any more stays. */
function checkZones(errors: Errors, job: Loose<CronJob>, old: Loose<CronJob> | undefined): void {
  const { schedule = "", timeZone } = job.spec ?? {};
  if (schedule.includes("TZ")) {
    const why =
      old?.spec?.schedule?.includes("TZ") !== true
        ? "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        : timeZone === undefined
          ? undefined
          : "cannot use both timeZone field and TZ or CRON_TZ in schedule";
    if (why !== undefined) errors.push(invalid("spec.schedule", schedule, why));
  }
  if (timeZone === undefined || timeZone === old?.spec?.timeZone) return;
  const refuse = (why: string): void => void errors.push(invalid("spec.timeZone", timeZone, why));
  if (timeZone === "") refuse("timeZone must be nil or non-empty string");
  else if (!timeZone.split("/").every((part) => zonePart.test(part))) refuse(`unknown time zone ${timeZone}`);
  else if (timeZone.toLowerCase() === "local") {
    refuse("timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones");
  } else if (!isTimeZone(timeZone)) refuse(`unknown time zone ${timeZone}`);
}
