import { type FieldError, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerSpec,
  HPAScalingRules,
  MetricSpec,
  MetricTarget,
} from "../../gen/types.js";
import { tryParseQuantity } from "../../quantity.js";
import {
  addInvalid,
  checkLabel,
  checkNonNegative,
  checkOptionalEnum,
  checkRequired,
  type Errors,
  negativeMessage,
  validatePathSegmentName,
} from "../checks.js";
import { checkContainerResourceName } from "../core/resource-names.js";
import type { Loose } from "../loose.js";

const sources = {
  ContainerResource: "containerResource",
  External: "external",
  Object: "object",
  Pods: "pods",
  Resource: "resource",
} as const;
type Source = (typeof sources)[keyof typeof sources];
const sourceOrder: readonly Source[] = ["object", "external", "pods", "resource", "containerResource"];
const atLeastOne = "must be greater than or equal to 1";
const maxWindowSeconds = 3600;
const maxPeriodSeconds = 1800;

export function validateAutoscaler(autoscaler: Loose<HorizontalPodAutoscaler>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = autoscaler.spec ?? {};
  const { minReplicas, maxReplicas = 0, metrics = [] } = spec;
  if (minReplicas !== undefined && minReplicas < 0) errors.push(invalid("spec.minReplicas", minReplicas, atLeastOne));
  if (maxReplicas < 1) errors.push(invalid("spec.maxReplicas", maxReplicas, "must be greater than 0"));
  if (minReplicas !== undefined && maxReplicas < minReplicas) {
    errors.push(invalid("spec.maxReplicas", maxReplicas, "must be greater than or equal to `minReplicas`"));
  }
  checkReference(errors, "spec.scaleTargetRef", spec.scaleTargetRef ?? {});
  metrics.forEach((metric, index) => {
    checkMetric(errors, `spec.metrics[${index}]`, metric);
  });
  if (minReplicas === 0 && !metrics.some(({ type }) => type === "Object" || type === "External")) {
    const why = "must specify at least one Object or External metric to support scaling to zero replicas";
    errors.push(forbidden("spec.metrics", why));
  }
  for (const direction of ["scaleUp", "scaleDown"] as const) {
    const rules = spec.behavior?.[direction];
    if (rules !== undefined) checkRules(errors, `spec.behavior.${direction}`, rules);
  }
  return errors;
}

/** Scaling to zero is off in this version: only an autoscaler that did already still does. */
export function validateLowerBound(
  autoscaler: Loose<HorizontalPodAutoscaler>,
  old?: Loose<HorizontalPodAutoscaler>,
): readonly FieldError[] {
  if (autoscaler.spec?.minReplicas !== 0 || old?.spec?.minReplicas === 0) return [];
  return [invalid("spec.minReplicas", 0, atLeastOne)];
}

export function validateAutoscalerStatus(autoscaler: Loose<HorizontalPodAutoscaler>): readonly FieldError[] {
  const errors: Errors = [];
  for (const field of ["currentReplicas", "desiredReplicas"] as const) {
    checkNonNegative(errors, `status.${field}`, autoscaler.status?.[field]);
  }
  return errors;
}

function checkReference(
  errors: Errors,
  path: string,
  reference: NonNullable<Loose<HorizontalPodAutoscalerSpec>["scaleTargetRef"]>,
): void {
  for (const field of ["kind", "name"] as const) {
    const value = reference[field];
    if (checkRequired(errors, `${path}.${field}`, value)) {
      addInvalid(errors, `${path}.${field}`, value, validatePathSegmentName(value));
    }
  }
}

function checkMetric(errors: Errors, path: string, metric: Loose<MetricSpec>): void {
  const type = metric.type ?? "";
  if (type === "") errors.push(required(`${path}.type`, "must specify a metric source type"));
  const own = Object.hasOwn(sources, type) ? sources[type as keyof typeof sources] : undefined;
  if (own === undefined) errors.push(notSupported(`${path}.type`, type, Object.keys(sources)));
  const present = sourceOrder.filter((source) => metric[source] !== undefined);
  // Only the first one is looked at.
  const [first] = present;
  if (first !== undefined) checkSource(errors, `${path}.${first}`, metric, first);
  if (own !== undefined && metric[own] === undefined) {
    errors.push(required(`${path}.${own}`, "must populate information for the given metric source"));
  }
  if (present.length === 1) return;
  for (const source of present) {
    if (source === own) continue;
    errors.push(forbidden(`${path}.${source}`, "must populate the given metric source only"));
  }
}

