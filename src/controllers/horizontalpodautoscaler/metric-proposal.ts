import type {
  LabelSelector,
  MetricIdentifier,
  MetricSpec,
  MetricStatus,
  MetricTarget,
  Selector,
} from "../../api/index.js";
import { selectorFromLabelSelector } from "../../api/labels.js";
import { Quantity, quantityMilliValue } from "../../api/quantity.js";
import { messageOf } from "../shared/pod-control.js";
import type { MetricsClient, ResourceOf } from "./metrics-client.js";
import {
  type Measured,
  replicasByAverage,
  replicasByShare,
  replicasByUtilization,
  replicasByValue,
} from "./replicas.js";

/** What one metric says. */
export interface Proposal {
  readonly replicas: number;
  /** The metric in words, for events. */
  readonly name: string;
  readonly status: MetricStatus;
}

/** Why a metric says nothing. */
export class MetricError extends Error {
  /** For the condition and the event: `FailedGetResourceMetric`. */
  readonly reason: string;
  /** The message with what was asked for before it. */
  readonly inContext: string;

  constructor(reason: string, message: string, context: string) {
    super(message);
    this.reason = reason;
    this.inContext = `${context}${message}`;
  }
}

export interface Scaled extends Measured {
  readonly namespace: string;
  /** Of the target's pods. */
  readonly selector: Selector;
  /** How many there are, as the scale's status says. */
  readonly running: number;
}

interface Sources {
  readonly metrics: MetricsClient;
  readonly resourceOf: ResourceOf;
  readonly signal: AbortSignal;
}

/** How many replicas one metric asks for. Rejects with MetricError when it cannot be said. */
export async function proposalOf(spec: MetricSpec, scaled: Scaled, sources: Sources): Promise<Proposal> {
  const { resource, containerResource, pods, object, external } = spec;
  const failing = (reason: string, context: string, ask: () => Promise<Proposal>): Promise<Proposal> =>
    ask().catch((error: unknown) => {
      sources.signal.throwIfAborted();
      throw new MetricError(reason, messageOf(error), context);
    });
  if (spec.type === "Resource" && resource !== undefined) {
    return failing("FailedGetResourceMetric", `failed to get ${resource.name} resource metric value: `, () =>
      byResource(resource.name, resource.target, undefined, scaled, sources),
    );
  }
  if (spec.type === "ContainerResource" && containerResource !== undefined) {
    const { name, target, container } = containerResource;
    return failing("FailedGetContainerResourceMetric", `failed to get ${name} container metric value: `, () =>
      byResource(name, target, container, scaled, sources),
    );
  }
  if (spec.type === "Pods" && pods !== undefined) {
    return failing("FailedGetPodsMetric", "failed to get pods metric value: ", () => byPods(pods, scaled, sources));
  }
  if (spec.type === "Object" && object !== undefined) {
    return failing("FailedGetObjectMetric", "failed to get object metric value: ", () =>
      byObject(object, scaled, sources),
    );
  }
  if (spec.type === "External" && external !== undefined) {
    return failing("FailedGetExternalMetric", `failed to get ${external.metric.name} external metric value: `, () =>
      byExternal(external, scaled, sources),
    );
  }
  throw new MetricError("InvalidMetricSourceType", `unknown metric source type ${JSON.stringify(spec.type)}`, "");
}

async function byResource(
  resource: string,
  target: MetricTarget,
  container: string | undefined,
  scaled: Scaled,
  { metrics, signal }: Sources,
): Promise<Proposal> {
  const { averageValue, averageUtilization } = target;
  const what = averageValue === undefined ? "utilization" : "usage";
  if (averageValue === undefined && averageUtilization === undefined) {
    throw new Error(
      "invalid resource metric source: neither an average utilization target nor an average value (usage) target was set",
    );
  }
  try {
    const used = await metrics
      .usage(resource, scaled.namespace, scaled.selector, container, signal)
      .catch(within(`unable to get metrics for resource ${resource}`));
    const { replicas, average, utilization } =
      averageValue === undefined
        ? replicasByUtilization(scaled, used, averageUtilization ?? 0, { resource, container })
        : replicasByAverage(scaled, used, quantityMilliValue(averageValue), resource);
    const current = {
      averageValue: milli(average),
      ...(utilization === undefined ? {} : { averageUtilization: utilization }),
    };
    const kind = container === undefined ? "resource" : "container resource";
    const status: MetricStatus =
      container === undefined
        ? { type: "Resource", resource: { name: resource, current } }
        : { type: "ContainerResource", containerResource: { name: resource, container, current } };
    const name =
      averageValue === undefined ? `${resource} ${kind} utilization (percentage of request)` : `${resource} ${kind}`;
    return { replicas, name, status };
  } catch (error) {
    throw new Error(`failed to get ${resource} ${what}: ${messageOf(error)}`, { cause: error });
  }
}

