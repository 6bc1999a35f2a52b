import type { LabelSelector, Node, Pod, TopologySpreadConstraint } from "../../api/index.js";
import { everything, type Selector, selectorFromRequirements, selectorFromSet } from "../../api/labels.js";
import { type CompiledTerm, safeSelector, withLabelKeys } from "../cache/affinity-term.js";
import type { ClusterListers } from "../framework/listers.js";
import { labelOf, requiredNodeTest } from "./node-selector.js";
import { untoleratedTaint } from "./tolerations.js";

export const hostnameLabel = "kubernetes.io/hostname";
export const zoneLabel = "topology.kubernetes.io/zone";

/** One constraint of one pod, ready to be tested. */
export interface SpreadConstraint {
  readonly maxSkew: number;
  readonly topologyKey: string;
  readonly selector: Selector;
  readonly minDomains: number;
  readonly hard: boolean;
  readonly honorAffinity: boolean;
  readonly honorTaints: boolean;
}

export interface PodTopologySpreadArgs {
  /** For pods without constraints of their own; with `List`. */
  readonly defaultConstraints?: readonly TopologySpreadConstraint[];
  /** `System`, the default: softly over zones and nodes. */
  readonly defaultingType?: "System" | "List";
}

export interface PodConstraints {
  readonly constraints: readonly SpreadConstraint[];
  /** Nodes without all of the keys take no part in scoring; not so with the system's defaults. */
  readonly requireAllKeys: boolean;
}

const systemConstraints: readonly TopologySpreadConstraint[] = [
  { topologyKey: hostnameLabel, whenUnsatisfiable: "ScheduleAnyway", maxSkew: 3 },
  { topologyKey: zoneLabel, whenUnsatisfiable: "ScheduleAnyway", maxSkew: 5 },
];

const memoLimit = 4096;

/** Remembers the selectors of pods without constraints: services are many, and like pods come in rows. */
export class DefaultSelectors {
  readonly #memo = new Map<string, Selector>();
  #version = -1;

  of(pod: Pod, listers: ClusterListers): Selector {
    const version = listers.selectorsVersion?.();
    if (version === undefined) return defaultSelector(pod, listers);
    if (version !== this.#version || this.#memo.size >= memoLimit) this.#memo.clear();
    this.#version = version;
    const { namespace, labels, ownerReferences } = pod.metadata;
    const owner = ownerReferences?.find(({ controller }) => controller === true);
    const id = JSON.stringify([namespace, labels, owner?.kind, owner?.name]);
    let selector = this.#memo.get(id);
    if (selector === undefined) {
      selector = defaultSelector(pod, listers);
      this.#memo.set(id, selector);
    }
    return selector;
  }
}

/** The pod's own constraints, or else the defaults with a selector from the services and the owner of the pod. */
export function constraintsOf(
  pod: Pod,
  args: PodTopologySpreadArgs,
  listers: ClusterListers,
  selectors: DefaultSelectors,
): PodConstraints {
  const own = pod.spec?.topologySpreadConstraints ?? [];
  if (own.length > 0) {
    return { constraints: own.map((constraint) => compile(pod, constraint, undefined)), requireAllKeys: true };
  }
  const system = (args.defaultingType ?? "System") === "System";
  const defaults = system ? systemConstraints : (args.defaultConstraints ?? []);
  if (defaults.length === 0) return { constraints: [], requireAllKeys: true };
  const selector = selectors.of(pod, listers);
  if (selector.empty) return { constraints: [], requireAllKeys: true };
  return { constraints: defaults.map((constraint) => compile(pod, constraint, selector)), requireAllKeys: !system };
}

function compile(pod: Pod, constraint: TopologySpreadConstraint, selector: Selector | undefined): SpreadConstraint {
  return {
    maxSkew: constraint.maxSkew,
    topologyKey: constraint.topologyKey,
    selector:
      selector ?? withLabelKeys(safeSelector(constraint.labelSelector), pod.metadata.labels, constraint.matchLabelKeys),
    minDomains: constraint.minDomains ?? 1,
    hard: constraint.whenUnsatisfiable === "DoNotSchedule",
    honorAffinity: constraint.nodeAffinityPolicy !== "Ignore",
    honorTaints: constraint.nodeTaintsPolicy === "Honor",
  };
}

/** Whether the node's pods count towards the constraint for this pod. */
export function included(pod: Pod, constraint: SpreadConstraint): (node: Node) => boolean {
  const required = constraint.honorAffinity ? requiredNodeTest(pod) : undefined;
  return (node) =>
    (required?.(node) ?? true) &&
    (!constraint.honorTaints || untoleratedTaint(node, pod.spec?.tolerations) === undefined);
}

export function hasKeys(node: Node, constraints: readonly SpreadConstraint[]): boolean {
  return constraints.every(({ topologyKey }) => labelOf(node, topologyKey) !== undefined);
}

/** The pods of the namespace that the selector matches, as a term for counters. */
export function spreadTerm(namespace: string, { selector, topologyKey }: SpreadConstraint): CompiledTerm {
  return { id: "", topologyKey, namespaces: new Set([namespace]), namespaceSelector: undefined, selector };
}

/** What the services of the pod and its owner select by, all together. Empty when it has neither. */
export function defaultSelector(pod: Pod, listers: ClusterListers): Selector {
  const { namespace = "", labels, ownerReferences } = pod.metadata;
  const pairs = new Map<string, string>();
  for (const service of listers.services.list(namespace)) {
    const selector = service.spec?.selector;
    if (selector === undefined || Object.keys(selector).length === 0 || !selectorFromSet(selector).matches(labels))
      continue;
    for (const [key, value] of Object.entries(selector)) pairs.set(key, value);
  }
  const owner = ownerReferences?.find(({ controller }) => controller === true);
  const key = `${namespace}/${owner?.name ?? ""}`;
  let expressions: LabelSelector | undefined;
  if (owner?.kind === "ReplicationController" && owner.apiVersion === "v1") {
    const selector = listers.replicationControllers.get(key)?.spec?.selector;
    for (const [name, value] of Object.entries(selector ?? {})) pairs.set(name, value);
  } else if (owner?.kind === "ReplicaSet" && owner.apiVersion.startsWith("apps/")) {
    expressions = listers.replicaSets.get(key)?.spec?.selector;
  } else if (owner?.kind === "StatefulSet" && owner.apiVersion.startsWith("apps/")) {
    expressions = listers.statefulSets.get(key)?.spec?.selector;
  }
  const fromPairs = selectorFromSet(Object.fromEntries(pairs));
  if (expressions === undefined) return pairs.size === 0 ? everything : fromPairs;
  const owned = safeSelector(expressions);
  if (owned.nothing) return fromPairs;
  return selectorFromRequirements([...fromPairs.requirements, ...owned.requirements]);
}
