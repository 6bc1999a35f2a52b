import type { Node, Pod, PodAffinityTerm, TopologySpreadConstraint } from "../../api/index.js";
import {
  allocatableOf,
  labelsOf,
  podsOn,
  requestsOf,
  selects,
  sumOnNode,
  untolerated,
  type World,
  wantsNode,
} from "./world.fixture.js";

export interface No {
  readonly reasons: readonly string[];
  readonly unresolvable: boolean;
}

type Filter = (pod: Pod, node: Node, world: World) => No | undefined;

const no = (reason: string): No => ({ reasons: [reason], unresolvable: false });
const never = (reason: string): No => ({ reasons: [reason], unresolvable: true });

function unschedulable(pod: Pod, node: Node): No | undefined {
  const taint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };
  const pretended: Node = { ...node, spec: { taints: [taint] } };
  if (node.spec?.unschedulable !== true || untolerated(pod, pretended, ["NoSchedule"]).length === 0) return undefined;
  return never("node(s) were unschedulable");
}

function taints(pod: Pod, node: Node): No | undefined {
  return untolerated(pod, node, ["NoSchedule", "NoExecute"]).length > 0
    ? never("node(s) had untolerated taint(s)")
    : undefined;
}

function nodeAffinity(pod: Pod, node: Node): No | undefined {
  return wantsNode(pod, node) ? undefined : never("node(s) didn't match Pod's node affinity/selector");
}

