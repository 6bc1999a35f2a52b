import { type FieldError, invalid, notSupported, required, tooLong } from "../../field-error.js";
import type { Container, Job, JobSpec, PodTemplateSpec } from "../../gen/types.js";
import { validateDns1123Label } from "../../names.js";
import { checkSelects } from "../apps/validation.js";
import { checkImmutable, checkNonNegative, checkOptionalEnum, type Errors, immutableMessage } from "../checks.js";
import { checkPodTemplate } from "../core/pod-validation.js";
import { checkDomainPrefixedPath } from "../domain-path.js";
import { semanticallyEqual } from "../equality.js";
import { checkLabelSelector } from "../label-selector.js";
import { type Loose, ownValue } from "../loose.js";
import { controllerUidLabel, generatedLabels, legacyControllerUidLabel } from "./job-identity.js";
import { checkFailurePolicy, checkSuccessPolicy } from "./job-policies.js";

const maxIndexes = 100_000;
const maxIndexesOfMany = 10_000;
const maxManagedBy = 63;

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
export function checkJobSpec(errors: Errors, path: string, spec: Loose<JobSpec>): void {
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
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined) {
    errors.push(required(`${path}.backoffLimitPerIndex`, "when maxFailedIndexes is specified"));
  }
  checkManagedBy(errors, `${path}.managedBy`, spec.managedBy);
  checkOptionalEnum(errors, `${path}.completionMode`, spec.completionMode, ["NonIndexed", "Indexed"]);
  if (spec.completionMode === "Indexed") checkIndexed(errors, path, spec);
  else if (spec.completionMode !== undefined) {
    for (const field of ["backoffLimitPerIndex", "maxFailedIndexes"] as const) {
      if (spec[field] === undefined) continue;
      errors.push(invalid(`${path}.${field}`, spec[field], "requires indexed completion mode"));
    }
  }
  if (spec.podFailurePolicy !== undefined) {
    checkFailurePolicy(errors, `${path}.podFailurePolicy`, spec.podFailurePolicy, spec);
  }
  checkSuccessPolicy(errors, `${path}.successPolicy`, spec);
  const replacements = spec.podFailurePolicy === undefined ? ["Failed", "TerminatingOrFailed"] : ["Failed"];
  checkOptionalEnum(errors, `${path}.podReplacementPolicy`, spec.podReplacementPolicy, replacements);
  checkPodTemplate(errors, `${path}.template`, spec.template);
  checkEnds(errors, `${path}.template.spec.restartPolicy`, spec);
}

/** A job's pods come to an end. */
function checkEnds(errors: Errors, path: string, spec: Loose<JobSpec>): void {
  const policy = spec.template?.spec?.restartPolicy ?? "";
  if (policy === "Always" || policy === "") errors.push(required(path, 'valid values: "OnFailure", "Never"'));
  else if (policy !== "OnFailure" && policy !== "Never") {
    errors.push(notSupported(path, policy, ["OnFailure", "Never"]));
  } else if (spec.podFailurePolicy !== undefined && policy !== "Never") {
    errors.push(invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified'));
  }
}

function checkIndexed(errors: Errors, path: string, spec: Loose<JobSpec>): void {
  const { completions, parallelism, maxFailedIndexes, backoffLimitPerIndex } = spec;
  if (completions === undefined) errors.push(required(`${path}.completions`, "when completion mode is Indexed"));
  const atMost = (field: "parallelism" | "maxFailedIndexes", limit: number, when = ""): void => {
    if ((spec[field] ?? 0) <= limit) return;
    errors.push(invalid(`${path}.${field}`, spec[field], `must be less than or equal to ${limit}${when}`));
  };
  if (parallelism !== undefined) atMost("parallelism", maxIndexes, " when completion mode is Indexed");
  if (maxFailedIndexes !== undefined && completions !== undefined && maxFailedIndexes > completions) {
    const why = "must be less than or equal to completions";
    errors.push(invalid(`${path}.maxFailedIndexes`, maxFailedIndexes, why));
  }
  atMost("maxFailedIndexes", maxIndexes);
  if (completions === undefined || completions <= maxIndexes || backoffLimitPerIndex === undefined) return;
  if (maxFailedIndexes === undefined) {
    errors.push(required(`${path}.maxFailedIndexes`, `must be specified when completions is above ${maxIndexes}`));
  }
  const when = ` when completions are above ${maxIndexes} and used with backoff limit per index`;
  atMost("parallelism", maxIndexesOfMany, when);
  atMost("maxFailedIndexes", maxIndexesOfMany, when);
}

function checkManagedBy(errors: Errors, path: string, managedBy: string | undefined): void {
  if (managedBy === undefined) return;
  checkDomainPrefixedPath(errors, path, managedBy);
  if (managedBy.length > maxManagedBy) errors.push(tooLong(path, maxManagedBy));
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
  } else if (spec.completions !== undefined && spec.completions !== spec.parallelism) {
    const why = "can only be modified in tandem with spec.parallelism";
    errors.push(invalid("spec.completions", spec.completions, why));
  }
}

/** While a job waits, suspended, something may still decide where its pods go and how much they get. */
function checkTemplateUpdate(errors: Errors, job: Loose<Job>, old: Loose<Job>): void {
  const now = job.spec?.template;
  const then = old.spec?.template;
  if (semanticallyEqual(now, then)) return;
  const { conditions = [], startTime } = old.status ?? {};
  const stopped = conditions.some(({ type, status }) => type === "Suspended" && status === "True");
  const waits = old.spec?.suspend === true && (startTime === undefined || stopped);
  const fixed = waits ? withoutPlacement : (template: unknown): unknown => template;
  if (!semanticallyEqual(fixed(now), fixed(then))) errors.push(invalid("spec.template", now, immutableMessage));
}

function withoutPlacement(template: Loose<PodTemplateSpec> | undefined): unknown {
  const { metadata, spec = {} } = template ?? {};
  const { labels: _labels, annotations: _annotations, ...meta } = metadata ?? {};
  const { nodeSelector: _nodes, tolerations: _tolerations, schedulingGates: _gates, affinity, ...fixed } = spec;
  const { nodeAffinity: _affinity, ...others } = affinity ?? {};
  const unsized = { containers: withoutSizes(spec.containers), initContainers: withoutSizes(spec.initContainers) };
  return { metadata: meta, spec: { ...fixed, ...unsized, affinity: others } };
}

function withoutSizes(containers: readonly Loose<Container>[] | undefined): unknown {
  return containers?.map(({ resources: _resources, ...container }) => container);
}
