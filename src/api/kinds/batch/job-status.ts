import { duplicate, type FieldError, invalid, invalidBecause, required } from "../../field-error.js";
import type { Job, JobStatus } from "../../gen/types.js";
import { checkNonNegative, type Errors } from "../checks.js";
import type { Loose } from "../loose.js";
import { overlap, readIndexes } from "./indexes-format.js";

/**
 * Somebody else's controller may run a job, so its clients can rely on how a status develops only if the server sees to it.
 * What the old status had wrong already may stay: a change of the spec may have made it so, and the controller is to mend it
 * in its next step.
 */
export function validateJobStatus(job: Loose<Job>, old: Loose<Job>): readonly FieldError[] {
  const before = new Set(statusErrors({ ...job, status: old.status }).map(keyOf));
  const errors: Errors = statusErrors(job).filter((error) => !before.has(keyOf(error)));
  checkTransition(errors, job, old);
  return errors;
}

function keyOf({ path, message }: FieldError): string {
  return `${path}: ${message}`;
}

function isTrue(status: Loose<JobStatus>, type: string): boolean {
  return status.conditions?.some((condition) => condition.type === type && condition.status === "True") === true;
}

const conditionsPath = "status.conditions";

function statusErrors(job: Loose<Job>): Errors {
  const errors: Errors = [];
  const status = job.status ?? {};
  for (const field of ["active", "succeeded", "failed", "ready", "terminating"] as const) {
    checkNonNegative(errors, `status.${field}`, status[field]);
  }
  checkUncounted(errors, status);
  checkComplete(errors, status);
  if (isTrue(status, "Complete") || isTrue(status, "Failed")) checkFinished(errors, status);
  checkIndexes(errors, job, status);
  if (status.ready !== undefined && status.ready > (status.active ?? 0)) {
    errors.push(invalid("status.ready", status.ready, "cannot set more ready pods than active"));
  }
  checkSuccess(errors, job, status);
  return errors;
}

function checkUncounted(errors: Errors, status: Loose<JobStatus>): void {
  const seen = new Set<string>();
  for (const field of ["succeeded", "failed"] as const) {
    status.uncountedTerminatedPods?.[field]?.forEach((uid, index) => {
      const at = `status.uncountedTerminatedPods.${field}[${index}]`;
      if (uid === "") errors.push(invalid(at, uid, "must not be empty"));
      else if (seen.has(uid)) errors.push(duplicate(at, uid));
      else seen.add(uid);
    });
  }
}

function checkComplete(errors: Errors, status: Loose<JobStatus>): void {
  const { completionTime, startTime } = status;
  const refuse = (why: string): void => void errors.push(invalidBecause(conditionsPath, why));
  const at = "status.completionTime";
  const complete = isTrue(status, "Complete");
  if (complete && isTrue(status, "Failed")) refuse("cannot set Complete=True and Failed=true conditions");
  if (complete && isTrue(status, "FailureTarget")) refuse("cannot set Complete=True and FailureTarget=true conditions");
  if (completionTime !== undefined && !complete) {
    const why = "cannot set completionTime when there is no Complete=True condition";
    errors.push(invalid(at, completionTime, why));
  }
  if (completionTime === undefined && complete) {
    errors.push(required(at, "completionTime is required for Complete jobs"));
  }
  if (startTime !== undefined && completionTime !== undefined && completionTime < startTime) {
    errors.push(invalid(at, completionTime, "completionTime cannot be set before startTime"));
  }
  if (isTrue(status, "Failed") && !isTrue(status, "FailureTarget")) {
    refuse("cannot set Failed=True condition without the FailureTarget=true condition");
  }
  if (complete && !isTrue(status, "SuccessCriteriaMet")) {
    refuse("cannot set Complete=True condition without the SuccessCriteriaMet=true condition");
  }
}

function checkFinished(errors: Errors, status: Loose<JobStatus>): void {
  for (const field of ["active", "terminating"] as const) {
    if ((status[field] ?? 0) <= 0) continue;
    errors.push(invalid(`status.${field}`, status[field], `${field}>0 is invalid for finished job`));
  }
  if (status.startTime === undefined) {
    errors.push(required("status.startTime", "startTime is required for finished job"));
  }
  const uncounted = status.uncountedTerminatedPods;
  if ((uncounted?.succeeded?.length ?? 0) + (uncounted?.failed?.length ?? 0) === 0) return;
  const why = "uncountedTerminatedPods needs to be empty for finished job";
  errors.push(invalid("status.uncountedTerminatedPods", uncounted, why));
}

