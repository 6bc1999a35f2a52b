import {
  type CrossVersionObjectReference,
  type HorizontalPodAutoscaler,
  type HorizontalPodAutoscalerCondition,
  horizontalPodAutoscalers,
  type KubeObject,
  type MetricStatus,
  type Pod,
  parseApiVersion,
  parseLabelSelector,
  pods,
  type ResourceType,
  type Scale,
  type Selector,
} from "../../api/index.js";
import { parseQuantity } from "../../api/quantity.js";
import type { Informer } from "../../client/index.js";
import { timestamp } from "../../internal/clock.js";
import type { Controller } from "../controller.js";
import { defineStatefulController, type ReconcileContext } from "../define-controller.js";
import { setCondition } from "../shared/conditions.js";
import { type Discovery, discoverFrom } from "../shared/discovery.js";
import { messageOf } from "../shared/pod-control.js";
import { writeStatus } from "../shared/write-status.js";
import { MetricError, proposalOf } from "./metric-proposal.js";
import { MetricsClient } from "./metrics-client.js";
import type { Tolerances } from "./replicas.js";
import { decide, ScaleHistory } from "./scaling-rules.js";

const syncMs = 15_000;
const cpuInitializationMs = 5 * 60_000;
const initialReadinessDelayMs = 30_000;
const tolerance = 0.1;

/** Keeps what autoscalers point at at the size that their metrics ask for. */
export const horizontalPodAutoscalerController: Controller = defineStatefulController<HorizontalPodAutoscaler>({
  name: "horizontal-pod-autoscaler-controller",
  aliases: ["horizontalpodautoscaling", "horizontalpodautoscaler"],
  account: "horizontal-pod-autoscaler",
  eventSource: "horizontal-pod-autoscaler",
  prepare: (context, enqueue) => {
    const autoscalers = context.informer(horizontalPodAutoscalers);
    const known: Known = {
      pods: context.informer(pods),
      discovery: discoverFrom(context),
      metrics: new MetricsClient(context.client),
      selectors: new Map(),
      histories: new Map(),
    };
    const keyOf = ({ metadata }: HorizontalPodAutoscaler): string => `${metadata.namespace}/${metadata.name}`;
    autoscalers.addHandler({
      add: (autoscaler) => enqueue(keyOf(autoscaler), syncMs),
      delete: (autoscaler) => {
        known.selectors.delete(keyOf(autoscaler));
        known.histories.delete(keyOf(autoscaler));
      },
    });
    return async (key, reconcile) => {
      const autoscaler = autoscalers.get(key);
      if (autoscaler === undefined) return undefined;
      try {
        await sync(autoscaler, key, known, reconcile);
      } catch (error) {
        // It has been told of; what is measured next time may be better.
        reconcile.signal.throwIfAborted();
        context.logger.info("cannot autoscale", { key, error });
      }
      return { requeueAfterMs: syncMs };
    };
  },
});

interface Known {
  readonly pods: Informer<Pod>;
  readonly discovery: Discovery;
  readonly metrics: MetricsClient;
  /** By autoscaler: to see whether two are after the same pods. */
  readonly selectors: Map<string, Selector>;
  readonly histories: Map<string, ScaleHistory>;
}

/** The status as it will be, told bit by bit. */
class Draft {
  readonly autoscaler: HorizontalPodAutoscaler;
  readonly #context: ReconcileContext;
  conditions: readonly HorizontalPodAutoscalerCondition[];

  constructor(autoscaler: HorizontalPodAutoscaler, context: ReconcileContext) {
    this.autoscaler = autoscaler;
    this.#context = context;
    this.conditions = autoscaler.status?.conditions ?? [];
  }

