import { describe, expect, it } from "vitest";
import { type ApiRequest, deployments, type KubeObject, parseLabelSelector, statusErrors } from "../../api/index.js";
import { createClient } from "../../client/index.js";
import { MetricsClient } from "./metrics-client.js";

const { signal } = new AbortController();
const web = parseLabelSelector("app=web");
const fast = parseLabelSelector("verb=get");
const resourceOf = () => deployments;

/** A client of a server that answers by path, and what it was asked. */
function metricsOf(answers: { readonly [path: string]: readonly unknown[] }): {
  readonly metrics: MetricsClient;
  readonly asked: string[];
} {
  const asked: string[] = [];
  const request = async (call: ApiRequest): Promise<KubeObject> => {
    const { group, version, namespace, resource, name, subresource, options } = call;
    const steps = [group, version, namespace, resource, name, subresource].filter(Boolean);
    const { labelSelector, metricLabelSelector } = (options ?? {}) as Record<string, string | undefined>;
    const query = [labelSelector, metricLabelSelector].map((selector) => `?${selector ?? ""}`).join("");
    asked.push(steps.join("/") + query);
    const items = answers[steps.join("/")];
    if (items === undefined) throw statusErrors.notFound({ group, resource }, "");
    return { items } as unknown as KubeObject;
  };
  const watch = (): never => {
    throw new Error("nobody watches metrics");
  };
  return { metrics: new MetricsClient(createClient({ request, watch })), asked };
}

describe("metrics of resources", () => {
  const podMetrics = (name: string, ...usage: readonly object[]) => ({
    metadata: { namespace: "team", name },
    timestamp: "2026-01-01T00:00:00Z",
    window: "1m30.5s",
    containers: usage.map((used, index) => ({ name: index === 0 ? "main" : "beside", usage: used })),
  });
  const path = "metrics.k8s.io/v1beta1/team/pods";

  it("are sums over the containers of each pod, or those of one container", async () => {
    const two = podMetrics("a", { cpu: "250m", memory: "1Ki" }, { cpu: "1500000n" });
    const { metrics, asked } = metricsOf({ [path]: [two, podMetrics("b", { memory: "1Ki" }), podMetrics("c")] });
    const at = { timestampMs: Date.parse("2026-01-01T00:00:00Z"), windowMs: 90_500 };
    expect([...(await metrics.usage("cpu", "team", web, undefined, signal))]).toEqual([["a", { ...at, value: 252 }]]);
    expect(asked).toEqual([`${path}?app=web?`]);
    const whole = metricsOf({ [path]: [two] }).metrics;
    expect([...(await whole.usage("cpu", "team", web, "main", signal))]).toEqual([["a", { ...at, value: 250 }]]);
    await expect(whole.usage("cpu", "team", web, "other", signal)).rejects.toThrow(
      "failed to get container metrics: container other not present in metrics for pod team/a",
    );
  });

  it("are told to be missing", async () => {
    await expect(metricsOf({ [path]: [] }).metrics.usage("cpu", "team", web, undefined, signal)).rejects.toThrow(
      "no metrics returned from resource metrics API",
    );
    await expect(metricsOf({}).metrics.usage("cpu", "team", web, undefined, signal)).rejects.toThrow(
      /^unable to fetch metrics from resource metrics API: .*pods\.metrics\.k8s\.io/,
    );
  });
});

describe("custom metrics", () => {
  const value = (name: string, amount: string, more: object = {}) => ({
    describedObject: { name },
    timestamp: "2026-01-01T00:00:00Z",
    value: amount,
    ...more,
  });
  const places = [
    { name: "Deployment", apiVersion: "apps/v1", path: "team/deployments.apps/web/hits" },
    { name: "Namespace", apiVersion: "v1", path: "team/metrics/hits" },
  ];

  it.each(["v1beta2", "v1beta1"])("of pods are asked for at %s", async (version) => {
    const path = `custom.metrics.k8s.io/${version}/team/pods/*/hits`;
    const { metrics, asked } = metricsOf({ [path]: [value("a", "1500m"), value("b", "2", { windowSeconds: 10 })] });
    const found = await metrics.ofPods("hits", "team", web, fast, signal);
    expect([...found].map(([pod, metric]) => [pod, metric.value, metric.windowMs])).toEqual([
      ["a", 1500, 60_000],
      ["b", 2000, 10_000],
    ]);
    expect(asked.at(-1)).toBe(`${path}?app=web?verb=get`);
  });

  it.each(places)("of a $name are at $path", async ({ name: kind, apiVersion, path }) => {
    const { metrics, asked } = metricsOf({ [`custom.metrics.k8s.io/v1beta2/${path}`]: [value("web", "10")] });
    const reference = { apiVersion, kind, name: "web" };
    expect(await metrics.ofObject("hits", "team", reference, undefined, resourceOf, signal)).toBe(10_000);
    expect(asked).toHaveLength(1);
  });

  it("that nobody serves are told so once", async () => {
    const { metrics } = metricsOf({});
    await expect(metrics.ofPods("hits", "team", web, undefined, signal)).rejects.toThrow(
      /^unable to fetch metrics from custom metrics API: /,
    );
    const reference = { kind: "Boat", name: "a" };
    await expect(metrics.ofObject("hits", "team", reference, undefined, () => undefined, signal)).rejects.toThrow(
      "unable to fetch metrics from custom metrics API: no matches for kind Boat",
    );
  });
});

describe("external metrics", () => {
  it("are all values of that name", async () => {
    const path = "external.metrics.k8s.io/v1beta1/team/queue";
    const { metrics, asked } = metricsOf({ [path]: [{ value: "3" }, { value: "500m" }] });
    expect(await metrics.external("queue", "team", fast, signal)).toEqual([3000, 500]);
    expect(asked).toEqual([`${path}?verb=get?`]);
    await expect(metricsOf({ [path]: [] }).metrics.external("queue", "team", fast, signal)).rejects.toThrow(
      "no metrics returned from external metrics API",
    );
  });
});
