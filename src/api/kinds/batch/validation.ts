import { type FieldError, invalid, notSupported, required, tooMany } from "../../field-error.js";
import type { CronJob, Job, JobSpec, PodFailurePolicy, PodTemplateSpec } from "../../gen/types.js";
import { validateDns1123Label } from "../../names.js";
import { checkSelects } from "../apps/validation.js";
import {
  checkEnum,
  checkImmutable,
  checkNonNegative,
  checkSubdomain,
  type Errors,
  immutableMessage,
} from "../checks.js";
import { checkPodTemplate } from "../core/pod-validation.js";
import { semanticallyEqual } from "../equality.js";
import { checkLabelSelector } from "../label-selector.js";
import { type Loose, ownValue } from "../loose.js";
import { cronScheduleError, isTimeZone } from "./cron-schedule.js";
import { controllerUidLabel, generatedLabels, legacyControllerUidLabel } from "./job-identity.js";

const maxIndexedParallelism = 100_000;
const maxCronJobName = 52;

export function validateJob(job: Loose<Job>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = job.spec ?? {};
  checkGeneratedSelector(errors, job);
  checkJobSpec(errors, "spec", spec);
  if (spec.selector === undefined) errors.push(required("spec.selector"));
  else {
    checkLabelSelector(errors, "spec.selector", spec.selector);
    checkSelects(errors, spec.selector, spec.template);
  }
  const name = job.metadata?.name;
  if (spec.completionMode === "Indexed" && (spec.completions ?? 0) > 0 && name) {
    // A pod's hostname is the job's name and its index.
    const host = `${name}-${(spec.completions ?? 0) - 1}`;
    if (validateDns1123Label(host).length > 0) {
      errors.push(invalid("metadata.name", name, `will not able to create pod with invalid DNS label: ${host}`));
    }
  }
  return errors;
}

function checkGeneratedSelector(errors: Errors, job: Loose<Job>): void {
  const spec = job.spec ?? {};
  if (spec.manualSelector === true) return;
  if (spec.selector === undefined) return;
  if (!job.metadata?.uid) {
    errors.push(required("metadata.uid"));
    return;
  }
  const labels = spec.template?.metadata?.labels;
  for (const [key, value] of Object.entries(generatedLabels(job))) {
    const path = `spec.template.metadata.labels[${key}]`;
    const actual = ownValue(labels, key);
    if (actual === undefined) errors.push(required(path, `must be '${value}'`));
    else if (actual !== value) errors.push(invalid(path, labels, `must be '${value}'`));
  }
  const uid = job.metadata.uid;
  const { matchLabels } = spec.selector;
  const own = ownValue(matchLabels, controllerUidLabel) ?? ownValue(matchLabels, legacyControllerUidLabel);
  if (own !== uid) errors.push(invalid("spec.selector", spec.selector, "`selector` not auto-generated"));
}

/** What a Job's spec and the one of a CronJob's template have in common. */
function checkJobSpec(errors: Errors, path: string, spec: Loose<JobSpec>): void {
  for (const field of [
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
  ] as const) {
    checkNonNegative(errors, `${path}.${field}`, spec[field]);
  }
  checkIndexed(errors, path, spec);
  if (spec.podFailurePolicy !== undefined)
    checkFailurePolicy(errors, `${path}.podFailurePolicy`, spec.podFailurePolicy, spec);
  checkSuccessPolicy(errors, `${path}.successPolicy`, spec);
  checkManagedBy(errors, `${path}.managedBy`, spec.managedBy);
  checkPodTemplate(errors, `${path}.template`, spec.template);
  const policy = spec.template?.spec?.restartPolicy ?? "";
  const at = `${path}.template.spec.restartPolicy`;
  if (policy === "Always") errors.push(required(at, 'valid values: "OnFailure", "Never"'));
  else if (policy !== "OnFailure" && policy !== "Never") {
    errors.push(notSupported(at, policy, ["OnFailure", "Never"]));
  } else if (spec.podFailurePolicy !== undefined && policy !== "Never") {
    errors.push(invalid(at, policy, 'only "Never" is supported when podFailurePolicy is specified'));
  }
  const replacement = spec.podReplacementPolicy;
  if (replacement === undefined) return;
  const choices = spec.podFailurePolicy === undefined ? ["Failed", "TerminatingOrFailed"] : ["Failed"];
  if (!choices.includes(replacement)) {
    errors.push(notSupported(`${path}.podReplacementPolicy`, replacement, choices));
  }
}

