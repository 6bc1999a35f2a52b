import { afterEach, describe, expect, it, test } from "vitest";
import {
  coreEvents,
  defineResource,
  deployments,
  type HorizontalPodAutoscaler,
  type HorizontalPodAutoscalerSpec,
  horizontalPodAutoscalers,
  type MetricSpec,
  pods,
} from "../../api/index.js";
import { ownResource } from "../../apiserver/index.js";
import { type ControlPlane, startControlPlane } from "../../cluster/control-plane.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { makeDeployment } from "../../testing/builders.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { horizontalPodAutoscalerController } from "./horizontalpodautoscaler.js";

const podMetrics = defineResource({
  group: "metrics.k8s.io",
  version: "v1beta1",
  kind: "PodMetrics",
  plural: "pods",
  scope: "Namespaced",
  annotations: { "api-approved.kubernetes.io": "unapproved, for tests" },
  schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
});

let clock: VirtualClock;
let cp: ControlPlane;
/** What each running pod uses; undefined: nobody measures. */
let cpu: string | undefined;
afterEach(() => cp?.stop());

async function start(): Promise<void> {
  clock = new VirtualClock();
  cpu = "200m";
  const measure = async ({ namespace }: { readonly namespace?: string | undefined }) => {
    const running = (await cp.client.list(pods, { namespace })).items.filter(
      ({ status }) => status?.phase === "Running",
    );
    if (cpu === undefined) return [];
    return running.map(({ metadata: { name, namespace: ns = "", labels = {} } }) => ({
      metadata: { name, namespace: ns, labels },
      timestamp: new Date(clock.now()).toISOString(),
      window: "15s",
      containers: [{ name: "main", usage: { cpu } }],
    }));
  };
  const ownResources = [ownResource(podMetrics as never, { list: measure as never })];
  cp = await startControlPlane({ clock, nodes: { names: ["a"] }, ownResources });
  await cp.client.create(deployments, makeDeployment("web", { replicas: 2, pod: { cpuMillis: 100 } }));
  await advance(60);
}

async function advance(seconds: number): Promise<void> {
  for (let left = seconds; left > 0; left--) {
    await clock.advance(1000);
    await cp.settled();
  }
}

async function autoscale(spec: Partial<HorizontalPodAutoscalerSpec>, name = "web"): Promise<void> {
  const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name: "web" };
  await cp.client.create(horizontalPodAutoscalers, {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name, namespace: "default" },
    spec: { scaleTargetRef, minReplicas: 1, maxReplicas: 10, ...spec },
  });
}

const metric = (averageUtilization: number): readonly MetricSpec[] => [
  { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization } } },
];
const key = { namespace: "default", name: "web" };
const replicas = async (): Promise<number | undefined> => (await cp.client.get(deployments, key)).spec?.replicas;
const autoscaler = (): Promise<HorizontalPodAutoscaler> => cp.client.get(horizontalPodAutoscalers, key);
const condition = async (type: string) => (await autoscaler()).status?.conditions?.find((one) => one.type === type);
const told = async (kind = "HorizontalPodAutoscaler"): Promise<readonly string[]> =>
  (await cp.client.list(coreEvents)).items
    .filter(({ involvedObject }) => involvedObject.kind === kind)
    .map(({ reason, message }) => `${reason}: ${message}`);

