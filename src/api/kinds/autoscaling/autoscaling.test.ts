import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../object.js";
import { created, updated, withPath } from "../testing.js";

const kind = "autoscaling/horizontalpodautoscalers";
const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name: "web" };
const autoscaler: JsonObject = { metadata: { name: "web" }, spec: { scaleTargetRef, maxReplicas: 3 } };

function metrics(...list: readonly JsonObject[]): JsonObject {
  return withPath(autoscaler, "spec.metrics", list);
}

const rows: readonly { readonly name: string; readonly given: JsonObject; readonly errors: readonly string[] }[] = [
  { name: "a small autoscaler", given: autoscaler, errors: [] },
  {
    name: "scaling to zero",
    given: withPath(autoscaler, "spec.minReplicas", 0),
    errors: [
      "spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero replicas",
      "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1",
    ],
  },
  {
    name: "a metric without a type",
    given: metrics({}),
    errors: [
      "spec.metrics[0].type: Required value: must specify a metric source type",
      'spec.metrics[0].type: Unsupported value: "": supported values: "ContainerResource", "External", "Object", "Pods", "Resource"',
    ],
  },
  {
    name: "metrics of other sources",
    given: metrics(
      { type: "Pods", external: { metric: { name: "" }, target: { type: "Value", value: "0", averageValue: "1" } } },
      { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 0 } } },
      { type: "ContainerResource", containerResource: { name: "cpu", container: "C", target: { type: "Other" } } },
    ),
    errors: [
      "spec.metrics[0].external.metric.name: Required value: must specify a metric name",
      'spec.metrics[0].external.target.value: Invalid value: "0": must be positive',
      "spec.metrics[0].external.target.value: Forbidden: may not set both a target value for metric and a per-pod target",
      "spec.metrics[0].pods: Required value: must populate information for the given metric source",
      "spec.metrics[1].resource.target.averageUtilization: Invalid value: 0: must be greater than 0",
      `spec.metrics[2].containerResource.container: Invalid value: "C": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
      'spec.metrics[2].containerResource.target.type: Invalid value: "Other": must be either Utilization, Value, or AverageValue',
      "spec.metrics[2].containerResource.target.averageUtilization: Required value: must set either a target raw value or a target utilization",
    ],
  },
];

describe("autoscalers", () => {
  it.each(rows)("$name", ({ given, errors }) => {
    expect(created(kind, given).errors).toEqual(errors);
  });

  it("an autoscaler that scaled to zero still does", () => {
    const external = { type: "External", external: { metric: { name: "q" }, target: { type: "Value", value: "1" } } };
    const zero = withPath(metrics(external), "spec.minReplicas", 0);
    expect(updated(kind, withPath(zero, "spec.maxReplicas", 5), zero).errors).toEqual([]);
    expect(updated(kind, withPath(zero, "status", { currentReplicas: -1 }), zero, "status").errors).toEqual([
      "status.currentReplicas: Invalid value: -1: must be greater than or equal to 0",
    ]);
  });
});

describe("conditions of disruption budgets", () => {
  it("are whole", () => {
    const good = { type: "A", status: "True", reason: "Why", message: "", lastTransitionTime: "2026-01-01T00:00:00Z" };
    const status = { conditions: [good, { ...good, reason: "" }, { type: "B", status: "Yes", reason: "a b" }] };
    expect(updated("policy/poddisruptionbudgets", { status }, {}, "status").errors).toEqual([
      'status.conditions[1].type: Duplicate value: "A"',
      "status.conditions[1].reason: Required value: must be set",
      'status.conditions[2].status: Unsupported value: "Yes": supported values: "False", "True", "Unknown"',
      "status.conditions[2].lastTransitionTime: Required value: must be set",
      `status.conditions[2].reason: Invalid value: "a b": a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')`,
    ]);
  });
});
