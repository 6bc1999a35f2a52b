import { type FieldError, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerSpec,
  HPAScalingRules,
  MetricSpec,
  MetricTarget,
} from "../../gen/types.js";
import { tryParseQuantity } from "../../quantity.js";
import { addInvalid, checkOptionalEnum, checkRequired, type Errors, validatePathSegmentName } from "../checks.js";
import type { Loose } from "../loose.js";

const sources = {
  ContainerResource: "containerResource",
  External: "external",
  Object: "object",
  Pods: "pods",
  Resource: "resource",
} as const;
const maxWindowSeconds = 3600;
const maxPeriodSeconds = 1800;

export function validateAutoscaler(autoscaler: Loose<HorizontalPodAutoscaler>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = autoscaler.spec ?? {};
  const { minReplicas, maxReplicas = 0 } = spec;
  if (minReplicas !== undefined && minReplicas < 1) {
    errors.push(invalid("spec.minReplicas", minReplicas, "must be greater than or equal to 1"));
  }
  if (maxReplicas < 1) errors.push(invalid("spec.maxReplicas", maxReplicas, "must be greater than 0"));
  if (minReplicas !== undefined && maxReplicas < minReplicas) {
    errors.push(invalid("spec.maxReplicas", maxReplicas, "must be greater than or equal to `minReplicas`"));
  }
  checkReference(errors, "spec.scaleTargetRef", spec.scaleTargetRef ?? {});
  spec.metrics?.forEach((metric, index) => {
    checkMetric(errors, `spec.metrics[${index}]`, metric);
  });
  for (const direction of ["scaleUp", "scaleDown"] as const) {
    const rules = spec.behavior?.[direction];
    if (rules !== undefined) checkRules(errors, `spec.behavior.${direction}`, rules);
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
  if (type === "") {
    errors.push(required(`${path}.type`, "must specify a metric source type"));
    return;
  }
  if (!Object.hasOwn(sources, type)) {
    errors.push(notSupported(`${path}.type`, type, Object.keys(sources)));
    return;
  }
  const own = sources[type as keyof typeof sources];
  for (const source of Object.values(sources)) {
    if (source !== own && metric[source] !== undefined) {
      errors.push(forbidden(`${path}.${source}`, "must populate the given metric source only"));
    }
  }
  const given = metric[own];
  if (given === undefined) {
    errors.push(required(`${path}.${own}`, "must populate information for the given metric source"));
    return;
  }
  const named = "metric" in given ? given.metric?.name : "name" in given ? given.name : undefined;
  checkRequired(
    errors,
    "metric" in given || own === "external" ? `${path}.${own}.metric.name` : `${path}.${own}.name`,
    named,
    own === "resource" ? "must specify a resource name" : "",
  );
  checkTarget(errors, `${path}.${own}.target`, given.target ?? {}, own);
}

function checkTarget(errors: Errors, path: string, target: Loose<MetricTarget>, source: string): void {
  const type = target.type ?? "";
  if (type === "") errors.push(required(`${path}.type`, "must specify a metric target type"));
  const types = ["AverageValue", "Utilization", "Value"];
  if (type !== "" && !types.includes(type)) {
    errors.push(invalid(`${path}.type`, type, "must be either Utilization, Value, or AverageValue"));
  }
  const { averageUtilization } = target;
  for (const field of ["value", "averageValue"] as const) {
    const text = target[field];
    if (text === undefined) continue;
    const quantity = tryParseQuantity(text);
    if (quantity === undefined || quantity.sign <= 0)
      errors.push(invalid(`${path}.${field}`, text, "must be positive"));
  }
  if (averageUtilization !== undefined && averageUtilization < 1) {
    errors.push(invalid(`${path}.averageUtilization`, averageUtilization, "must be greater than 0"));
  }
  if (source === "resource" || source === "containerResource") {
    if (averageUtilization === undefined && target.averageValue === undefined) {
      errors.push(required(`${path}.averageUtilization`, "must set either a target raw value or a target utilization"));
    } else if (averageUtilization !== undefined && target.averageValue !== undefined) {
      errors.push(forbidden(`${path}.averageValue`, "may not set both a target raw value and a target utilization"));
    }
  } else if (source === "pods" && target.averageValue === undefined) {
    errors.push(required(`${path}.averageValue`, "must specify a positive target averageValue"));
  } else if (source !== "pods" && target.value === undefined && target.averageValue === undefined) {
    errors.push(required(`${path}.averageValue`, "must set either a target value for metric or a per-pod target"));
  }
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
}