function checkSource(errors: Errors, path: string, metric: Loose<MetricSpec>, source: Source): void {
  switch (source) {
    case "object":
    case "external":
    case "pods": {
      const given = metric[source];
      if (metric.object !== undefined && source === "object") {
        checkReference(errors, `${path}.describedObject`, metric.object.describedObject ?? {});
      }
      const { name } = given?.metric ?? {};
      if (checkRequired(errors, `${path}.metric.name`, name, "must specify a metric name")) {
        addInvalid(errors, `${path}.metric.name`, name, validatePathSegmentName(name));
      }
      checkTarget(errors, `${path}.target`, given?.target ?? {});
      checkValues(errors, `${path}.target`, given?.target ?? {}, source);
      return;
    }
    default: {
      const given = metric[source];
      const { name } = given ?? {};
      if (checkRequired(errors, `${path}.name`, name, "must specify a resource name")) {
        checkContainerResourceName(errors, `${path}.name`, name);
      }
      if (source === "containerResource") {
        const container = metric.containerResource?.container;
        if (checkRequired(errors, `${path}.container`, container, "must specify a container")) {
          checkLabel(errors, `${path}.container`, container);
        }
      }
      checkTarget(errors, `${path}.target`, given?.target ?? {});
      checkUtilization(errors, `${path}.target`, given?.target ?? {});
    }
  }
}

function checkValues(errors: Errors, path: string, target: Loose<MetricTarget>, source: Source): void {
  const { value, averageValue } = target;
  if (source === "pods") {
    if (averageValue !== undefined) return;
    errors.push(required(`${path}.averageValue`, "must specify a positive target averageValue"));
    return;
  }
  if (value === undefined && averageValue === undefined) {
    const what = source === "object" ? "value or averageValue" : "value for metric or a per-pod target";
    errors.push(required(`${path}.averageValue`, `must set either a target ${what}`));
  }
  if (source === "external" && value !== undefined && averageValue !== undefined) {
    errors.push(forbidden(`${path}.value`, "may not set both a target value for metric and a per-pod target"));
  }
}

function checkUtilization(errors: Errors, path: string, target: Loose<MetricTarget>): void {
  const { averageUtilization, averageValue } = target;
  if (averageUtilization === undefined && averageValue === undefined) {
    errors.push(required(`${path}.averageUtilization`, "must set either a target raw value or a target utilization"));
  } else if (averageUtilization !== undefined && averageValue !== undefined) {
    errors.push(forbidden(`${path}.averageValue`, "may not set both a target raw value and a target utilization"));
  }
}

function checkTarget(errors: Errors, path: string, target: Loose<MetricTarget>): void {
  const { type = "", value, averageUtilization, averageValue } = target;
  if (type === "") errors.push(required(`${path}.type`, "must specify a metric target type"));
  if (type !== "Utilization" && type !== "Value" && type !== "AverageValue") {
    errors.push(invalid(`${path}.type`, type, "must be either Utilization, Value, or AverageValue"));
  }
  checkPositive(errors, `${path}.value`, value);
  if (averageUtilization !== undefined && averageUtilization < 1) {
    errors.push(invalid(`${path}.averageUtilization`, averageUtilization, "must be greater than 0"));
  }
  checkPositive(errors, `${path}.averageValue`, averageValue);
}

function checkPositive(errors: Errors, path: string, text: string | undefined): void {
  if (text === undefined || (tryParseQuantity(text)?.sign ?? 1) > 0) return;
  errors.push(invalid(path, text, "must be positive"));
}

function checkRules(errors: Errors, path: string, rules: Loose<HPAScalingRules>): void {
  const window = rules.stabilizationWindowSeconds;
  if (window !== undefined && window < 0) {
    errors.push(invalid(`${path}.stabilizationWindowSeconds`, window, "must be greater than or equal to zero"));
  }
  if (window !== undefined && window > maxWindowSeconds) {
    const why = `must be less than or equal to ${maxWindowSeconds}`;
    errors.push(invalid(`${path}.stabilizationWindowSeconds`, window, why));
  }
  checkOptionalEnum(errors, `${path}.selectPolicy`, rules.selectPolicy, ["Disabled", "Max", "Min"]);
  const policies = rules.policies ?? [];
  if (policies.length === 0) errors.push(required(`${path}.policies`, "must specify at least one Policy"));
  policies.forEach((policy, index) => {
    const at = `${path}.policies[${index}]`;
    checkOptionalEnum(errors, `${at}.type`, policy.type ?? "", ["Percent", "Pods"]);
    if ((policy.value ?? 0) <= 0) errors.push(invalid(`${at}.value`, policy.value ?? 0, "must be greater than zero"));
    const period = policy.periodSeconds ?? 0;
    if (period <= 0) errors.push(invalid(`${at}.periodSeconds`, period, "must be greater than zero"));
    if (period > maxPeriodSeconds) {
      errors.push(invalid(`${at}.periodSeconds`, period, `must be less than or equal to ${maxPeriodSeconds}`));
    }
  });
  const { tolerance } = rules;
  if (tolerance !== undefined && (tryParseQuantity(tolerance)?.sign ?? 0) < 0) {
    errors.push(invalid(`${path}.tolerance`, tolerance, negativeMessage));
  }
}