  set(type: string, ok: boolean, reason: string, message: string): void {
    const status = ok ? "True" : "False";
    const lastTransitionTime = timestamp(this.#context.clock);
    this.conditions = setCondition(this.conditions, { type, status, reason, message, lastTransitionTime });
  }

  warn(reason: string, message: string): void {
    this.#context.events.event(this.autoscaler, "Warning", reason, message);
  }

  async write(counts: {
    readonly current?: number;
    readonly desired?: number;
    readonly metrics?: readonly MetricStatus[];
    readonly rescaled?: boolean;
  }): Promise<void> {
    const { autoscaler } = this;
    const { client, clock, signal } = this.#context;
    const { currentMetrics, ...before } = autoscaler.status ?? { desiredReplicas: 0 };
    const metrics = counts.metrics ?? currentMetrics ?? [];
    const current = counts.current ?? before.currentReplicas;
    const status = {
      ...before,
      ...(current === undefined ? {} : { currentReplicas: current }),
      desiredReplicas: counts.desired ?? before.desiredReplicas,
      ...(metrics.length === 0 ? {} : { currentMetrics: metrics }),
      ...(counts.rescaled ? { lastScaleTime: timestamp(clock) } : {}),
      conditions: this.conditions,
    };
    try {
      await writeStatus(client, horizontalPodAutoscalers, autoscaler, status, signal);
    } catch (error) {
      if (!signal.aborted) this.warn("FailedUpdateStatus", messageOf(error));
      throw error;
    }
  }
}

async function sync(
  autoscaler: HorizontalPodAutoscaler,
  key: string,
  known: Known,
  context: ReconcileContext,
): Promise<void> {
  const { client, clock, events, signal } = context;
  const draft = new Draft(autoscaler, context);
  const { scaleTargetRef: target, maxReplicas: max, minReplicas: min = 1, behavior } = autoscaler.spec;
  const { resource, scale } = await scaleOf(autoscaler, known, context).catch(async (error: unknown) => {
    signal.throwIfAborted();
    draft.warn("FailedGetScale", messageOf(error));
    const why = `the HPA controller was unable to get the target's current scale: ${messageOf(error)}`;
    draft.set("AbleToScale", false, "FailedGetScale", why);
    await draft.write({});
    throw error;
  });
  const able = "the HPA controller was able to get the target's current scale";
  draft.set("AbleToScale", true, "SucceededGetScale", able);
  const current = scale.spec?.replicas ?? 0;
  const history = known.histories.get(key) ?? new ScaleHistory();
  known.histories.set(key, history);
  history.begin(current, clock.now());

  let desired = current;
  let reason = "";
  let metrics: readonly MetricStatus[] = [];
  if (current === 0 && min !== 0) {
    const why = "scaling is disabled since the replica count of the target is zero";
    draft.set("ScalingActive", false, "ScalingDisabled", why);
  } else if (current > max) {
    reason = "Current number of replicas above Spec.MaxReplicas";
    desired = max;
  } else if (current < min) {
    reason = "Current number of replicas below Spec.MinReplicas";
    desired = min;
  } else {
    const computed = await byMetrics(draft, key, scale, known, context);
    if (computed.proposed === undefined) {
      await draft.write({ current, metrics: computed.metrics });
      draft.warn("FailedComputeMetricsReplicas", computed.why);
      throw new Error(computed.why);
    }
    metrics = computed.metrics;
    reason = computed.proposed > current ? `${computed.why} above target` : "All metrics below target";
    const wanted = { current, desired: computed.proposed, min, max, behavior };
    const decided = decide(wanted, history, clock.now());
    for (const one of decided.conditions) {
      draft.set(one.type, one.status === "True", one.reason ?? "", one.message ?? "");
    }
    desired = decided.replicas;
  }
  const rescaled = desired !== current;
  if (rescaled) {
    const scaled = { ...scale, spec: { ...scale.spec, replicas: desired } } as unknown as KubeObject;
    try {
      await client.update(resource, scaled, { subresource: "scale", signal });
    } catch (error) {
      signal.throwIfAborted();
      draft.warn("FailedRescale", `New size: ${desired}; reason: ${reason}; error: ${messageOf(error)}`);
      const why = `the HPA controller was unable to update the target scale: ${messageOf(error)}`;
      draft.set("AbleToScale", false, "FailedUpdateScale", why);
      await draft.write({ current });
      throw new Error(`failed to rescale ${target.kind}/${key}: ${messageOf(error)}`, { cause: error });
    }
    const done = `the HPA controller was able to update the target scale to ${desired}`;
    draft.set("AbleToScale", true, "SucceededRescale", done);
    events.event(autoscaler, "Normal", "SuccessfulRescale", `New size: ${desired}; reason: ${reason}`);
    history.scaled(current, desired, clock.now(), behavior);
  }
  await draft.write({ current, desired, metrics, rescaled });
}

function resourceOf(
  discovery: Discovery,
  { apiVersion = "v1", kind }: CrossVersionObjectReference,
): ResourceType | undefined {
  const { group } = parseApiVersion(apiVersion);
  return discovery.resources().find((resource) => resource.group === group && resource.kind === kind);
}

async function scaleOf(
  { metadata: { namespace }, spec: { scaleTargetRef: target } }: HorizontalPodAutoscaler,
  { discovery }: Known,
  { client, signal }: ReconcileContext,
): Promise<{ readonly resource: ResourceType; readonly scale: Scale }> {
  const resource = resourceOf(discovery, target);
  if (resource === undefined) {
    const { group } = parseApiVersion(target.apiVersion ?? "v1");
    throw new Error(`no matches for kind ${JSON.stringify(target.kind)} in group ${JSON.stringify(group)}`);
  }
  const scale = await client.get(resource, { namespace, name: target.name }, { subresource: "scale", signal });
  return { resource, scale };
}

/** The most that any metric asks for; no number and why where nothing can be said, or not that there should be fewer. */
async function byMetrics(
  draft: Draft,
  key: string,
  scale: Scale,
  known: Known,
  context: ReconcileContext,
): Promise<{ readonly proposed?: number; readonly why: string; readonly metrics: readonly MetricStatus[] }> {
  const { namespace = "" } = draft.autoscaler.metadata;
  const { metrics: specs = [], behavior } = draft.autoscaler.spec;
  const selected = select(draft, key, scale, known);
  if (typeof selected === "string") return { why: selected, metrics: [] };
  const measured = {
    ...selected,
    namespace,
    current: scale.spec?.replicas ?? 0,
    running: scale.status?.replicas ?? 0,
    tolerances: tolerancesOf(behavior),
    timing: { nowMs: context.clock.now(), cpuInitializationMs, initialReadinessDelayMs },
  };
  const sources = {
    metrics: known.metrics,
    resourceOf: (reference: CrossVersionObjectReference) => resourceOf(known.discovery, reference),
    signal: context.signal,
  };
  const found: MetricStatus[] = [];
  const failures: MetricError[] = [];
  let best: { readonly replicas: number; readonly name: string } | undefined;
  for (const spec of specs) {
    try {
      const { status, ...proposal } = await proposalOf(spec, measured, sources);
      found.push(status);
      if (best === undefined || proposal.replicas > best.replicas) best = proposal;
    } catch (error) {
      if (!(error instanceof MetricError)) throw error;
      draft.warn(error.reason, error.message);
      failures.push(error);
    }
  }
  const [first] = failures;
  if (best === undefined || (first !== undefined && best.replicas < measured.current)) {
    const reason = first?.reason ?? "InvalidMetricSourceType";
    draft.set("ScalingActive", false, reason, `the HPA was unable to compute the replica count: ${first?.message}`);
    const why = `invalid metrics (${failures.length} invalid out of ${specs.length}), first error is: ${first?.inContext}`;
    return { why, metrics: found };
  }
  const why = `the HPA was able to successfully calculate a replica count from ${best.name}`;
  draft.set("ScalingActive", true, "ValidMetricFound", why);
  return { proposed: best.replicas, why: best.name, metrics: found };
}

/** The target's pods, or why nobody may be scaled by them. */
function select(
  draft: Draft,
  key: string,
  { status }: Scale,
  { pods: podInformer, selectors }: Known,
): string | { readonly selector: Selector; readonly pods: readonly Pod[] } {
  const { namespace = "" } = draft.autoscaler.metadata;
  selectors.delete(key);
  if (!status?.selector) {
    draft.warn("SelectorRequired", "selector is required");
    draft.set("ScalingActive", false, "InvalidSelector", "the HPA target's scale is missing a selector");
    return "selector is required";
  }
  let selector: Selector;
  try {
    selector = parseLabelSelector(status.selector);
  } catch (error) {
    const why = `couldn't convert selector into a corresponding internal selector object: ${messageOf(error)}`;
    draft.warn("InvalidSelector", why);
    draft.set("ScalingActive", false, "InvalidSelector", why);
    return why;
  }
  selectors.set(key, selector);
  const selected = [...podInformer.list(namespace)].filter((pod) => selector.matches(pod.metadata.labels));
  const rivals = [...selectors]
    .filter(([other]) => other.startsWith(`${namespace}/`))
    .filter(([, other]) => selected.some((pod) => other.matches(pod.metadata.labels)))
    .map(([other]) => other);
  if (rivals.length < 2) return { selector, pods: selected };
  const why = `pods by selector ${selector} are controlled by multiple HPAs: [${rivals.sort().join(" ")}]`;
  draft.warn("AmbiguousSelector", why);
  draft.set("ScalingActive", false, "AmbiguousSelector", why);
  return why;
}

function tolerancesOf(behavior: HorizontalPodAutoscaler["spec"]["behavior"]): Tolerances {
  const of = (text: string | undefined): number => (text === undefined ? tolerance : parseQuantity(text).toNumber());
  return { up: of(behavior?.scaleUp?.tolerance), down: of(behavior?.scaleDown?.tolerance) };
}
