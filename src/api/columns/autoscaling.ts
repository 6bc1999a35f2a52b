import { autoscalerV2Of } from "../describe/convert-autoscaling.js";
import type { PrinterColumn } from "../description.js";
import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus, ObjectMeta, Scale } from "../gen/types.js";
import type { JsonObject } from "../object.js";
import { ageColumn, columns, integer, name, text } from "./column.js";

function percent(value: number | undefined): string | undefined {
  return value === undefined ? undefined : `${value}%`;
}

/** One metric as `current/target`. */
function metricText(spec: MetricSpec, status: MetricStatus | undefined): string {
  const unknown = "<unknown>";
  const resource = spec.resource ?? spec.containerResource;
  if (resource !== undefined) {
    const current = (spec.resource === undefined ? status?.containerResource : status?.resource)?.current;
    if (resource.target.averageValue !== undefined) {
      return `${resource.name}: ${current?.averageValue ?? unknown}/${resource.target.averageValue}`;
    }
    const target = percent(resource.target.averageUtilization) ?? "<auto>";
    return `${resource.name}: ${percent(current?.averageUtilization) ?? unknown}/${target}`;
  }
  if (spec.pods !== undefined) {
    return `${status?.pods?.current.averageValue ?? unknown}/${spec.pods.target.averageValue ?? unknown}`;
  }
  const source = spec.external ?? spec.object;
  if (source === undefined) return "<unknown type>";
  const current = (spec.external === undefined ? status?.object : status?.external)?.current;
  if (source.target.averageValue !== undefined) {
    return `${current?.averageValue ?? unknown}/${source.target.averageValue} (avg)`;
  }
  return `${current?.value ?? unknown}/${source.target.value ?? unknown}`;
}

function targets(autoscaler: HorizontalPodAutoscaler): string {
  const metrics = autoscaler.spec.metrics ?? [];
  if (metrics.length === 0) return "<none>";
  const texts = metrics.slice(0, 2).map((metric, i) => metricText(metric, autoscaler.status?.currentMetrics?.[i]));
  const more = metrics.length - texts.length;
  return more > 0 ? `${texts.join(", ")} + ${more} more...` : texts.join(", ");
}

export const autoscalerColumns: readonly PrinterColumn[] = columns<HorizontalPodAutoscaler>(
  name,
  text("Reference", "What is scaled.", ({ spec }) => `${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}`),
  text("Targets", "The metrics, each with its target.", targets),
  text("MinPods", "The fewest pods.", ({ spec }) => spec.minReplicas?.toString() ?? "<unset>"),
  text("MaxPods", "The most pods.", ({ spec }) => spec.maxReplicas),
  text("Replicas", "How many pods there are.", ({ status }) => status?.currentReplicas ?? 0),
  ageColumn,
);

/** The same cells: the metrics of a v1 object are in its annotations. */
export const autoscalerV1Columns: readonly PrinterColumn[] = autoscalerColumns.map((column) => ({
  ...column,
  cell: (object: JsonObject, nowMs: number) => column.cell(autoscalerV2Of(object), nowMs),
}));

export const scaleColumns: readonly PrinterColumn[] = columns<
  Scale & { readonly metadata: ObjectMeta & { readonly name: string } }
>(
  text("Name", name.description, name.cell),
  integer("Desired", "How many replicas are wanted.", ({ spec }) => spec?.replicas ?? 0),
  integer("Available", "How many replicas there are.", ({ status }) => status?.replicas ?? 0),
  ageColumn,
);
