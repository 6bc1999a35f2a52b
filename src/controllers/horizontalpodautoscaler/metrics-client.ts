import {
  type CrossVersionObjectReference,
  isStatusError,
  parseApiVersion,
  type ResourceType,
  type Selector,
} from "../../api/index.js";
import { quantityMilliValue } from "../../api/quantity.js";
import type { Client } from "../../client/index.js";
import { messageOf } from "../shared/pod-control.js";

/** What one pod uses, or counts. */
export interface PodMetric {
  /** In thousandths. */
  readonly value: number;
  readonly timestampMs: number;
  /** Over how long it was measured. */
  readonly windowMs: number;
}

/** By pod. */
export type PodMetrics = ReadonlyMap<string, PodMetric>;

/** Finds the resource of a kind, to ask for metrics of objects of it. */
export type ResourceOf = (reference: CrossVersionObjectReference) => ResourceType | undefined;

const defaultWindowMs = 60_000;
const customVersions = ["v1beta2", "v1beta1"] as const;

/** What the APIs of metrics answer, as far as it is read here. */
interface PodUsage {
  readonly metadata: { readonly namespace?: string; readonly name: string };
  readonly timestamp?: string;
  readonly window?: string;
  readonly containers?: readonly { readonly name: string; readonly usage?: { readonly [resource: string]: string } }[];
}

interface MetricValue {
  readonly describedObject?: { readonly name?: string };
  readonly timestamp?: string;
  readonly windowSeconds?: number;
  readonly value: string | number;
}

/**
 * Reads the three APIs of metrics: metrics.k8s.io/v1beta1, custom.metrics.k8s.io/v1beta2 (where that is not served v1beta1), and
 * external.metrics.k8s.io/v1beta1. Who serves them does not matter. All methods reject with an Error that says which API fails and why.
 */