function ports(pod: Pod, node: Node, world: World): No | undefined {
  const portsOf = ({ spec }: Pod) =>
    [
      ...(spec?.containers ?? []),
      ...(spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always"),
    ]
      .flatMap((container) => container.ports ?? [])
      .filter(({ hostPort = 0 }) => hostPort > 0)
      .map(({ hostPort, hostIP = "0.0.0.0", protocol = "TCP" }) => ({ hostPort, hostIP, protocol }));
  const used = podsOn(world, node).flatMap(portsOf);
  const clash = portsOf(pod).some((own) =>
    used.some(
      (other) =>
        own.hostPort === other.hostPort &&
        own.protocol === other.protocol &&
        (own.hostIP === other.hostIP || own.hostIP === "0.0.0.0" || other.hostIP === "0.0.0.0"),
    ),
  );
  return clash ? no("node(s) didn't have free ports for the requested pod ports") : undefined;
}

function fit(pod: Pod, node: Node, world: World): No | undefined {
  const free = allocatableOf(node);
  const used = sumOnNode(world, node);
  const reasons = podsOn(world, node).length + 1 > (free["pods"] ?? 0) ? ["Too many pods"] : [];
  let unresolvable = false;
  const wanted = requestsOf(pod);
  const first = ["cpu", "memory", "ephemeral-storage"];
  for (const name of [...first, ...Object.keys(wanted).filter((other) => !first.includes(other))]) {
    const amount = wanted[name] ?? 0;
    if (amount === 0 || amount <= (free[name] ?? 0) - (used[name] ?? 0)) continue;
    reasons.push(`Insufficient ${name}`);
    unresolvable ||= amount > (free[name] ?? 0);
  }
  return reasons.length === 0 ? undefined : { reasons, unresolvable };
}

/** The constraint's selector with the values of the pod's own labels under `matchLabelKeys`. */
export function spreads(constraint: TopologySpreadConstraint, pod: Pod, other: Pod): boolean {
  const keys = (constraint.matchLabelKeys ?? []).filter((key) => labelsOf(pod)[key] !== undefined);
  return (
    other.metadata.namespace === pod.metadata.namespace &&
    selects(constraint.labelSelector, labelsOf(other)) &&
    keys.every((key) => labelsOf(other)[key] === labelsOf(pod)[key])
  );
}

export function counted(constraint: TopologySpreadConstraint, pod: Pod, node: Node): boolean {
  if (constraint.nodeAffinityPolicy !== "Ignore" && !wantsNode(pod, node)) return false;
  return constraint.nodeTaintsPolicy !== "Honor" || untolerated(pod, node, ["NoSchedule", "NoExecute"]).length === 0;
}

export function matchingOn(constraint: TopologySpreadConstraint, pod: Pod, node: Node, world: World): number {
  return podsOn(world, node).filter(
    (other) => other.metadata.deletionTimestamp === undefined && spreads(constraint, pod, other),
  ).length;
}

function spread(pod: Pod, node: Node, world: World): No | undefined {
  const hard = (pod.spec?.topologySpreadConstraints ?? []).filter(
    ({ whenUnsatisfiable }) => whenUnsatisfiable === "DoNotSchedule",
  );
  for (const constraint of hard) {
    const here = labelsOf(node)[constraint.topologyKey];
    if (here === undefined) {
      return never("node(s) didn't match pod topology spread constraints (missing required label)");
    }
    const domains = new Map<string, number>();
    for (const other of world.nodes) {
      const value = labelsOf(other)[constraint.topologyKey];
      if (!hard.every(({ topologyKey }) => labelsOf(other)[topologyKey] !== undefined) || value === undefined) continue;
      if (!counted(constraint, pod, other)) continue;
      domains.set(value, (domains.get(value) ?? 0) + matchingOn(constraint, pod, other, world));
    }
    const least = domains.size < (constraint.minDomains ?? 1) ? 0 : Math.min(...domains.values());
    const self = spreads(constraint, pod, pod) ? 1 : 0;
    if ((domains.get(here) ?? 0) + self - least > constraint.maxSkew) {
      return no("node(s) didn't match pod topology spread constraints");
    }
  }
  return undefined;
}

/** Whether `owner`'s term is about `other`. */
export function isAbout(term: PodAffinityTerm, owner: Pod, other: Pod, world: World): boolean {
  const { namespaces = [], namespaceSelector, matchLabelKeys = [], mismatchLabelKeys = [] } = term;
  const namespace = other.metadata.namespace ?? "";
  const own = namespaces.length === 0 && namespaceSelector === undefined && namespace === owner.metadata.namespace;
  const selected = namespaceSelector !== undefined && selects(namespaceSelector, world.namespaces.get(namespace) ?? {});
  if (!own && !selected && !namespaces.includes(namespace)) return false;
  const same = (key: string): boolean => labelsOf(other)[key] === labelsOf(owner)[key];
  const has = (key: string): boolean => labelsOf(owner)[key] !== undefined;
  return (
    selects(term.labelSelector, labelsOf(other)) &&
    matchLabelKeys.filter(has).every(same) &&
    !mismatchLabelKeys.filter(has).some(same)
  );
}

export function together(a: Node, b: Node, key: string): boolean {
  return labelsOf(a)[key] !== undefined && labelsOf(a)[key] === labelsOf(b)[key];
}

function affinity(pod: Pod, node: Node, world: World): No | undefined {
  const terms = pod.spec?.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const unmet = never("node(s) didn't match pod affinity rules");
  if (terms.some(({ topologyKey }) => labelsOf(node)[topologyKey] === undefined)) return unmet;
  const matchesAll = (other: Pod): boolean => terms.every((term) => isAbout(term, pod, other, world));
  const satisfied = ({ topologyKey }: PodAffinityTerm): boolean =>
    world.nodes.some((other) => together(node, other, topologyKey) && podsOn(world, other).some(matchesAll));
  if (!terms.every(satisfied)) {
    const exists = world.nodes.some(
      (other) =>
        terms.some(({ topologyKey }) => labelsOf(other)[topologyKey] !== undefined) &&
        podsOn(world, other).some(matchesAll),
    );
    if (exists || !matchesAll(pod)) return unmet;
  }
  return antiAffinity(pod, node, world);
}

function antiAffinity(pod: Pod, node: Node, world: World): No | undefined {
  const terms = (owner: Pod): readonly PodAffinityTerm[] =>
    owner.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const near = (test: (other: Pod, key: string) => boolean): boolean =>
    world.nodes.some((other) =>
      podsOn(world, other).some((existing) =>
        ["topology.kubernetes.io/zone", "kubernetes.io/hostname", "rack"].some(
          (key) => together(node, other, key) && test(existing, key),
        ),
      ),
    );
  const mine = near((other, key) =>
    terms(pod).some((term) => term.topologyKey === key && isAbout(term, pod, other, world)),
  );
  if (mine) return no("node(s) didn't match pod anti-affinity rules");
  const theirs = near((other, key) =>
    terms(other).some((term) => term.topologyKey === key && isAbout(term, other, pod, world)),
  );
  return theirs ? no("node(s) didn't satisfy existing pods anti-affinity rules") : undefined;
}

function features({ spec }: Pod, { status }: Node): No | undefined {
  const asks = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].some((container) =>
    container.restartPolicyRules?.some(({ action }) => action === "RestartAllContainers"),
  );
  const has = status?.declaredFeatures?.includes("RestartAllContainersOnContainerExits") === true;
  return asks && !has ? never("node(s) didn't match Pod's required features") : undefined;
}

/** In upstream's order: the first no is what a node is told. */
export const filters: readonly Filter[] = [unschedulable, taints, nodeAffinity, features, ports, fit, spread, affinity];
