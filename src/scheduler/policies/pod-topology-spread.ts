import type { Pod } from "../../api/index.js";
import type { ClusterTable } from "../cache/cluster-table.js";
import type { PodCounter } from "../cache/pod-counters.js";
import type { PodInfo } from "../cache/pod-info.js";
import type { ClusterListers } from "../framework/listers.js";
import { type Cycle, type NodeSnapshot, type SchedulingPolicy, unresolvable } from "../framework/policy.js";
import type { DomainInput, Normalize, TopologyPart, VectorContext, VectorPart } from "../framework/vector.js";
import { labelOf } from "./node-selector.js";
import {
  constraintsOf,
  DefaultSelectors,
  hasKeys,
  hostnameLabel,
  included,
  type PodConstraints,
  type PodTopologySpreadArgs,
  type SpreadConstraint,
  spreadTerm,
} from "./spread-constraints.js";

const name = "PodTopologySpread";
const skewed = { reasons: ["node(s) didn't match pod topology spread constraints"] };
const missingLabel = unresolvable("node(s) didn't match pod topology spread constraints (missing required label)");

/** Spreads like pods over the domains of a topology: strictly (DoNotSchedule) or as far as possible (ScheduleAnyway). */
export function podTopologySpread(args: PodTopologySpreadArgs = {}): SchedulingPolicy {
  const selectors = new DefaultSelectors();
  const of = (pod: Pod, listers: ClusterListers): PodConstraints => constraintsOf(pod, args, listers, selectors);
  return {
    name,
    preFilter(pod, { snapshot }) {
      return of(pod, snapshot.listers).constraints.some(({ hard }) => hard) ? undefined : { skip: true };
    },
    filter: (pod, node, cycle) => plainFilter(pod, of(pod, cycle.snapshot.listers), node, cycle),
    preScore(pod, nodes, cycle) {
      const soft = of(pod, cycle.snapshot.listers).constraints.filter(({ hard }) => !hard);
      if (soft.length === 0) return { skip: true };
      cycle.state.set(name, nodes);
      return undefined;
    },
    score(pod, node, cycle) {
      const scores = plainScores(pod, of(pod, cycle.snapshot.listers), cycle);
      return scores.get(node.name) ?? 0;
    },
    normalizeScore(pod, scores, nodes, cycle) {
      const { constraints, requireAllKeys } = of(pod, cycle.snapshot.listers);
      const soft = constraints.filter(({ hard }) => !hard);
      const scaled = scores.map((score, index) => {
        const node = nodes[index]?.node;
        return requireAllKeys && node !== undefined && !hasKeys(node, soft) ? Number.NaN : score;
      });
      normalize(scaled);
      return scaled;
    },
    requeueWhen: [
      { resource: "AssignedPod", actions: ["Add", "Delete", "UpdatePodLabel"] },
      { resource: "UnscheduledPod", actions: ["UpdatePodLabel"] },
      { resource: "Node", actions: ["Add", "Delete", "UpdateNodeLabel", "UpdateNodeTaint"] },
    ],
    vector: {
      key(pod, { table }) {
        const own = pod.pod.spec?.topologySpreadConstraints;
        const { constraints } = of(pod.pod, table.listers);
        if (constraints.length === 0) return "";
        const { nodeSelector, affinity, tolerations } = pod.pod.spec ?? {};
        return JSON.stringify([
          own === undefined || own.length === 0,
          pod.namespace,
          constraints.map(({ selector, ...rest }) => [
            rest,
            selector.nothing,
            selector.toString(),
            selector.matches(pod.labels),
          ]),
          constraints.some(({ honorAffinity }) => honorAffinity) ? [nodeSelector, affinity?.nodeAffinity] : [],
          constraints.some(({ honorTaints }) => honorTaints) ? tolerations : [],
        ]);
      },
      compile: (pod, context) => compile(pod, of(pod.pod, context.table.listers), context),
    },
  };
}