function checkIndexed(errors: Errors, path: string, spec: Loose<JobSpec>): void {
  const mode = spec.completionMode;
  if (mode !== undefined && mode !== "Indexed" && mode !== "NonIndexed") {
    errors.push(notSupported(`${path}.completionMode`, mode, ["Indexed", "NonIndexed"]));
  }
  if (mode === "Indexed") {
    if (spec.completions === undefined) {
      errors.push(required(`${path}.completions`, "when completion mode is Indexed"));
    }
    if ((spec.parallelism ?? 0) > maxIndexedParallelism) {
      const why = `must be less than or equal to ${maxIndexedParallelism} when completion mode is Indexed`;
      errors.push(invalid(`${path}.parallelism`, spec.parallelism, why));
    }
    if (
      spec.maxFailedIndexes !== undefined &&
      spec.completions !== undefined &&
      spec.maxFailedIndexes > spec.completions
    ) {
      const why = `must be less than or equal to completions`;
      errors.push(invalid(`${path}.maxFailedIndexes`, spec.maxFailedIndexes, why));
    }
  } else if (spec.backoffLimitPerIndex !== undefined) {
    errors.push(invalid(`${path}.backoffLimitPerIndex`, spec.backoffLimitPerIndex, "requires indexed completion mode"));
  }
  if (spec.backoffLimitPerIndex === undefined && spec.maxFailedIndexes !== undefined) {
    errors.push(required(`${path}.backoffLimitPerIndex`, "when maxFailedIndexes is specified"));
  }
}

const maxFailureRules = 20;
const maxFailureCodes = 255;
const maxFailurePatterns = 20;

function checkFailurePolicy(errors: Errors, path: string, policy: Loose<PodFailurePolicy>, spec: Loose<JobSpec>): void {
  const rules = policy.rules ?? [];
  if (rules.length > maxFailureRules) errors.push(tooMany(`${path}.rules`, rules.length, maxFailureRules));
  const containers = new Set(
    [...(spec.template?.spec?.containers ?? []), ...(spec.template?.spec?.initContainers ?? [])].map(
      ({ name }) => name,
    ),
  );
  rules.forEach((rule, index) => {
    const at = `${path}.rules[${index}]`;
    checkEnum(errors, `${at}.action`, rule.action, ["Count", "FailIndex", "FailJob", "Ignore"]);
    if (rule.action === "FailIndex" && spec.backoffLimitPerIndex === undefined) {
      errors.push(invalid(`${at}.action`, rule.action, "requires the backoffLimitPerIndex to be set"));
    }
    const codes = rule.onExitCodes;
    const patterns = rule.onPodConditions ?? [];
    if (codes !== undefined) {
      checkEnum(errors, `${at}.onExitCodes.operator`, codes.operator, ["In", "NotIn"]);
      if (codes.containerName !== undefined && !containers.has(codes.containerName)) {
        const why = "must be one of the container or initContainer names in the pod template";
        errors.push(invalid(`${at}.onExitCodes.containerName`, codes.containerName, why));
      }
      const values = codes.values ?? [];
      const where = `${at}.onExitCodes.values`;
      if (values.length === 0) errors.push(invalid(where, values, "at least one value is required"));
      else if (values.length > maxFailureCodes) errors.push(tooMany(where, values.length, maxFailureCodes));
      values.forEach((value, position) => {
        if (codes.operator === "In" && value === 0) {
          errors.push(invalid(`${where}[${position}]`, value, "must not be 0 for the In operator"));
        } else if (values.indexOf(value) < position) {
          errors.push({
            path: `${where}[${position}]`,
            reason: "FieldValueDuplicate",
            message: `Duplicate value: ${value}`,
          });
        }
      });
      if (patterns.length > 0) {
        errors.push(invalid(at, rule, "specifying both OnExitCodes and OnPodConditions is not supported"));
      }
    } else if (patterns.length === 0) {
      errors.push(invalid(at, rule, "specifying one of OnExitCodes and OnPodConditions is required"));
    }
    if (patterns.length > maxFailurePatterns) {
      errors.push(tooMany(`${at}.onPodConditions`, patterns.length, maxFailurePatterns));
    }
    patterns.forEach((pattern, position) => {
      checkEnum(errors, `${at}.onPodConditions[${position}].status`, pattern.status, ["False", "True", "Unknown"]);
    });
  });
}

function checkSuccessPolicy(errors: Errors, path: string, spec: Loose<JobSpec>): void {
  const policy = spec.successPolicy;
  if (policy === undefined) return;
  if (spec.completionMode !== "Indexed") {
    errors.push(invalid(path, policy, "requires indexed completion mode"));
    return;
  }
  const rules = policy.rules ?? [];
  if (rules.length === 0)
    errors.push(required(`${path}.rules`, "at least one rules must be specified when the successPolicy is specified"));
  if (rules.length > 20) errors.push(tooMany(`${path}.rules`, rules.length, 20));
  rules.forEach((rule, index) => {
    if (rule.succeededCount === undefined && rule.succeededIndexes === undefined) {
      const why = "at least one of succeededCount or succeededIndexes must be specified";
      errors.push(required(`${path}.rules[${index}]`, why));
    }
    checkNonNegative(errors, `${path}.rules[${index}].succeededCount`, rule.succeededCount);
  });
}

