import { termMatches } from "../cache/affinity-term.js";
import type { LabelColumn } from "../cache/label-column.js";
import type { OwnerCounter, PodCounter } from "../cache/pod-counters.js";
import type { PodInfo } from "../cache/pod-info.js";
import { type SchedulingPolicy, unresolvable } from "../framework/policy.js";
import type { DomainInput, Normalize, TopologyPart, VectorContext, VectorPart } from "../framework/vector.js";
import { plainAffinityFilter, plainAffinityScores } from "./inter-pod-affinity-plain.js";

export interface InterPodAffinityArgs {
  /** What a required affinity term of a pod on a node weighs for the pods that it matches. Default 1. */
  readonly hardPodAffinityWeight?: number;
  readonly ignorePreferredTermsOfExistingPods?: boolean;
}

const name = "InterPodAffinity";
const affinityUnmet = unresolvable("node(s) didn't match pod affinity rules");
const antiAffinityUnmet = { reasons: ["node(s) didn't match pod anti-affinity rules"] };
const existingAntiAffinity = { reasons: ["node(s) didn't satisfy existing pods anti-affinity rules"] };

/** Places pods near to, or away from, other pods: both by what the pod says and by what pods on nodes say of it. */
export function interPodAffinity(args: InterPodAffinityArgs = {}): SchedulingPolicy {
  const hardWeight = args.hardPodAffinityWeight ?? 1;
  const ignoreExisting = args.ignorePreferredTermsOfExistingPods ?? false;
  const options = { hardWeight, ignoreExisting };
  const relevant = (owner: OwnerCounter, pod: PodInfo): boolean => {
    if (owner.kind === "requiredAntiAffinity") return true;
    if (owner.kind === "requiredAffinity") return hardWeight > 0;
    // Like upstream: pods without preferences of their own may be left alone.
    const { preferredAffinity, preferredAntiAffinity } = pod.terms;
    return !ignoreExisting || preferredAffinity.length + preferredAntiAffinity.length > 0;
  };
  const ownersOf = (pod: PodInfo, { table }: VectorContext): OwnerCounter[] =>
    table.counters.ownerSequence === 0
      ? []
      : table.counters.ownersMatching(pod).filter((owner) => relevant(owner, pod));
  return {
    name,
    filter: (pod, node, cycle) =>
      plainAffinityFilter(pod, node, cycle, { affinityUnmet, antiAffinityUnmet, existingAntiAffinity }),
    score: (pod, node, cycle) => plainAffinityScores(pod, cycle, options).get(node.name) ?? 0,
    normalizeScore(_pod, scores) {
      const scaled = [...scores];
      normalize(scaled);
      return scaled;
    },
    requeueWhen: [
      { resource: "AssignedPod", actions: ["Add", "Delete", "UpdatePodLabel"] },
      { resource: "UnscheduledPod", actions: ["UpdatePodLabel"] },
      { resource: "Node", actions: ["Add", "UpdateNodeLabel"] },
      { resource: "Namespace" },
    ],
    vector: {
      key(pod, context) {
        const { table } = context;
        const { requiredAffinity, requiredAntiAffinity, preferredAffinity, preferredAntiAffinity } = pod.terms;
        const owners = ownersOf(pod, context);
        let key = "";
        for (const owner of owners) key += `${owner.sequence},`;
        const own =
          requiredAffinity.length +
          requiredAntiAffinity.length +
          preferredAffinity.length +
          preferredAntiAffinity.length;
        if (own === 0) return key;
        const self = requiredAffinity.every((term) => matchesSelf(term, pod, context));
        return `${table.counters.epoch}${key}${self}${JSON.stringify([
          requiredAffinity.map(({ id }) => id),
          requiredAntiAffinity.map(({ id }) => id),
          preferredAffinity.map(({ term, weight }) => [term.id, weight]),
          preferredAntiAffinity.map(({ term, weight }) => [term.id, weight]),
        ])}`;
      },
      compile: (pod, context) => compile(pod, ownersOf(pod, context), hardWeight, context),
    },
  };
}

function matchesSelf(
  term: PodInfo["terms"]["requiredAffinity"][number],
  pod: PodInfo,
  { table }: VectorContext,
): boolean {
  return termMatches(
    term,
    pod.namespace,
    pod.labels,
    (namespace) => table.listers.namespaces.get(namespace)?.metadata.labels,
  );
}

/** From least to most, 0 to 100; all the same is no preference. */
const normalize: Normalize = (scores) => {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const score of scores) {
    if (score < min) min = score;
    if (score > max) max = score;
  }
  const range = max - min;
  for (let index = 0; index < scores.length; index++) {
    // Divided first, as upstream does in floating point: 29 of 50 are 57.
    scores[index] = range > 0 ? Math.trunc(100 * (((scores[index] ?? 0) - min) / range)) : 0;
  }
};

