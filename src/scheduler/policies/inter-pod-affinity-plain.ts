import type { Pod } from "../../api/index.js";
import { type CompiledTerm, podTerms, termMatches } from "../cache/affinity-term.js";
import type { Cycle, NodeSnapshot, Rejection, Verdict } from "../framework/policy.js";
import { labelOf } from "./node-selector.js";

// The plain face of InterPodAffinity: every rule looked at for every pair of pods. Obvious rather than fast.

function matches(term: CompiledTerm, { metadata }: Pod, { snapshot }: Cycle): boolean {
  return termMatches(
    term,
    metadata.namespace ?? "",
    metadata.labels,
    (namespace) => snapshot.listers.namespaces.get(namespace)?.metadata.labels,
  );
}

function sameDomain(a: NodeSnapshot, b: NodeSnapshot, key: string): boolean {
  const value = labelOf(a.node, key);
  return value !== undefined && value === labelOf(b.node, key);
}

export function plainAffinityFilter(
  pod: Pod,
  node: NodeSnapshot,
  cycle: Cycle,
  verdicts: Readonly<Record<"affinityUnmet" | "antiAffinityUnmet" | "existingAntiAffinity", Rejection>>,
): Verdict {
  const { nodes } = cycle.snapshot;
  const own = podTerms(pod);
  const matchesAll = (other: Pod): boolean => own.requiredAffinity.every((term) => matches(term, other, cycle));
  const near = (term: CompiledTerm, test: (other: Pod) => boolean): boolean =>
    nodes.some((other) => sameDomain(node, other, term.topologyKey) && other.pods.some(test));
  for (const { topologyKey } of own.requiredAffinity) {
    if (labelOf(node.node, topologyKey) === undefined) return verdicts.affinityUnmet;
  }
  if (!own.requiredAffinity.every((term) => near(term, matchesAll))) {
    const exists = nodes.some(
      (other) =>
        own.requiredAffinity.some(({ topologyKey }) => labelOf(other.node, topologyKey) !== undefined) &&
        other.pods.some(matchesAll),
    );
    if (exists || !matchesAll(pod)) return verdicts.affinityUnmet;
  }
  if (own.requiredAntiAffinity.some((term) => near(term, (other) => matches(term, other, cycle)))) {
    return verdicts.antiAffinityUnmet;
  }
  const blocked = nodes.some((other) =>
    other.pods.some((existing) =>
      podTerms(existing).requiredAntiAffinity.some(
        (term) => sameDomain(node, other, term.topologyKey) && matches(term, pod, cycle),
      ),
    ),
  );
  return blocked ? verdicts.existingAntiAffinity : undefined;
}

export function plainAffinityScores(
  pod: Pod,
  cycle: Cycle,
  { hardWeight, ignoreExisting }: { readonly hardWeight: number; readonly ignoreExisting: boolean },
): Map<string, number> {
  const id = "InterPodAffinity/scores";
  const known = cycle.state.get(id);
  if (known instanceof Map) return known;
  const { nodes } = cycle.snapshot;
  const own = podTerms(pod);
  const heedPreferences = !ignoreExisting || own.preferredAffinity.length + own.preferredAntiAffinity.length > 0;
  const scores = new Map<string, number>(nodes.map(({ name }) => [name, 0]));
  const add = (from: NodeSnapshot, { topologyKey }: CompiledTerm, weight: number): void => {
    for (const node of nodes) {
      if (sameDomain(node, from, topologyKey)) scores.set(node.name, (scores.get(node.name) ?? 0) + weight);
    }
  };
  for (const node of nodes) {
    for (const existing of node.pods) {
      for (const { term, weight } of own.preferredAffinity) if (matches(term, existing, cycle)) add(node, term, weight);
      for (const { term, weight } of own.preferredAntiAffinity) {
        if (matches(term, existing, cycle)) add(node, term, -weight);
      }
      const theirs = podTerms(existing);
      for (const term of theirs.requiredAffinity) if (matches(term, pod, cycle)) add(node, term, hardWeight);
      if (!heedPreferences) continue;
      for (const { term, weight } of theirs.preferredAffinity) if (matches(term, pod, cycle)) add(node, term, weight);
      for (const { term, weight } of theirs.preferredAntiAffinity) {
        if (matches(term, pod, cycle)) add(node, term, -weight);
      }
    }
  }
  cycle.state.set(id, scores);
  return scores;
}
