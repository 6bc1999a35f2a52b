import type { JsonObject } from "../object.js";

/**
 * autoscaling/v1 has no metrics but CPU. The rest travels in annotations, in a flat form of its own that upstream's
 * clients of v1 know: `targetAverageUtilization` beside the name instead of a target object.
 */
export function flatMetric(metric: JsonObject): JsonObject {
  return reshape(metric, "target", {
    averageUtilization: "targetAverageUtilization",
    averageValue: "targetAverageValue",
    value: "targetValue",
  });
}

export function flatMetricStatus(metric: JsonObject): JsonObject {
  return reshape(metric, "current", {
    averageUtilization: "currentAverageUtilization",
    averageValue: "currentAverageValue",
    value: "currentValue",
  });
}

interface NumberNames {
  readonly averageUtilization: string;
  readonly averageValue: string;
  readonly value: string;
}

function reshape(metric: JsonObject, field: "target" | "current", names: NumberNames): JsonObject {
  const source = sourceOf(metric);
  if (source === undefined) return { type: metric.type };
  const [key, body] = source;
  const numbers = objectAt(body, field);
  const flat: { [key: string]: unknown } = {};
  if (key === "resource" || key === "containerResource") {
    flat.name = body.name;
    if (key === "containerResource") flat.container = body.container;
    set(flat, names.averageUtilization, numbers.averageUtilization);
    set(flat, names.averageValue, numbers.averageValue);
  } else {
    const identity = objectAt(body, "metric");
    flat.metricName = identity.name;
    set(flat, key === "external" ? "metricSelector" : "selector", identity.selector);
    if (key === "object") {
      flat.target = body.describedObject;
      flat[names.value] = numbers.value ?? "0";
      set(flat, "averageValue", numbers.averageValue);
    } else {
      if (key === "external") set(flat, names.value, numbers.value);
      set(flat, names.averageValue, numbers.averageValue);
    }
  }
  return { type: metric.type, [key]: flat };
}

/** The flat form back to that of autoscaling/v2. */
export function nestedMetric(flat: JsonObject): JsonObject {
  const source = sourceOf(flat);
  if (source === undefined) return { type: flat.type };
  const [key, body] = source;
  const averageUtilization = body.targetAverageUtilization;
  const averageValue = key === "object" ? body.averageValue : body.targetAverageValue;
  const value = averageValue === undefined || key === "external" ? body.targetValue : undefined;
  const target: { [key: string]: unknown } = {
    type: averageUtilization !== undefined ? "Utilization" : averageValue !== undefined ? "AverageValue" : "Value",
  };
  set(target, "averageUtilization", averageUtilization);
  set(target, "averageValue", averageValue);
  set(target, "value", value);
  return { type: flat.type, [key]: { ...identityOf(key, body), target } };
}

export function nestedMetricStatus(flat: JsonObject): JsonObject {
  const source = sourceOf(flat);
  if (source === undefined) return { type: flat.type };
  const [key, body] = source;
  const current: { [key: string]: unknown } = {};
  set(current, "averageUtilization", body.currentAverageUtilization);
  const averageValue = key === "object" ? body.averageValue : body.currentAverageValue;
  set(current, "averageValue", averageValue);
  // The flat form of an object's metric always has a value: "0" stands for none when there is an average.
  const value = body.currentValue;
  if (!(key === "object" && averageValue !== undefined && value === "0")) set(current, "value", value);
  return { type: flat.type, [key]: { ...identityOf(key, body), current } };
}

function identityOf(key: string, body: JsonObject): JsonObject {
  if (key === "resource") return { name: body.name };
  if (key === "containerResource") return { name: body.name, container: body.container };
  const metric: { [key: string]: unknown } = { name: body.metricName };
  set(metric, "selector", body[key === "external" ? "metricSelector" : "selector"]);
  return key === "object" ? { describedObject: body.target, metric } : { metric };
}

const sources = ["resource", "containerResource", "pods", "object", "external"] as const;

function sourceOf(metric: JsonObject): readonly [key: (typeof sources)[number], body: JsonObject] | undefined {
  for (const key of sources) if (isObject(metric[key])) return [key, objectAt(metric, key)];
  return undefined;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object at a field, or an empty one. */
export function objectAt(parent: JsonObject, field: string): JsonObject {
  const value = Object.hasOwn(parent, field) ? parent[field] : undefined;
  return isObject(value) ? value : {};
}

function set(target: { [key: string]: unknown }, key: string, value: unknown): void {
  if (value !== undefined) target[key] = value;
}