export class MetricsClient {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** What pods use of a resource, all containers together or one. A pod of which something is missing is left out. */
  async usage(
    resource: string,
    namespace: string,
    selector: Selector,
    container: string | undefined,
    signal: AbortSignal,
  ): Promise<PodMetrics> {
    const place = { group: "metrics.k8s.io", version: "v1beta1", resource: "pods" } as const;
    const items = await this.#items<PodUsage>(
      place,
      { namespace, labelSelector: selector.toString(), signal },
      "resource",
    );
    const found = new Map<string, PodMetric>();
    for (const { metadata, timestamp, window, containers = [] } of items) {
      const counted = container === undefined ? containers : containers.filter(({ name }) => name === container);
      if (container !== undefined && counted.length === 0) {
        const pod = `${metadata.namespace ?? namespace}/${metadata.name}`;
        throw new Error(
          `failed to get container metrics: container ${container} not present in metrics for pod ${pod}`,
        );
      }
      const amounts = counted.map(({ usage }) => usage?.[resource]).filter((amount) => amount !== undefined);
      if (amounts.length === 0 || amounts.length < counted.length) continue;
      const value = amounts.reduce((sum, amount) => sum + quantityMilliValue(amount), 0);
      found.set(metadata.name, { value, timestampMs: timeOf(timestamp), windowMs: durationMs(window ?? "") });
    }
    return found;
  }

  /** A custom metric of pods. */
  async ofPods(
    metric: string,
    namespace: string,
    selector: Selector,
    metricSelector: Selector | undefined,
    signal: AbortSignal,
  ): Promise<PodMetrics> {
    const asked = { namespace, resource: "pods", name: "*", metric, labelSelector: selector.toString() };
    const values = await this.#custom({ ...asked, metricSelector }, signal);
    return new Map(
      values.map(({ describedObject, timestamp, windowSeconds, value }) => [
        describedObject?.name ?? "",
        {
          value: quantityMilliValue(value),
          timestampMs: timeOf(timestamp),
          windowMs: windowSeconds === undefined ? defaultWindowMs : windowSeconds * 1000,
        },
      ]),
    );
  }

  /** A custom metric of one object, in thousandths. */
  async ofObject(
    metric: string,
    namespace: string,
    reference: CrossVersionObjectReference,
    metricSelector: Selector | undefined,
    resourceOf: ResourceOf,
    signal: AbortSignal,
  ): Promise<number> {
    const { group } = parseApiVersion(reference.apiVersion ?? "v1");
    // Metrics of a namespace are beside those of its objects; whose it is has been said by where the autoscaler is.
    if (reference.kind === "Namespace" && group === "") {
      const asked = { namespace, resource: "metrics", name: metric, metric: "", metricSelector };
      return firstOf(await this.#custom(asked, signal));
    }
    const resource = resourceOf(reference);
    if (resource === undefined) {
      const kind = group === "" ? reference.kind : `${reference.kind}.${group}`;
      throw new Error(`unable to fetch metrics from custom metrics API: no matches for kind ${kind}`);
    }
    const plural = group === "" ? resource.resource : `${resource.resource}.${group}`;
    return firstOf(
      await this.#custom({ namespace, resource: plural, name: reference.name, metric, metricSelector }, signal),
    );
  }

  /** The values of an external metric, in thousandths. */
  async external(
    metric: string,
    namespace: string,
    selector: Selector | undefined,
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    const place = { group: "external.metrics.k8s.io", version: "v1beta1", resource: metric } as const;
    const labelSelector = selector?.toString();
    const items = await this.#items<MetricValue>(place, { namespace, labelSelector, signal }, "external");
    return items.map(({ value }) => quantityMilliValue(value));
  }

  async #custom(
    asked: {
      readonly namespace: string;
      readonly resource: string;
      readonly name: string;
      readonly metric: string;
      readonly labelSelector?: string;
      readonly metricSelector: Selector | undefined;
    },
    signal: AbortSignal,
  ): Promise<readonly MetricValue[]> {
    const { namespace, resource, name, metric, labelSelector, metricSelector } = asked;
    const options = { labelSelector, metricLabelSelector: metricSelector?.toString() };
    let first: unknown;
    for (const version of customVersions) {
      const request = {
        group: "custom.metrics.k8s.io",
        version,
        resource,
        namespace,
        name,
        subresource: metric,
        signal,
      };
      try {
        const answer = await this.#client.transport.request({ ...request, verb: "get", options });
        return itemsOf<MetricValue>(answer, "custom");
      } catch (error) {
        first ??= error;
        if (!isStatusError(error, "NotFound")) break;
      }
    }
    signal.throwIfAborted();
    throw unfetched("custom", first);
  }

  async #items<T>(
    place: { readonly group: string; readonly version: string; readonly resource: string },
    { namespace, labelSelector, signal }: { namespace: string; labelSelector: string | undefined; signal: AbortSignal },
    api: string,
  ): Promise<readonly T[]> {
    try {
      const request = { ...place, verb: "list", namespace, options: { labelSelector }, signal } as const;
      return itemsOf<T>(await this.#client.transport.request(request), api);
    } catch (error) {
      signal.throwIfAborted();
      throw unfetched(api, error);
    }
  }
}

/** An answer without values. */
class NoMetrics extends Error {}

function unfetched(api: string, error: unknown): Error {
  if (error instanceof NoMetrics) return error;
  return new Error(`unable to fetch metrics from ${api} metrics API: ${messageOf(error)}`, { cause: error });
}

function itemsOf<T>(answer: unknown, api: string): readonly T[] {
  const { items } = answer as { readonly items?: readonly T[] };
  if (!Array.isArray(items) || items.length === 0) throw new NoMetrics(`no metrics returned from ${api} metrics API`);
  return items;
}

function firstOf(values: readonly MetricValue[]): number {
  return quantityMilliValue(values[0]?.value ?? 0);
}

function timeOf(timestamp: string | undefined): number {
  return timestamp === undefined ? 0 : Date.parse(timestamp);
}

const unitMs: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  µs: 1e-3,
  us: 1e-3,
  ns: 1e-6,
};

/** Of a duration as Go writes it: `1m30s`. */
function durationMs(text: string): number {
  let sum = 0;
  for (const [, number, unit = ""] of text.matchAll(/([0-9.]+)(h|ms|m|s|µs|us|ns)/g)) {
    sum += Number(number) * (unitMs[unit] ?? 0);
  }
  return sum;
}
