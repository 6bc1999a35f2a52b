import { type FieldError, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type {
  ControllerRevision,
  DaemonSet,
  Deployment,
  LabelSelector,
  PodTemplateSpec,
  ReplicaSet,
  ReplicationController,
} from "../../gen/types.js";
import {
  checkImmutable,
  checkNonNegative,
  checkNonNegativeIntOrPercent,
  checkNotOver100Percent,
  type Errors,
} from "../checks.js";
import { checkPodTemplate } from "../core/pod-validation.js";
import { checkLabelSelector, isEmptySelector, selects } from "../label-selector.js";
import type { Loose } from "../loose.js";

const mismatch = "`selector` does not match template `labels`";

/** A selector that is there, says something and selects the pods of the template. `kind` is the word in the message. */
export function checkSelectorAndTemplate(
  errors: Errors,
  selector: Loose<LabelSelector> | undefined,
  template: Loose<PodTemplateSpec> | undefined,
  kind: string,
): void {
  if (selector === undefined) errors.push(required("spec.selector"));
  else {
    checkLabelSelector(errors, "spec.selector", selector);
    if (isEmptySelector(selector)) {
      errors.push(invalid("spec.selector", selector, `empty selector is invalid for ${kind}`));
    } else {
      checkSelects(errors, selector, template);
    }
  }
  checkPodTemplate(errors, "spec.template", template);
}

export function checkSelects(
  errors: Errors,
  selector: Loose<LabelSelector>,
  template: Loose<PodTemplateSpec> | undefined,
): void {
  const labels = template?.metadata?.labels;
  if (selects(selector, labels)) return;
  errors.push(invalid("spec.template.metadata.labels", labels, mismatch));
}

/** Pods of these workloads run for ever. */
export function checkRunsForever(errors: Errors, template: Loose<PodTemplateSpec> | undefined, kind: string): void {
  const policy = template?.spec?.restartPolicy ?? "";
  if (policy !== "Always") errors.push(notSupported("spec.template.spec.restartPolicy", policy, ["Always"]));
  if (template?.spec?.activeDeadlineSeconds !== undefined) {
    const why = `activeDeadlineSeconds in ${kind} is not Supported`;
    errors.push(forbidden("spec.template.spec.activeDeadlineSeconds", why));
  }
}

export function validateDeployment(deployment: Loose<Deployment>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = deployment.spec ?? {};
  checkNonNegative(errors, "spec.replicas", spec.replicas);
  checkSelectorAndTemplate(errors, spec.selector, spec.template, "deployment");
  checkRunsForever(errors, spec.template, "ReplicaSet");
  checkDeploymentStrategy(errors, "spec.strategy", spec.strategy ?? {});
  checkNonNegative(errors, "spec.minReadySeconds", spec.minReadySeconds);
  checkNonNegative(errors, "spec.revisionHistoryLimit", spec.revisionHistoryLimit);
  const deadline = spec.progressDeadlineSeconds;
  if (deadline !== undefined) {
    checkNonNegative(errors, "spec.progressDeadlineSeconds", deadline);
    if (deadline <= (spec.minReadySeconds ?? 0)) {
      errors.push(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"));
    }
  }
  return errors;
}

type DeploymentStrategy = NonNullable<NonNullable<Loose<Deployment>["spec"]>["strategy"]>;

function checkDeploymentStrategy(errors: Errors, path: string, strategy: DeploymentStrategy): void {
  const rolling = strategy.rollingUpdate;
  switch (strategy.type) {
    case "Recreate":
      if (rolling !== undefined) {
        const why = "may not be specified when strategy `type` is 'Recreate'";
        errors.push(forbidden(`${path}.rollingUpdate`, why));
      }
      return;
    case "RollingUpdate": {
      const at = `${path}.rollingUpdate`;
      if (rolling === undefined) {
        errors.push(required(at, "this should be defaulted and never be nil"));
        return;
      }
      checkNonNegativeIntOrPercent(errors, `${at}.maxUnavailable`, rolling.maxUnavailable);
      checkNonNegativeIntOrPercent(errors, `${at}.maxSurge`, rolling.maxSurge);
      if (isNone(rolling.maxUnavailable) && isNone(rolling.maxSurge)) {
        errors.push(invalid(`${at}.maxUnavailable`, rolling.maxUnavailable, "may not be 0 when `maxSurge` is 0"));
      }
      checkNotOver100Percent(errors, `${at}.maxUnavailable`, rolling.maxUnavailable);
      return;
    }
    default:
      errors.push(notSupported(path, strategy, ["Recreate", "RollingUpdate"]));
  }
}

function isNone(value: number | string | undefined): boolean {
  return value === undefined || value === 0 || value === "0%";
}

export function validateSelectorUpdate<T extends { readonly spec?: { readonly selector?: unknown } | undefined }>(
  object: T,
  old: T,
): readonly FieldError[] {
  const errors: Errors = [];
  checkImmutable(errors, "spec.selector", object.spec?.selector, old.spec?.selector);
  return errors;
}

export function validateDeploymentStatus(object: Loose<Deployment>, old: Loose<Deployment>): readonly FieldError[] {
  const errors: Errors = [];
  const status = object.status ?? {};
  const { replicas = 0, availableReplicas = 0, readyReplicas = 0, updatedReplicas = 0 } = status;
  checkCounts(errors, status, [
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "terminatingReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "collisionCount",
  ]);
  checkAtMost(errors, "updatedReplicas", updatedReplicas, "status.replicas", replicas);
  checkAtMost(errors, "readyReplicas", readyReplicas, "status.replicas", replicas);
  checkAtMost(errors, "availableReplicas", availableReplicas, "status.replicas", replicas);
  checkAtMost(errors, "availableReplicas", availableReplicas, "readyReplicas", readyReplicas);
  checkCollisions(errors, status.collisionCount, old.status?.collisionCount);
  return errors;
}

export function checkCounts<K extends string>(
  errors: Errors,
  status: { readonly [field in K]?: number | undefined },
  fields: readonly K[],
): void {
  for (const field of fields) checkNonNegative(errors, `status.${field}`, status[field]);
}

export function checkAtMost(errors: Errors, field: string, value: number, limitField: string, limit: number): void {
  if (value > limit) errors.push(invalid(`status.${field}`, value, `cannot be greater than ${limitField}`));
}

export function checkCollisions(errors: Errors, now: number | undefined, then: number | undefined): void {
  if (then === undefined || (now ?? 0) >= then) return;
  errors.push(invalid("status.collisionCount", now ?? 0, "cannot be decremented"));
}

export function validateReplicaSet(set: Loose<ReplicaSet>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = set.spec ?? {};
  checkNonNegative(errors, "spec.replicas", spec.replicas);
  checkNonNegative(errors, "spec.minReadySeconds", spec.minReadySeconds);
  checkSelectorAndTemplate(errors, spec.selector, spec.template, "deployment");
  checkRunsForever(errors, spec.template, "ReplicaSet");
  return errors;
}

export function validateReplicaSetStatus(set: Loose<ReplicaSet> | Loose<ReplicationController>): readonly FieldError[] {
  const errors: Errors = [];
  const status = set.status ?? {};
  const { replicas = 0, fullyLabeledReplicas = 0, readyReplicas = 0, availableReplicas = 0 } = status;
  checkCounts(errors, status, [
    "replicas",
    "fullyLabeledReplicas",
    "readyReplicas",
    "availableReplicas",
    "observedGeneration",
  ]);
  checkAtMost(errors, "fullyLabeledReplicas", fullyLabeledReplicas, "status.replicas", replicas);
  checkAtMost(errors, "readyReplicas", readyReplicas, "status.replicas", replicas);
  checkAtMost(errors, "availableReplicas", availableReplicas, "status.replicas", replicas);
  checkAtMost(errors, "availableReplicas", availableReplicas, "readyReplicas", readyReplicas);
  return errors;
}

export function validateReplicationController(controller: Loose<ReplicationController>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = controller.spec ?? {};
  checkNonNegative(errors, "spec.minReadySeconds", spec.minReadySeconds);
  checkNonNegative(errors, "spec.replicas", spec.replicas);
  if (Object.keys(spec.selector ?? {}).length === 0) errors.push(required("spec.selector"));
  if (spec.template === undefined) {
    errors.push(required("spec.template"));
    return errors;
  }
  if (spec.selector !== undefined) checkSelects(errors, { matchLabels: spec.selector }, spec.template);
  checkPodTemplate(errors, "spec.template", spec.template);
  checkRunsForever(errors, spec.template, "ReplicationController");
  return errors;
}

export function validateDaemonSet(set: Loose<DaemonSet>): readonly FieldError[] {
  const errors: Errors = [];
  const { selector, template, ...spec } = set.spec ?? {};
  checkLabelSelector(errors, "spec.selector", selector ?? {});
  const labels = template?.metadata?.labels;
  if (selector === undefined || !selects(selector, labels)) {
    errors.push(invalid("spec.template.metadata.labels", labels, mismatch));
  }
  if (selector !== undefined && isEmptySelector(selector)) {
    errors.push(invalid("spec.selector", selector, "empty selector is invalid for daemonset"));
  }
  checkPodTemplate(errors, "spec.template", template);
  checkRunsForever(errors, template, "DaemonSet");
  checkNonNegative(errors, "spec.minReadySeconds", spec.minReadySeconds);
  checkDaemonSetStrategy(errors, "spec.updateStrategy", spec.updateStrategy ?? {});
  checkNonNegative(errors, "spec.revisionHistoryLimit", spec.revisionHistoryLimit);
  return errors;
}

function checkDaemonSetStrategy(
  errors: Errors,
  path: string,
  strategy: NonNullable<NonNullable<Loose<DaemonSet>["spec"]>["updateStrategy"]>,
): void {
  if (strategy.type === "OnDelete") return;
  if (strategy.type !== "RollingUpdate") {
    errors.push(notSupported(path, strategy, ["RollingUpdate", "OnDelete"]));
    return;
  }
  const rolling = strategy.rollingUpdate;
  const at = `${path}.rollingUpdate`;
  if (rolling === undefined) {
    errors.push(required(at));
    return;
  }
  const numbers = ["maxUnavailable", "maxSurge"] as const;
  for (const field of numbers) checkNonNegativeIntOrPercent(errors, `${at}.${field}`, rolling[field]);
  for (const field of numbers) checkNotOver100Percent(errors, `${at}.${field}`, rolling[field]);
  if (!isNone(rolling.maxUnavailable) && !isNone(rolling.maxSurge)) {
    errors.push(invalid(`${at}.maxSurge`, rolling.maxSurge, "may not be set when maxUnavailable is non-zero"));
  } else if (isNone(rolling.maxUnavailable) && isNone(rolling.maxSurge)) {
    errors.push(required(`${at}.maxUnavailable`, "cannot be 0 when maxSurge is 0"));
  }
}

export function validateDaemonSetStatus(object: Loose<DaemonSet>, old: Loose<DaemonSet>): readonly FieldError[] {
  const errors: Errors = [];
  const status = object.status ?? {};
  checkCounts(errors, status, [
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
    "observedGeneration",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
    "collisionCount",
  ]);
  checkCollisions(errors, status.collisionCount, old.status?.collisionCount);
  return errors;
}

export function validateControllerRevision(revision: Loose<ControllerRevision>): readonly FieldError[] {
  const errors: Errors = [];
  if (revision.data === undefined) errors.push(required("data", "data is mandatory"));
  checkNonNegative(errors, "revision", revision.revision);
  return errors;
}

export function validateControllerRevisionUpdate(
  revision: Loose<ControllerRevision>,
  old: Loose<ControllerRevision>,
): readonly FieldError[] {
  const errors: Errors = [];
  checkImmutable(errors, "data", revision.data, old.data);
  return errors;
}