async function byPods(
  { metric, target }: NonNullable<MetricSpec["pods"]>,
  scaled: Scaled,
  { metrics, signal }: Sources,
): Promise<Proposal> {
  const values = await metrics
    .ofPods(metric.name, scaled.namespace, scaled.selector, selectorOf(metric), signal)
    .catch(within(`unable to get metric ${metric.name}`));
  const { replicas, average } = replicasByAverage(scaled, values, quantityMilliValue(target.averageValue ?? "0"));
  const status = { type: "Pods", pods: { metric, current: { averageValue: milli(average) } } };
  return { replicas, name: `pods metric ${metric.name}`, status };
}

async function byObject(
  { metric, target, describedObject }: NonNullable<MetricSpec["object"]>,
  scaled: Scaled,
  { metrics, resourceOf, signal }: Sources,
): Promise<Proposal> {
  const of = `${describedObject.kind} ${scaled.namespace}/${describedObject.name}`;
  const ask = (): Promise<number> =>
    metrics
      .ofObject(metric.name, scaled.namespace, describedObject, selectorOf(metric), resourceOf, signal)
      .catch(within(`unable to get metric ${metric.name}: ${of}`));
  const told = (current: { value: string } | { averageValue: string }): MetricStatus => ({
    type: "Object",
    object: { metric, describedObject, current },
  });
  if (target.type === "Value" && target.value !== undefined) {
    const value = await ask();
    const replicas = replicasByValue(scaled, value, quantityMilliValue(target.value));
    const name = `${describedObject.kind} metric ${metric.name}`;
    return { replicas, name, status: told({ value: milli(value) }) };
  }
  if (target.type === "AverageValue" && target.averageValue !== undefined) {
    const value = await ask().catch(within(`failed to get ${metric.name} object metric`));
    const { running, tolerances } = scaled;
    const share = replicasByShare(running, value, quantityMilliValue(target.averageValue), tolerances);
    const name = `external metric ${metric.name}(${inGo(metric.selector)})`;
    return { replicas: share.replicas, name, status: told({ averageValue: milli(share.average) }) };
  }
  throw new Error("invalid object metric source: neither a value target nor an average value target was set");
}

async function byExternal(
  { metric, target }: NonNullable<MetricSpec["external"]>,
  scaled: Scaled,
  { metrics, signal }: Sources,
): Promise<Proposal> {
  const { averageValue, value } = target;
  if (averageValue === undefined && value === undefined) {
    throw new Error("invalid external metric source: neither a value target nor an average value target was set");
  }
  const of = `${scaled.namespace}/${metric.name}/${inGo(metric.selector)}`;
  const failure = averageValue === undefined ? `external metric ${metric.name}` : `${metric.name} external metric`;
  const values = await metrics
    .external(metric.name, scaled.namespace, selectorOf(metric), signal)
    .catch(within(`failed to get ${failure}: unable to get external metric ${of}`));
  const sum = values.reduce((total, one) => total + one, 0);
  const name = `external metric ${metric.name}(${inGo(metric.selector)})`;
  const told = (current: { value: string } | { averageValue: string }): MetricStatus => ({
    type: "External",
    external: { metric, current },
  });
  if (averageValue !== undefined) {
    const share = replicasByShare(scaled.running, sum, quantityMilliValue(averageValue), scaled.tolerances);
    return { replicas: share.replicas, name, status: told({ averageValue: milli(share.average) }) };
  }
  const replicas = replicasByValue(scaled, sum, quantityMilliValue(value ?? "0"));
  return { replicas, name, status: told({ value: milli(sum) }) };
}

function within(context: string): (error: unknown) => never {
  return (error) => {
    throw new Error(`${context}: ${messageOf(error)}`, { cause: error });
  };
}

function milli(value: number): string {
  return Quantity.fromMilli(value).toString();
}

/** A metric without a selector is of all. */
function selectorOf({ selector }: MetricIdentifier): Selector | undefined {
  return selector === undefined ? undefined : selectorFromLabelSelector(selector);
}

/** A selector as upstream's messages show it. */
function inGo(selector: LabelSelector | undefined): string {
  if (selector === undefined) return "nil";
  const labels = Object.entries(selector.matchLabels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const expressions = (selector.matchExpressions ?? []).map(
    ({ key, operator, values = [] }) =>
      `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${values.join(" ")}],},`,
  );
  const map = labels.map(([key, value]) => `${key}: ${value},`).join("");
  return `&LabelSelector{MatchLabels:map[string]string{${map}},MatchExpressions:[]LabelSelectorRequirement{${expressions.join("")}},}`;
}