function checkIndexes(errors: Errors, job: Loose<Job>, status: Loose<JobStatus>): void {
  const { completions, completionMode, backoffLimitPerIndex } = job.spec ?? {};
  const { completedIndexes = "", failedIndexes } = status;
  const completed = readIndexes(completedIndexes, completions ?? 0);
  const failed = readIndexes(failedIndexes ?? "", completions ?? 0);
  const refuse = (field: string, value: string, why: string): void =>
    void errors.push(invalid(`status.${field}`, value, why));
  if (completions !== undefined && typeof completed === "string") {
    refuse("completedIndexes", completedIndexes, `error parsing completedIndexes: ${completed}`);
  }
  if (completions !== undefined && backoffLimitPerIndex !== undefined && typeof failed === "string") {
    refuse("failedIndexes", failedIndexes ?? "", `error parsing failedIndexes: ${failed}`);
  }
  if (completedIndexes !== "" && completionMode !== "Indexed") {
    const why = "cannot set non-empty completedIndexes when non-indexed completion mode";
    refuse("completedIndexes", completedIndexes, why);
  }
  if (failedIndexes === undefined) return;
  if (backoffLimitPerIndex === undefined) {
    refuse("failedIndexes", failedIndexes, "cannot set non-null failedIndexes when backoffLimitPerIndex is null");
  }
  if (completions === undefined || typeof completed === "string" || typeof failed === "string") return;
  const shared = overlap(failed.intervals, completed.intervals);
  if (shared === undefined) return;
  refuse("failedIndexes", failedIndexes, `failedIndexes and completedIndexes overlap at index: ${shared}`);
}

function checkSuccess(errors: Errors, job: Loose<Job>, status: Loose<JobStatus>): void {
  const met = isTrue(status, "SuccessCriteriaMet");
  const refuse = (why: string): void => void errors.push(invalidBecause(conditionsPath, why));
  if (met && isTrue(status, "Failed")) refuse("cannot set SuccessCriteriaMet=True and Failed=true conditions");
  if (met && isTrue(status, "FailureTarget")) {
    refuse("cannot set SuccessCriteriaMet=True and FailureTarget=true conditions");
  }
  if (!met && job.spec?.successPolicy !== undefined && isTrue(status, "Complete")) {
    refuse("cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True");
  }
}

/** A finished job stays so, and what was counted stays counted. */
function checkTransition(errors: Errors, job: Loose<Job>, old: Loose<Job>): void {
  const status = job.status ?? {};
  const before = old.status ?? {};
  const refuse = (why: string): void => void errors.push(invalidBecause(conditionsPath, why));
  for (const type of ["Failed", "Complete", "FailureTarget"]) {
    if (isTrue(before, type) && !isTrue(status, type)) refuse(`cannot disable the terminal ${type}=True condition`);
  }
  const { completionMode, completions, parallelism, suspend } = job.spec ?? {};
  // An indexed job whose numbers are equal can be scaled down.
  const elastic = completionMode === "Indexed" && completions === parallelism;
  for (const field of elastic ? (["failed"] as const) : (["failed", "succeeded"] as const)) {
    const count = status[field] ?? 0;
    if (count < (before[field] ?? 0)) {
      errors.push(invalid(`status.${field}`, count, `cannot decrease the ${field} counter`));
    }
  }
  const { completionTime, startTime } = status;
  const ended = before.completionTime;
  if (completionTime !== undefined && ended !== undefined && completionTime !== ended) {
    errors.push(invalid("status.completionTime", completionTime, "completionTime cannot be mutated"));
  }
  if (before.startTime !== undefined && startTime !== before.startTime && suspend !== true) {
    errors.push(required("status.startTime", "startTime cannot be removed for unsuspended job"));
  }
  const [met, wasMet] = [isTrue(status, "SuccessCriteriaMet"), isTrue(before, "SuccessCriteriaMet")];
  if (wasMet && !met) refuse("cannot disable the SuccessCriteriaMet=True condition");
  if (!wasMet && met && isTrue(before, "Complete")) {
    refuse("cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions");
  }
}
