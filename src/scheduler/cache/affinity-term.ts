import type { LabelSelector, Pod, PodAffinityTerm } from "../../api/index.js";
import {
  type LabelRequirement,
  type Labels,
  nothing,
  type Selector,
  selectorFromLabelSelector,
  selectorFromRequirements,
} from "../../api/labels.js";

/** Labels of a namespace, for terms that select namespaces. */
export type NamespaceLabels = (namespace: string) => Labels | undefined;

/** Which pods a rule is about, and over which topology. Terms with the same `id` are the same. */
export interface CompiledTerm {
  readonly id: string;
  readonly topologyKey: string;
  readonly namespaces: ReadonlySet<string>;
  readonly namespaceSelector: Selector | undefined;
  readonly selector: Selector;
}

export interface WeightedTerm {
  readonly term: CompiledTerm;
  readonly weight: number;
}

/** The four kinds of terms of one pod. */
export interface PodTerms {
  readonly requiredAffinity: readonly CompiledTerm[];
  readonly requiredAntiAffinity: readonly CompiledTerm[];
  readonly preferredAffinity: readonly WeightedTerm[];
  readonly preferredAntiAffinity: readonly WeightedTerm[];
}

export const noTerms: PodTerms = {
  requiredAffinity: [],
  requiredAntiAffinity: [],
  preferredAffinity: [],
  preferredAntiAffinity: [],
};

export function podTerms(pod: Pod): PodTerms {
  const affinity = pod.spec?.affinity;
  if (affinity?.podAffinity === undefined && affinity?.podAntiAffinity === undefined) return noTerms;
  const compile = (term: PodAffinityTerm): CompiledTerm => compileTerm(pod, term);
  const { podAffinity, podAntiAffinity } = affinity;
  return {
    requiredAffinity: podAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.map(compile) ?? [],
    requiredAntiAffinity: podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.map(compile) ?? [],
    preferredAffinity:
      podAffinity?.preferredDuringSchedulingIgnoredDuringExecution?.map(({ podAffinityTerm, weight }) => ({
        term: compile(podAffinityTerm),
        weight,
      })) ?? [],
    preferredAntiAffinity:
      podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution?.map(({ podAffinityTerm, weight }) => ({
        term: compile(podAffinityTerm),
        weight,
      })) ?? [],
  };
}

function compileTerm(pod: Pod, term: PodAffinityTerm): CompiledTerm {
  const selector = withLabelKeys(
    safeSelector(term.labelSelector),
    pod.metadata.labels,
    term.matchLabelKeys,
    term.mismatchLabelKeys,
  );
  const namespaceSelector = term.namespaceSelector === undefined ? undefined : safeSelector(term.namespaceSelector);
  const named = term.namespaces ?? [];
  const namespaces = new Set(
    named.length === 0 && namespaceSelector === undefined ? [pod.metadata.namespace ?? ""] : named,
  );
  const id = JSON.stringify([
    term.topologyKey,
    [...namespaces].sort(),
    namespaceSelector === undefined ? null : [namespaceSelector.nothing, namespaceSelector.toString()],
    selector.nothing,
    selector.toString(),
  ]);
  return { id, topologyKey: term.topologyKey, namespaces, namespaceSelector, selector };
}

/** A selector that cannot be read selects nothing: the API server would not have let it in. */
export function safeSelector(selector: LabelSelector | undefined): Selector {
  try {
    return selectorFromLabelSelector(selector);
  } catch {
    return nothing;
  }
}

/**
 * Adds "the same (or another) value as this pod's" for each key that the pod has. The API server of 1.36 merges them
 * into the selector itself; doing it again changes nothing.
 */
export function withLabelKeys(
  selector: Selector,
  labels: Labels | undefined,
  match: readonly string[] = [],
  mismatch: readonly string[] = [],
): Selector {
  if (selector.nothing || (match.length === 0 && mismatch.length === 0) || labels === undefined) return selector;
  const more: LabelRequirement[] = [];
  const collect = (keys: readonly string[], operator: "in" | "notin"): void => {
    for (const key of keys) {
      const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
      if (value !== undefined) more.push({ key, operator, values: [value] });
    }
  };
  collect(match, "in");
  collect(mismatch, "notin");
  const had = new Set(selector.requirements.map(requirementId));
  const added = more.filter((requirement) => !had.has(requirementId(requirement)));
  return added.length === 0 ? selector : selectorFromRequirements([...selector.requirements, ...added]);
}

function requirementId({ key, operator, values }: LabelRequirement): string {
  return JSON.stringify([key, operator, values]);
}

export function termMatches(
  term: CompiledTerm,
  namespace: string,
  labels: Labels | undefined,
  namespaceLabels: NamespaceLabels,
): boolean {
  if (!term.selector.matches(labels)) return false;
  if (term.namespaces.has(namespace)) return true;
  const { namespaceSelector } = term;
  if (namespaceSelector === undefined || namespaceSelector.nothing) return false;
  return namespaceSelector.empty || namespaceSelector.matches(namespaceLabels(namespace));
}
