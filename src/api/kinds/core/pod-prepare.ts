import type { StrategyContext } from "../../description.js";
import type { Container, LabelSelector, ObjectMeta, Pod, PodSpec } from "../../gen/types.js";
import { mapField, mapItems, withField, withZeroDefaults } from "../defaulting.js";
import { type Dictionary, type Loose, ownValue } from "../loose.js";
import { withAppArmorFields } from "./app-armor.js";
import { qosClass } from "./qos.js";

type PodStatus = NonNullable<Loose<Pod>["status"]>;

export function preparePod(pod: Loose<Pod>, { warn }: StrategyContext): Loose<Pod> {
  let status: PodStatus = { phase: "Pending", qosClass: qosClass(pod.spec ?? {}) };
  if ((pod.spec?.schedulingGates?.length ?? 0) > 0) {
    const gated = {
      type: "PodScheduled",
      status: "False",
      reason: "SchedulingGated",
      message: "Scheduling is blocked due to non-empty scheduling gates",
    };
    status = { ...status, conditions: [gated] };
  }
  const labels = pod.metadata?.labels;
  const merged = mapField({ ...pod, status }, "spec", (spec) => mergeLabelKeys(spec, labels));
  return withAppArmorFields(merged, warn);
}

/** Each subresource changes its own part of the pod and nothing else. */
export function preparePodUpdate(pod: Loose<Pod>, old: Loose<Pod>, context: StrategyContext): Loose<Pod> {
  switch (context.subresource) {
    case "ephemeralcontainers":
      return withField(
        withSpec(pod, old, { ephemeralContainers: pod.spec?.ephemeralContainers }),
        "status",
        old.status,
      );
    case "resize":
      return withField(withSpec(pod, old, resizedOf(pod.spec ?? {}, old.spec ?? {})), "status", old.status);
    case "status":
      return prepareStatus(pod, old);
    default:
      return pod;
  }
}

function withSpec(pod: Loose<Pod>, old: Loose<Pod>, changes: Loose<PodSpec>): Loose<Pod> {
  const spec: { -readonly [Key in keyof Loose<PodSpec>]: Loose<PodSpec>[Key] } = { ...old.spec, ...changes };
  for (const key of Object.keys(changes) as (keyof PodSpec)[]) if (spec[key] === undefined) delete spec[key];
  return { ...old, metadata: { ...old.metadata, ...bookkeepingOf(pod) }, spec };
}

/** What of metadata the request decides even where it may change nothing else of it. */
function bookkeepingOf(pod: Loose<Pod>): Loose<Pick<ObjectMeta, "resourceVersion" | "managedFields">> {
  const { resourceVersion, managedFields } = pod.metadata ?? {};
  return { ...(resourceVersion !== undefined && { resourceVersion }), ...(managedFields && { managedFields }) };
}

/** A list that is not the old one with other resources stays as it is wanted, which validation then refuses. */
function resizedOf(spec: Loose<PodSpec>, old: Loose<PodSpec>): Loose<PodSpec> {
  const resize = (
    containers: readonly Loose<Container>[] = [],
    wanted: readonly Loose<Container>[] = [],
  ): readonly Loose<Container>[] => {
    const sameOnes =
      wanted.length === containers.length && wanted.every(({ name }, at) => name === containers[at]?.name);
    if (!sameOnes) return wanted;
    return mapItems(containers, (container, at) => {
      const { resources, resizePolicy } = wanted[at] ?? {};
      return withField(withField(container, "resources", resources), "resizePolicy", resizePolicy);
    });
  };
  return {
    containers: resize(old.containers, spec.containers),
    ...((old.initContainers ?? spec.initContainers) && {
      initContainers: resize(old.initContainers, spec.initContainers),
    }),
    resources: spec.resources,
  };
}

/** Old node agents leave out what they do not know. */
function prepareStatus(pod: Loose<Pod>, old: Loose<Pod>): Loose<Pod> {
  return mapField(pod, "status", (given) => {
    const { qosClass: quality, observedGeneration = 0, conditions: before = [] } = old.status ?? {};
    let status = quality === undefined ? given : withZeroDefaults(given, { qosClass: quality });
    if (observedGeneration !== 0) status = withZeroDefaults(status, { observedGeneration });
    // There may be several conditions of one type, which are told apart by their order.
    const seen = new Map<string, number>();
    return mapField(status, "conditions", (conditions) =>
      mapItems(conditions, (condition) => {
        const { type = "" } = condition;
        const position = seen.get(type) ?? 0;
        seen.set(type, position + 1);
        const generation = before.filter((other) => other.type === type)[position]?.observedGeneration ?? 0;
        return generation === 0 ? condition : withZeroDefaults(condition, { observedGeneration: generation });
      }),
    );
  });
}

/** matchLabelKeys and mismatchLabelKeys become requirements on the values that this pod has. */
function mergeLabelKeys(given: Loose<PodSpec>, labels: Dictionary | undefined): Loose<PodSpec> {
  let spec = mapField(given, "topologySpreadConstraints", (constraints) =>
    mapItems(constraints, (constraint) => {
      const merged = mergedSelector(constraint.labelSelector, constraint.matchLabelKeys, "In", labels);
      return merged === constraint.labelSelector ? constraint : { ...constraint, labelSelector: merged };
    }),
  );
  const onTerm = <T extends Term>(term: T): T => {
    const matched = mergedSelector(term.labelSelector, term.matchLabelKeys, "In", labels);
    const merged = mergedSelector(matched, term.mismatchLabelKeys, "NotIn", labels);
    return merged === term.labelSelector ? term : { ...term, labelSelector: merged };
  };
  spec = mapField(spec, "affinity", (affinity) => {
    let result = affinity;
    for (const kind of ["podAffinity", "podAntiAffinity"] as const) {
      result = mapField(result, kind, (terms) => {
        const needed = mapField(terms, "requiredDuringSchedulingIgnoredDuringExecution", (list) =>
          mapItems(list, onTerm),
        );
        return mapField(needed, "preferredDuringSchedulingIgnoredDuringExecution", (list) =>
          mapItems(list, (weighted) => mapField(weighted, "podAffinityTerm", onTerm)),
        );
      });
    }
    return result;
  });
  return spec;
}

interface Term {
  readonly labelSelector?: Loose<LabelSelector> | undefined;
  readonly matchLabelKeys?: readonly string[] | undefined;
  readonly mismatchLabelKeys?: readonly string[] | undefined;
}

function mergedSelector(
  selector: Loose<LabelSelector> | undefined,
  keys: readonly string[] | undefined,
  operator: "In" | "NotIn",
  labels: Dictionary | undefined,
): Loose<LabelSelector> | undefined {
  if (selector === undefined || keys === undefined) return selector;
  const requirements = keys.flatMap((key) => {
    const value = ownValue(labels, key);
    return value === undefined ? [] : [{ key, operator, values: [value] }];
  });
  if (requirements.length === 0) return selector;
  return { ...selector, matchExpressions: [...(selector.matchExpressions ?? []), ...requirements] };
}

/** A pod that runs nowhere or has run ends at once; otherwise the request counts, then the spec. */
export function podGracePeriodSeconds(pod: Loose<Pod>, requested: number | undefined): number {
  const phase = pod.status?.phase;
  if (!pod.spec?.nodeName || phase === "Failed" || phase === "Succeeded") return 0;
  const period = requested ?? pod.spec.terminationGracePeriodSeconds ?? 30;
  return period < 0 ? 1 : period;
}