interface Rule {
  readonly input: DomainInput;
  /** For scores. */
  readonly weight: number;
}

function compile(
  pod: PodInfo,
  owners: readonly OwnerCounter[],
  hardWeight: number,
  context: VectorContext,
): VectorPart | undefined {
  const { table, verdict } = context;
  const counters: PodCounter[] = [];
  const count = (terms: PodInfo["terms"]["requiredAffinity"]): PodCounter => {
    const counter = table.counters.acquire(terms, false, (visit) => table.everyPod(visit));
    counters.push(counter);
    return counter;
  };
  const key = (topologyKey: string): LabelColumn => table.label(topologyKey);
  const { terms } = pod;
  const blocking = owners
    .filter(({ kind }) => kind === "requiredAntiAffinity")
    .map((counter): Rule => ({ input: { counter, key: key(counter.term.topologyKey) }, weight: 0 }));
  const affinity: Rule[] = [];
  if (terms.requiredAffinity.length > 0) {
    // A pod counts for any term only when it matches all of them.
    const counter = count(terms.requiredAffinity);
    for (const term of terms.requiredAffinity)
      affinity.push({ input: { counter, key: key(term.topologyKey) }, weight: 0 });
  }
  const anti = terms.requiredAntiAffinity.map(
    (term): Rule => ({ input: { counter: count([term]), key: key(term.topologyKey) }, weight: 0 }),
  );
  const scored = scoringRules(
    pod,
    owners,
    hardWeight,
    (term) => ({ counter: count([term]), key: key(term.topologyKey) }),
    key,
  );
  const rules = [...blocking, ...affinity, ...anti, ...scored];
  if (rules.length === 0) return undefined;
  const filter = affinityFilter(blocking.length, affinity.length, anti.length, {
    existing: verdict(existingAntiAffinity),
    affinity: verdict(affinityUnmet),
    anti: verdict(antiAffinityUnmet),
    self: terms.requiredAffinity.every((term) => matchesSelf(term, pod, context)),
  });
  const part: TopologyPart = {
    inputs: rules.map(({ input }) => input),
    ...(rules.length > scored.length ? { filter } : {}),
    ...(scored.length === 0 ? {} : { score: { of: affinityScore(scored, rules.length - scored.length), normalize } }),
  };
  return {
    topology: part,
    dispose() {
      for (const counter of counters) table.counters.release(counter);
    },
  };
}

function scoringRules(
  { terms }: PodInfo,
  owners: readonly OwnerCounter[],
  hardWeight: number,
  inputOf: (term: PodInfo["terms"]["requiredAffinity"][number]) => DomainInput,
  key: (topologyKey: string) => LabelColumn,
): Rule[] {
  const rules: Rule[] = [];
  for (const { term, weight } of terms.preferredAffinity) rules.push({ input: inputOf(term), weight });
  for (const { term, weight } of terms.preferredAntiAffinity) rules.push({ input: inputOf(term), weight: -weight });
  for (const counter of owners) {
    const input = { counter, key: key(counter.term.topologyKey) };
    // Counters of preferred terms hold sums of weights.
    if (counter.kind === "requiredAffinity") rules.push({ input, weight: hardWeight });
    else if (counter.kind === "preferredAffinity") rules.push({ input, weight: 1 });
    else if (counter.kind === "preferredAntiAffinity") rules.push({ input, weight: -1 });
  }
  return rules;
}

function affinityFilter(
  blocking: number,
  affinity: number,
  anti: number,
  codes: { readonly existing: number; readonly affinity: number; readonly anti: number; readonly self: boolean },
): NonNullable<TopologyPart["filter"]> {
  return (view, base) => {
    const affinityBase = base + blocking;
    let missing = false;
    for (let input = affinityBase; input < affinityBase + affinity; input++) {
      if (!view.hasKey(input)) return codes.affinity;
      if (view.count(input) <= 0) missing = true;
    }
    if (missing) {
      // The first of a group that wants to be together may go anywhere, or none ever could.
      let anywhere = 0;
      for (let input = affinityBase; input < affinityBase + affinity; input++) anywhere += view.total(input);
      if (anywhere > 0 || !codes.self) return codes.affinity;
    }
    const antiBase = affinityBase + affinity;
    for (let input = antiBase; input < antiBase + anti; input++) {
      if (view.hasKey(input) && view.count(input) > 0) return codes.anti;
    }
    for (let input = base; input < base + blocking; input++) {
      if (view.hasKey(input) && view.count(input) > 0) return codes.existing;
    }
    return 0;
  };
}

function affinityScore(scored: readonly Rule[], offset: number): NonNullable<TopologyPart["score"]>["of"] {
  return (view, base) => {
    let score = 0;
    for (let index = 0; index < scored.length; index++) {
      const input = base + offset + index;
      if (view.hasKey(input)) score += (scored[index]?.weight ?? 0) * view.count(input);
    }
    return score;
  };
}
