import type { LimitRange, LimitRangeItem, Namespace, Node, NodeSpec } from "../../gen/types.js";
import { mapField, mapItems, withDefaults, withField, withMissingEntries, withZeroDefaults } from "../defaulting.js";
import { type Loose, ownValue } from "../loose.js";

const namespaceNameLabel = "kubernetes.io/metadata.name";

export function defaultNamespace(namespace: Loose<Namespace>): Loose<Namespace> {
  const result = labelWithName(namespace);
  return withField(result, "status", withZeroDefaults(result.status ?? {}, { phase: "Active" }));
}

/** A name that is still to be generated gets its label in prepareForCreate. */
export function labelWithName(namespace: Loose<Namespace>): Loose<Namespace> {
  const { name, labels } = namespace.metadata ?? {};
  if (!name || ownValue(labels, namespaceNameLabel) === name) return namespace;
  return {
    ...namespace,
    metadata: { ...namespace.metadata, labels: { ...labels, [namespaceNameLabel]: name } },
  };
}

export function defaultNode(node: Loose<Node>): Loose<Node> {
  const ranged = mapField(node, "spec", withBothRanges);
  return mapField(ranged, "status", (status) =>
    status.capacity === undefined ? status : withDefaults(status, { allocatable: status.capacity }),
  );
}

/** podCIDR is the first of podCIDRs; whoever knows one of them alone means both. */
function withBothRanges(spec: Loose<NodeSpec>): Loose<NodeSpec> {
  const [first] = spec.podCIDRs ?? [];
  if (spec.podCIDR && first === undefined) return { ...spec, podCIDRs: [spec.podCIDR] };
  return first !== undefined && !spec.podCIDR ? { ...spec, podCIDR: first } : spec;
}

export function defaultLimitRange(range: Loose<LimitRange>): Loose<LimitRange> {
  return mapField(range, "spec", (spec) => mapField(spec, "limits", (limits) => mapItems(limits, defaultLimits)));
}

/** For containers: a missing default is the maximum; a missing default request is the default, else the minimum. */
function defaultLimits(item: Loose<LimitRangeItem>): Loose<LimitRangeItem> {
  if (item.type !== "Container") return item;
  const limit = withMissingEntries(item.default, item.max);
  const request = withMissingEntries(withMissingEntries(item.defaultRequest, limit), item.min);
  const result = limit === undefined ? item : withField(item, "default", limit);
  return request === undefined ? result : withField(result, "defaultRequest", request);
}