/** From high counts to high scores: 100 for the emptiest. Nodes that are left out get 0. */
const normalize: Normalize = (scores) => {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const score of scores) {
    if (score < min) min = score;
    if (score > max) max = score;
  }
  for (let index = 0; index < scores.length; index++) {
    const score = scores[index] ?? 0;
    if (Number.isNaN(score)) scores[index] = 0;
    else scores[index] = max === 0 ? 100 : Math.trunc((100 * (max + min - score)) / max);
  }
};

function compile(
  pod: PodInfo,
  { constraints, requireAllKeys }: PodConstraints,
  { table, verdict }: VectorContext,
): VectorPart | undefined {
  if (constraints.length === 0) return undefined;
  const hard = constraints.filter((constraint) => constraint.hard);
  const soft = constraints.filter((constraint) => !constraint.hard);
  const counters: PodCounter[] = [];
  const inputs = [
    ...hard.map((constraint) => inputOf(pod, constraint, hard, true, table, counters)),
    ...soft.map((constraint) => inputOf(pod, constraint, requireAllKeys ? soft : [], false, table, counters)),
  ];
  const part: TopologyPart = {
    inputs,
    ...(hard.length === 0 ? {} : { filter: hardFilter(pod, hard, verdict(skewed), verdict(missingLabel)) }),
    ...(soft.length === 0 ? {} : { score: softScore(soft, hard.length, requireAllKeys) }),
  };
  return {
    topology: part,
    dispose() {
      for (const counter of counters) table.counters.release(counter);
    },
  };
}

function inputOf(
  pod: PodInfo,
  constraint: SpreadConstraint,
  required: readonly SpreadConstraint[],
  trackMin: boolean,
  table: ClusterTable,
  counters: PodCounter[],
): DomainInput {
  const terms = [spreadTerm(pod.namespace, constraint)];
  const counter = table.counters.acquire(terms, true, (visit) => table.everyPod(visit));
  counters.push(counter);
  const counts = included(pod.pod, constraint);
  // The score of a single node counts its pods whether or not the node is included.
  const perNode = !constraint.hard && constraint.topologyKey === hostnameLabel;
  return {
    counter,
    key: table.label(constraint.topologyKey),
    trackMin,
    ...(perNode
      ? {}
      : {
          eligible(slot: number): boolean {
            const node = table.nodes[slot];
            return node !== undefined && hasKeys(node, required) && counts(node);
          },
        }),
  };
}

function hardFilter(
  pod: PodInfo,
  hard: readonly SpreadConstraint[],
  skewedCode: number,
  missingCode: number,
): NonNullable<TopologyPart["filter"]> {
  const self = hard.map(({ selector }) => (selector.matches(pod.labels) ? 1 : 0));
  return (view, base) => {
    for (let index = 0; index < hard.length; index++) {
      const { maxSkew = 1, minDomains = 1 } = hard[index] ?? {};
      const input = base + index;
      if (!view.hasKey(input)) return missingCode;
      const least = view.domains(input) < minDomains ? 0 : view.min(input);
      if (view.count(input) + (self[index] ?? 0) - least > maxSkew) return skewedCode;
    }
    return 0;
  };
}

function softScore(
  soft: readonly SpreadConstraint[],
  offset: number,
  requireAllKeys: boolean,
): NonNullable<TopologyPart["score"]> {
  const required = requireAllKeys ? soft.map((_, index) => offset + index) : [];
  const weights = new Array<number>(soft.length).fill(0);
  return {
    prepare(feasible) {
      soft.forEach(({ topologyKey }, index) => {
        const size =
          topologyKey === hostnameLabel ? feasible.nodes(required) : feasible.domains(offset + index, required);
        weights[index] = Math.log(size + 2);
      });
    },
    of(view, base) {
      let score = 0;
      for (let index = 0; index < soft.length; index++) {
        const input = base + offset + index;
        if (view.hasKey(input)) {
          score += view.count(input) * (weights[index] ?? 0) + ((soft[index]?.maxSkew ?? 1) - 1);
        } else if (requireAllKeys) return Number.NaN;
      }
      return Math.round(score);
    },
    normalize,
  };
}