describe("horizontal-pod-autoscaler-controller", () => {
  it("makes more pods when they use too much, and fewer when that has lasted", async () => {
    await start();
    await autoscale({ metrics: metric(100) });
    await advance(14);
    expect(await replicas()).toBe(2);
    await advance(3);
    expect(await replicas()).toBe(4);
    const { status } = await autoscaler();
    expect(status).toMatchObject({
      currentReplicas: 2,
      desiredReplicas: 4,
      currentMetrics: [
        { type: "Resource", resource: { name: "cpu", current: { averageUtilization: 200, averageValue: "200m" } } },
      ],
    });
    expect(status?.lastScaleTime).toBeDefined();
    expect(status?.conditions?.map((one) => `${one.type} ${one.status} ${one.reason}`)).toEqual([
      "AbleToScale True SucceededRescale",
      "ScalingActive True ValidMetricFound",
      "ScalingLimited False DesiredWithinRange",
    ]);
    expect(await told()).toEqual([
      "SuccessfulRescale: New size: 4; reason: cpu resource utilization (percentage of request) above target",
    ]);
    cpu = "25m";
    await advance(120);
    expect(await condition("AbleToScale")).toMatchObject({ status: "True", reason: "ScaleDownStabilized" });
    const before = await replicas();
    await advance(300);
    expect(await replicas()).toBe(1);
    expect(before).toBeGreaterThanOrEqual(4);
    expect((await told()).at(-1)).toMatch("reason: All metrics below target");
  });

  it("keeps the range, whatever is measured", async () => {
    await start();
    await autoscale({ minReplicas: 3, maxReplicas: 5, metrics: metric(10) });
    await advance(17);
    expect(await replicas()).toBe(3);
    expect(await told()).toEqual([
      "SuccessfulRescale: New size: 3; reason: Current number of replicas below Spec.MinReplicas",
    ]);
    await advance(40);
    expect(await replicas()).toBe(5);
    expect(await condition("ScalingLimited")).toMatchObject({ status: "True", reason: "TooManyReplicas" });
  });

  it("lets what was scaled to nothing be", async () => {
    await start();
    await cp.client.patch(deployments, key, { type: "merge", body: { spec: { replicas: 0 } } });
    await autoscale({ metrics: metric(10) });
    await advance(40);
    expect(await replicas()).toBe(0);
    expect(await condition("ScalingActive")).toMatchObject({ status: "False", reason: "ScalingDisabled" });
  });

  it("says when there are no metrics, and does nothing", async () => {
    await start();
    cpu = undefined;
    await autoscale({ metrics: metric(10) });
    await advance(17);
    const why = "failed to get cpu utilization: unable to get metrics for resource cpu";
    const none = "no metrics returned from resource metrics API";
    expect(await condition("ScalingActive")).toMatchObject({
      status: "False",
      reason: "FailedGetResourceMetric",
      message: `the HPA was unable to compute the replica count: ${why}: ${none}`,
    });
    expect(await told()).toEqual([
      `FailedGetResourceMetric: ${why}: ${none}`,
      `FailedComputeMetricsReplicas: invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: ${why}: ${none}`,
    ]);
    expect(await replicas()).toBe(2);
  });

  const external: MetricSpec = {
    type: "External",
    external: {
      metric: { name: "queue", selector: { matchLabels: { of: "web" } } },
      target: { type: "AverageValue", averageValue: "5" },
    },
  };

  it("scales up by the metrics that there are, but never down without all", async () => {
    await start();
    await autoscale({ metrics: [external, ...metric(100)] });
    await advance(17);
    expect(await replicas()).toBe(4);
    cpu = "1m";
    await advance(400);
    expect(await replicas()).toBeGreaterThanOrEqual(4);
    expect(await condition("ScalingActive")).toMatchObject({
      status: "False",
      reason: "FailedGetExternalMetric",
      message: expect.stringMatching(
        /^the HPA was unable to compute the replica count: failed to get queue external metric: unable to get external metric default\/queue\/&LabelSelector\{MatchLabels:map\[string\]string\{of: web,\},MatchExpressions:\[\]LabelSelectorRequirement\{\},\}: unable to fetch metrics from external metrics API: /,
      ),
    });
  });

  it("says that there is no target", async () => {
    await start();
    await autoscale({
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "gone" },
      metrics: metric(10),
    });
    await advance(17);
    expect(await condition("AbleToScale")).toMatchObject({
      status: "False",
      reason: "FailedGetScale",
      message: `the HPA controller was unable to get the target's current scale: deployments.apps "gone" not found`,
    });
  });

  it("leaves pods alone that two autoscalers are after", async () => {
    await start();
    await autoscale({ metrics: metric(100) }, "other");
    await autoscale({ metrics: metric(100) });
    await advance(40);
    expect(await condition("ScalingActive")).toMatchObject({
      status: "False",
      reason: "AmbiguousSelector",
      message: "pods by selector app=web are controlled by multiple HPAs: [default/other default/web]",
    });
  });

  it("follows the policies of its behavior", async () => {
    await start();
    const scaleUp = { policies: [{ type: "Pods", value: 1, periodSeconds: 60 }] };
    await autoscale({ metrics: metric(10), behavior: { scaleUp } });
    await advance(17);
    expect(await replicas()).toBe(3);
    await advance(30);
    expect(await replicas()).toBe(3);
    await advance(45);
    expect(await replicas()).toBe(4);
    expect(await condition("ScalingLimited")).toMatchObject({ status: "True", reason: "ScaleUpLimit" });
  });
});

test("needs no more rights than upstream's", async () => {
  const scenario = new Scenario({ controllers: [horizontalPodAutoscalerController] });
  await scenario.start();
  await scenario.create(deployments, makeDeployment("web", { replicas: 2 }));
  const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name: "web" };
  const target = { type: "AverageValue", averageValue: "1" };
  const asked = { name: "hits" };
  const metrics: readonly MetricSpec[] = [
    ...metric(50),
    { type: "Pods", pods: { metric: asked, target } },
    { type: "Object", object: { metric: asked, target, describedObject: scaleTargetRef } },
    { type: "External", external: { metric: asked, target } },
  ];
  await scenario.create(horizontalPodAutoscalers, {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: key,
    spec: { scaleTargetRef, minReplicas: 3, maxReplicas: 10, metrics },
  });
  await scenario.advance(17_000);
  expect((await scenario.get(deployments, "web"))?.spec?.replicas).toBe(3);
  await scenario.advance(15_000);
  const groups = new Set(
    scenario.api.requests.map(({ group }) => group).filter((group) => group.endsWith("metrics.k8s.io")),
  );
  expect([...groups].sort()).toEqual(["custom.metrics.k8s.io", "external.metrics.k8s.io", "metrics.k8s.io"]);
});