function checkManagedBy(errors: Errors, path: string, managedBy: string | undefined): void {
  if (managedBy === undefined) return;
  const slash = managedBy.indexOf("/");
  if (slash <= 0 || slash === managedBy.length - 1) {
    errors.push(invalid(path, managedBy, 'must be a domain-prefixed path (such as "acme.io/foo")'));
  } else {
    checkSubdomain(errors, path, managedBy.slice(0, slash));
    if (!/^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(managedBy.slice(slash + 1))) {
      errors.push(invalid(path, managedBy, "Invalid path"));
    }
  }
  if (managedBy.length > 63) {
    errors.push({ path, reason: "FieldValueTooLong", message: "Too long: may not be more than 63 bytes" });
  }
}

export function validateJobUpdate(job: Loose<Job>, old: Loose<Job>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = job.spec ?? {};
  const before = old.spec ?? {};
  checkCompletionsUpdate(errors, spec, before);
  checkImmutable(errors, "spec.selector", spec.selector, before.selector);
  checkTemplateUpdate(errors, job, old);
  for (const field of [
    "completionMode",
    "podFailurePolicy",
    "backoffLimitPerIndex",
    "managedBy",
    "successPolicy",
  ] as const) {
    checkImmutable(errors, `spec.${field}`, spec[field], before[field]);
  }
  return errors;
}

/** An indexed job is elastic: completions may follow parallelism. */
function checkCompletionsUpdate(errors: Errors, spec: Loose<JobSpec>, old: Loose<JobSpec>): void {
  if (spec.completions === old.completions) return;
  if (spec.completionMode !== "Indexed") {
    errors.push(invalid("spec.completions", spec.completions, immutableMessage));
  } else if (spec.completions !== spec.parallelism) {
    const why = "can only be modified in tandem with spec.parallelism";
    errors.push(invalid("spec.completions", spec.completions, why));
  }
}

/** While a job waits, suspended and not yet started, something may still decide where its pods go. */
function checkTemplateUpdate(errors: Errors, job: Loose<Job>, old: Loose<Job>): void {
  const now = job.spec?.template;
  const then = old.spec?.template;
  if (semanticallyEqual(now, then)) return;
  const waits = old.spec?.suspend === true && old.status?.startTime === undefined;
  const fixed = waits ? withoutPlacement : (template: unknown): unknown => template;
  if (!semanticallyEqual(fixed(now), fixed(then))) errors.push(invalid("spec.template", now, immutableMessage));
}

function withoutPlacement(template: Loose<PodTemplateSpec> | undefined): unknown {
  const { metadata, spec = {} } = template ?? {};
  const { labels: _labels, annotations: _annotations, ...meta } = metadata ?? {};
  const { nodeSelector: _nodes, tolerations: _tolerations, schedulingGates: _gates, affinity, ...fixed } = spec;
  const { nodeAffinity: _affinity, ...others } = affinity ?? {};
  return { metadata: meta, spec: { ...fixed, affinity: others } };
}

export function validateCronJob(job: Loose<CronJob>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = job.spec ?? {};
  const schedule = spec.schedule ?? "";
  if (schedule === "") errors.push(required("spec.schedule"));
  else checkSchedule(errors, "spec.schedule", schedule, spec.timeZone);
  checkNonNegative(errors, "spec.startingDeadlineSeconds", spec.startingDeadlineSeconds);
  if (spec.timeZone !== undefined) checkTimeZone(errors, "spec.timeZone", spec.timeZone);
  checkEnum(errors, "spec.concurrencyPolicy", spec.concurrencyPolicy, ["Allow", "Forbid", "Replace"]);
  const jobSpec = spec.jobTemplate?.spec ?? {};
  checkJobSpec(errors, "spec.jobTemplate.spec", jobSpec);
  if (jobSpec.manualSelector === true) {
    errors.push(notSupported("spec.jobTemplate.spec.manualSelector", true, ["nil", "false"]));
  }
  checkNonNegative(errors, "spec.successfulJobsHistoryLimit", spec.successfulJobsHistoryLimit);
  checkNonNegative(errors, "spec.failedJobsHistoryLimit", spec.failedJobsHistoryLimit);
  return errors;
}

export function validateNewCronJob(job: Loose<CronJob>): readonly FieldError[] {
  const name = job.metadata?.name ?? "";
  // The jobs' names add a dash and a number of ten digits.
  if (name.length <= maxCronJobName) return [];
  return [invalid("metadata.name", name, `must be no more than ${maxCronJobName} characters`)];
}

function checkSchedule(errors: Errors, path: string, schedule: string, timeZone: string | undefined): void {
  const error = cronScheduleError(schedule);
  if (error !== undefined) errors.push(invalid(path, schedule, error));
  if (!schedule.includes("TZ")) return;
  errors.push(
    timeZone === undefined
      ? invalid(path, schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead")
      : invalid(path, schedule, "cannot use both timeZone field and TZ or CRON_TZ in schedule"),
  );
}

function checkTimeZone(errors: Errors, path: string, timeZone: string): void {
  if (timeZone === "") errors.push(invalid(path, timeZone, "timeZone must be nil or non-empty string"));
  else if (timeZone.toLowerCase() === "local") {
    errors.push(
      invalid(path, timeZone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"),
    );
  } else if (!isTimeZone(timeZone)) errors.push(invalid(path, timeZone, `unknown time zone ${timeZone}`));
}
