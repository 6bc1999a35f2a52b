import { describe, expect, it } from "vitest";
import type { JsonObject } from "../object.js";
import { autoscalerV1Of, autoscalerV2Of } from "./convert-autoscaling.js";

const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name: "web" };
const utilization = (name: string, percent: number): JsonObject => ({
  type: "Resource",
  resource: { name, target: { type: "Utilization", averageUtilization: percent } },
});

const v2 = (spec: JsonObject, status?: JsonObject, annotations?: JsonObject): JsonObject => ({
  apiVersion: "autoscaling/v2",
  kind: "HorizontalPodAutoscaler",
  metadata: { name: "a", ...(annotations === undefined ? {} : { annotations }) },
  // Every stored one has metrics, if only the default.
  spec: { scaleTargetRef, maxReplicas: 5, metrics: [utilization("cpu", 80)], ...spec },
  ...(status === undefined ? {} : { status: { currentReplicas: 1, desiredReplicas: 1, ...status } }),
});

describe("autoscaling v1 and v2", () => {
  it("makes a metric of the CPU target", () => {
    const v1 = {
      apiVersion: "autoscaling/v1",
      kind: "HorizontalPodAutoscaler",
      metadata: { name: "a" },
      spec: { scaleTargetRef, maxReplicas: 5, targetCPUUtilizationPercentage: 80 },
      status: { currentReplicas: 1, desiredReplicas: 2, currentCPUUtilizationPercentage: 30 },
    };
    const converted = autoscalerV2Of(v1);
    expect(converted).toEqual(
      v2(
        { metrics: [utilization("cpu", 80)] },
        {
          desiredReplicas: 2,
          currentMetrics: [{ type: "Resource", resource: { name: "cpu", current: { averageUtilization: 30 } } }],
        },
      ),
    );
    // On the way back the measured metric is in the annotation too, as upstream writes it.
    const back = autoscalerV1Of(converted);
    expect(back).toMatchObject({ spec: v1.spec, status: v1.status, apiVersion: "autoscaling/v1" });
  });

  it("means 80 % of the CPU where v1 names no target", () => {
    const { metrics: _, ...spec } = v2({}).spec as JsonObject;
    expect(autoscalerV2Of({ ...v2({}), apiVersion: "autoscaling/v1", spec })).toEqual(v2({}));
  });

  it("puts other metrics into the annotation in the flat form", () => {
    const v1 = autoscalerV1Of(v2({ metrics: [utilization("cpu", 80), utilization("memory", 70)] }));
    expect(v1.spec).toEqual({ scaleTargetRef, maxReplicas: 5, targetCPUUtilizationPercentage: 80 });
    const metadata = v1.metadata as { annotations: Record<string, string> };
    expect(JSON.parse(metadata.annotations["autoscaling.alpha.kubernetes.io/metrics"] ?? "")).toEqual([
      { type: "Resource", resource: { name: "memory", targetAverageUtilization: 70 } },
    ]);
  });

  const selector = { matchLabels: { q: "1" } };
  const describedObject = { apiVersion: "v1", kind: "Service", name: "s" };
  const roundTrips: readonly { readonly name: string; readonly object: JsonObject }[] = [
    { name: "the default metric", object: v2({}) },
    { name: "annotations of the user", object: v2({}, undefined, { mine: "1" }) },
    {
      name: "a resource by value",
      object: v2({
        metrics: [
          { type: "Resource", resource: { name: "cpu", target: { type: "AverageValue", averageValue: "500m" } } },
        ],
      }),
    },
    {
      name: "a container resource",
      object: v2({
        metrics: [
          {
            type: "ContainerResource",
            containerResource: { name: "cpu", container: "c", target: { type: "Utilization", averageUtilization: 1 } },
          },
        ],
      }),
    },
    {
      name: "a pods metric",
      object: v2({
        metrics: [
          {
            type: "Pods",
            pods: { metric: { name: "m", selector }, target: { type: "AverageValue", averageValue: "1" } },
          },
        ],
      }),
    },
    {
      name: "an object metric",
      object: v2({
        metrics: [
          {
            type: "Object",
            object: { describedObject, metric: { name: "m" }, target: { type: "Value", value: "10" } },
          },
        ],
      }),
    },
    {
      name: "an object's average",
      object: v2({
        metrics: [
          {
            type: "Object",
            object: { describedObject, metric: { name: "m" }, target: { type: "AverageValue", averageValue: "10" } },
          },
        ],
      }),
    },
    {
      name: "an external metric",
      object: v2({
        metrics: [
          { type: "External", external: { metric: { name: "m", selector }, target: { type: "Value", value: "10" } } },
        ],
      }),
    },
    {
      name: "an external average",
      object: v2({
        metrics: [
          {
            type: "External",
            external: { metric: { name: "m" }, target: { type: "AverageValue", averageValue: "10" } },
          },
        ],
      }),
    },
    { name: "behavior", object: v2({ behavior: { scaleDown: { stabilizationWindowSeconds: 5 } } }) },
    {
      name: "status",
      object: v2(
        {},
        {
          conditions: [{ type: "AbleToScale", status: "True" }],
          currentMetrics: [
            { type: "Resource", resource: { name: "cpu", current: { averageUtilization: 3, averageValue: "30m" } } },
            { type: "External", external: { metric: { name: "m" }, current: { value: "3" } } },
            { type: "Object", object: { describedObject, metric: { name: "m" }, current: { averageValue: "3" } } },
          ],
        },
      ),
    },
  ];
  for (const { name, object } of roundTrips) {
    it(`keeps ${name} over v1`, () => expect(autoscalerV2Of(autoscalerV1Of(object))).toEqual(object));
  }

  it("leaves an annotation alone that is no JSON", () => {
    const annotations = { "autoscaling.alpha.kubernetes.io/metrics": "{" };
    expect(autoscalerV2Of({ ...v2({}, undefined, annotations), apiVersion: "autoscaling/v1" })).toEqual(
      v2({}, undefined, annotations),
    );
  });
});