// The plain face. Domains are counted once per cycle.

function countMatching(node: NodeSnapshot, pod: Pod, { selector }: SpreadConstraint): number {
  return node.pods.filter(
    ({ metadata }) =>
      metadata.namespace === pod.metadata.namespace &&
      metadata.deletionTimestamp === undefined &&
      selector.matches(metadata.labels),
  ).length;
}

function domainCounts(
  pod: Pod,
  constraint: SpreadConstraint,
  required: readonly SpreadConstraint[],
  nodes: readonly NodeSnapshot[],
): Map<string, number> {
  const counts = new Map<string, number>();
  const counted = included(pod, constraint);
  for (const node of nodes) {
    const value = labelOf(node.node, constraint.topologyKey);
    if (value === undefined || !hasKeys(node.node, required) || !counted(node.node)) continue;
    counts.set(value, (counts.get(value) ?? 0) + countMatching(node, pod, constraint));
  }
  return counts;
}

function plainFilter(
  pod: Pod,
  { constraints }: PodConstraints,
  { node }: NodeSnapshot,
  cycle: Cycle,
): ReturnType<NonNullable<SchedulingPolicy["filter"]>> {
  for (const { constraint, counts, least } of hardCounts(pod, constraints, cycle)) {
    const value = labelOf(node, constraint.topologyKey);
    if (value === undefined) return missingLabel;
    const self = constraint.selector.matches(pod.metadata.labels) ? 1 : 0;
    if ((counts.get(value) ?? 0) + self - least > constraint.maxSkew) return skewed;
  }
  return undefined;
}

interface HardCount {
  readonly constraint: SpreadConstraint;
  readonly counts: ReadonlyMap<string, number>;
  readonly least: number;
}

function hardCounts(pod: Pod, constraints: readonly SpreadConstraint[], cycle: Cycle): readonly HardCount[] {
  const id = `${name}/hard`;
  const known = cycle.state.get(id) as readonly HardCount[] | undefined;
  if (known !== undefined) return known;
  const hard = constraints.filter((constraint) => constraint.hard);
  const found = hard.map((constraint) => {
    const counts = domainCounts(pod, constraint, hard, cycle.snapshot.nodes);
    let least = counts.size < constraint.minDomains ? 0 : Number.POSITIVE_INFINITY;
    for (const count of counts.values()) least = Math.min(least, count);
    return { constraint, counts, least };
  });
  cycle.state.set(id, found);
  return found;
}

function plainScores(pod: Pod, { constraints, requireAllKeys }: PodConstraints, cycle: Cycle): Map<string, number> {
  const id = `${name}/scores`;
  const known = cycle.state.get(id);
  if (known instanceof Map) return known;
  const soft = constraints.filter(({ hard }) => !hard);
  const feasible = (cycle.state.get(name) ?? cycle.snapshot.nodes) as readonly NodeSnapshot[];
  const takesPart = feasible.filter(({ node }) => !requireAllKeys || hasKeys(node, soft));
  const scores = new Map<string, number>();
  const counted = soft.map((constraint) => ({
    constraint,
    counts: domainCounts(pod, constraint, requireAllKeys ? soft : [], cycle.snapshot.nodes),
    size:
      constraint.topologyKey === hostnameLabel
        ? takesPart.length
        : new Set(takesPart.map(({ node }) => labelOf(node, constraint.topologyKey))).size,
  }));
  for (const node of takesPart) {
    let score = 0;
    for (const { constraint, counts, size } of counted) {
      const value = labelOf(node.node, constraint.topologyKey);
      if (value === undefined) continue;
      const count =
        constraint.topologyKey === hostnameLabel ? countMatching(node, pod, constraint) : (counts.get(value) ?? 0);
      score += count * Math.log(size + 2) + (constraint.maxSkew - 1);
    }
    scores.set(node.name, Math.round(score));
  }
  cycle.state.set(id, scores);
  return scores;
}
