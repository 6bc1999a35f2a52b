import type { Pod } from "../../api/index.js";
import { type CompiledTerm, type PodTerms, podTerms, termMatches } from "../cache/affinity-term.js";
import type { Cycle, NodeSnapshot, Rejection, Verdict } from "../framework/policy.js";
import { labelOf } from "./node-selector.js";

// The plain face of InterPodAffinity. What other pods say is gathered once per cycle; a node is then a few look-ups.

function matches(term: CompiledTerm, { metadata }: Pod, { snapshot }: Cycle): boolean {
  return termMatches(
    term,
    metadata.namespace ?? "",
    metadata.labels,
    (namespace) => snapshot.listers.namespaces.get(namespace)?.metadata.labels,
  );
}

/** A number for each value of a topology key. */
class ByDomain {
  readonly #byKey = new Map<string, Map<string, number>>();

  add(from: NodeSnapshot, key: string, amount: number): void {
    const value = labelOf(from.node, key);
    if (value === undefined) return;
    const values = this.#byKey.get(key) ?? new Map<string, number>();
    this.#byKey.set(key, values);
    values.set(value, (values.get(value) ?? 0) + amount);
  }

  /** Of the node's domain. */
  at({ node }: NodeSnapshot, key: string): number {
    const value = labelOf(node, key);
    return value === undefined ? 0 : (this.#byKey.get(key)?.get(value) ?? 0);
  }

  /** Over the domains that the node is in, by every key. */
  sumAt(node: NodeSnapshot): number {
    let sum = 0;
    for (const key of this.#byKey.keys()) sum += this.at(node, key);
    return sum;
  }

  get empty(): boolean {
    return this.#byKey.size === 0;
  }
}

interface Rules {
  readonly own: PodTerms;
  /** Pods that match all required terms, by the terms' keys. */
  readonly affinity: ByDomain;
  /** Per required anti-affinity term: the pods that it matches. */
  readonly anti: readonly ByDomain[];
  /** Where pods are that will not have this one near. */
  readonly blocked: ByDomain;
  readonly matchesItself: boolean;
}

function rulesFor(pod: Pod, cycle: Cycle): Rules {
  const id = "InterPodAffinity/rules";
  const known = cycle.state.get(id) as Rules | undefined;
  if (known !== undefined) return known;
  const own = podTerms(pod);
  const matchesAll = (other: Pod): boolean => own.requiredAffinity.every((term) => matches(term, other, cycle));
  const [affinity, blocked] = [new ByDomain(), new ByDomain()];
  const anti = own.requiredAntiAffinity.map(() => new ByDomain());
  for (const node of cycle.snapshot.nodes) {
    for (const existing of node.pods) {
      if (own.requiredAffinity.length > 0 && matchesAll(existing)) {
        for (const { topologyKey } of own.requiredAffinity) affinity.add(node, topologyKey, 1);
      }
      own.requiredAntiAffinity.forEach((term, index) => {
        if (matches(term, existing, cycle)) anti[index]?.add(node, term.topologyKey, 1);
      });
      for (const term of podTerms(existing).requiredAntiAffinity) {
        if (matches(term, pod, cycle)) blocked.add(node, term.topologyKey, 1);
      }
    }
  }
  const rules = { own, affinity, anti, blocked, matchesItself: matchesAll(pod) };
  cycle.state.set(id, rules);
  return rules;
}

export function plainAffinityFilter(
  pod: Pod,
  node: NodeSnapshot,
  cycle: Cycle,
  verdicts: Readonly<Record<"affinityUnmet" | "antiAffinityUnmet" | "existingAntiAffinity", Rejection>>,
): Verdict {
  const { own, affinity, anti, blocked, matchesItself } = rulesFor(pod, cycle);
  const { requiredAffinity, requiredAntiAffinity } = own;
  if (requiredAffinity.some(({ topologyKey }) => labelOf(node.node, topologyKey) === undefined)) {
    return verdicts.affinityUnmet;
  }
  if (requiredAffinity.some(({ topologyKey }) => affinity.at(node, topologyKey) === 0)) {
    // The first of a group that wants to be together may go anywhere.
    if (!affinity.empty || !matchesItself) return verdicts.affinityUnmet;
  }
  if (requiredAntiAffinity.some(({ topologyKey }, index) => (anti[index]?.at(node, topologyKey) ?? 0) > 0)) {
    return verdicts.antiAffinityUnmet;
  }
  return blocked.sumAt(node) > 0 ? verdicts.existingAntiAffinity : undefined;
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
  const sums = new ByDomain();
  const add = (from: NodeSnapshot, { topologyKey }: CompiledTerm, weight: number): void =>
    sums.add(from, topologyKey, weight);
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
  const scores = new Map(nodes.map((node) => [node.name, sums.sumAt(node)]));
  cycle.state.set(id, scores);
  return scores;
}
