import type { JsonObject } from "../object.js";
import {
  flatMetric,
  flatMetricStatus,
  isObject,
  nestedMetric,
  nestedMetricStatus,
  objectAt,
} from "./convert-metrics.js";

const metricsAnnotation = "autoscaling.alpha.kubernetes.io/metrics";
const currentMetricsAnnotation = "autoscaling.alpha.kubernetes.io/current-metrics";
const conditionsAnnotation = "autoscaling.alpha.kubernetes.io/conditions";
const behaviorAnnotation = "autoscaling.alpha.kubernetes.io/behavior";

const defaultCpuPercent = 80;

type Mutable = { [key: string]: unknown };

/** autoscaling/v1 to v2, the version that is stored: CPU becomes a metric, the annotations become fields. */
export function autoscalerV2Of(v1: JsonObject): JsonObject {
  const annotations = { ...objectAt(objectAt(v1, "metadata"), "annotations") };
  const { targetCPUUtilizationPercentage: cpuTarget, ...spec } = objectAt(v1, "spec");
  const { currentCPUUtilizationPercentage: cpuCurrent, currentReplicas, ...status } = objectAt(v1, "status");
  const metrics = (takeList(annotations, metricsAnnotation) ?? []).map(nestedMetric);
  if (cpuTarget !== undefined) metrics.push(cpuMetric(cpuTarget));
  // What autoscaling/v1 leaves unsaid has always meant this.
  if (metrics.length === 0) metrics.push(cpuMetric(defaultCpuPercent));
  const currentMetrics = takeList(annotations, currentMetricsAnnotation)?.map(nestedMetricStatus);
  const cpuOnly =
    cpuCurrent === undefined
      ? undefined
      : [{ type: "Resource", resource: { name: "cpu", current: { averageUtilization: cpuCurrent } } }];
  const behavior = take(annotations, behaviorAnnotation);
  const conditions = takeList(annotations, conditionsAnnotation);
  return {
    ...v1,
    apiVersion: "autoscaling/v2",
    metadata: withAnnotations(v1, annotations),
    spec: defined({ ...spec, metrics, behavior }),
    ...(isObject(v1.status)
      ? {
          status: defined({
            // Zero is nothing in autoscaling/v2, and something in autoscaling/v1.
            currentReplicas: currentReplicas === 0 ? undefined : currentReplicas,
            ...status,
            currentMetrics: currentMetrics ?? cpuOnly,
            conditions,
          }),
        }
      : {}),
  };
}

function cpuMetric(averageUtilization: unknown): JsonObject {
  return { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization } } };
}

/** autoscaling/v2 to v1: what v1 has no fields for goes into annotations. */
export function autoscalerV1Of(v2: JsonObject): JsonObject {
  const annotations: Mutable = { ...objectAt(objectAt(v2, "metadata"), "annotations") };
  const { metrics, behavior, ...spec } = objectAt(v2, "spec");
  const { currentMetrics, conditions, ...status } = objectAt(v2, "status");
  const wanted = listOf(metrics);
  const cpu = wanted.findIndex((metric) => cpuUtilization(metric, "target") !== undefined);
  putList(annotations, metricsAnnotation, wanted.filter((_, index) => index !== cpu).map(flatMetric));
  putList(annotations, currentMetricsAnnotation, listOf(currentMetrics).map(flatMetricStatus));
  putList(annotations, conditionsAnnotation, listOf(conditions));
  if (behavior !== undefined) annotations[behaviorAnnotation] = JSON.stringify(behavior);
  const cpuMetric = wanted[cpu];
  return {
    ...v2,
    apiVersion: "autoscaling/v1",
    metadata: withAnnotations(v2, annotations),
    spec: defined({
      ...spec,
      targetCPUUtilizationPercentage: cpuMetric === undefined ? undefined : cpuUtilization(cpuMetric, "target"),
    }),
    ...(isObject(v2.status)
      ? {
          status: defined({
            currentReplicas: 0,
            ...status,
            currentCPUUtilizationPercentage: listOf(currentMetrics)
              .map((metric) => cpuUtilization(metric, "current"))
              .find((value) => value !== undefined),
          }),
        }
      : {}),
  };
}

function cpuUtilization(metric: JsonObject, field: "target" | "current"): unknown {
  const resource = objectAt(metric, "resource");
  return resource.name === "cpu" ? objectAt(resource, field).averageUtilization : undefined;
}

function withAnnotations(object: JsonObject, annotations: JsonObject): JsonObject {
  const { annotations: _, ...metadata } = objectAt(object, "metadata");
  return Object.keys(annotations).length > 0 ? { ...metadata, annotations } : metadata;
}

function listOf(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function putList(annotations: Mutable, key: string, list: readonly JsonObject[]): void {
  if (list.length > 0) annotations[key] = JSON.stringify(list);
}

/** What an annotation holds; it is then no longer an annotation. One that does not parse stays where it is. */
function take(annotations: Mutable, key: string): unknown {
  const text = annotations[key];
  if (typeof text !== "string") return undefined;
  try {
    const value: unknown = JSON.parse(text);
    delete annotations[key];
    return value;
  } catch {
    return undefined;
  }
}

function takeList(annotations: Mutable, key: string): JsonObject[] | undefined {
  const value = take(annotations, key);
  return Array.isArray(value) ? value.filter(isObject) : undefined;
}

function defined(object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}
