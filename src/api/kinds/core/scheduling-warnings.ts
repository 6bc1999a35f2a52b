import type { NodeSelectorTerm, PodAffinity, PodSpec } from "../../gen/types.js";
import { validateLabelValue } from "../../names.js";
import type { Loose } from "../loose.js";

/** Labels of nodes that have new names, and what to say of them. */
export const deprecatedNodeLabels: ReadonlyMap<string, string> = new Map([
  ["beta.kubernetes.io/arch", 'deprecated since v1.14; use "kubernetes.io/arch" instead'],
  ["beta.kubernetes.io/os", 'deprecated since v1.14; use "kubernetes.io/os" instead'],
  ["failure-domain.beta.kubernetes.io/region", 'deprecated since v1.17; use "topology.kubernetes.io/region" instead'],
  ["failure-domain.beta.kubernetes.io/zone", 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead'],
  ["beta.kubernetes.io/instance-type", 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead'],
]);
const needed = "requiredDuringSchedulingIgnoredDuringExecution";
const wished = "preferredDuringSchedulingIgnoredDuringExecution";
const matchesNothing = "a null labelSelector results in matching no pod";

/** What a pod says about its place that will not do what it seems to say. `path` leads to the spec. */
export function schedulingWarnings(path: string, spec: Loose<PodSpec>): readonly string[] {
  const warnings: string[] = [];
  for (const key of Object.keys(spec.nodeSelector ?? {})) {
    const deprecated = deprecatedNodeLabels.get(key);
    if (deprecated !== undefined) warnings.push(`${path}.nodeSelector[${key}]: ${deprecated}`);
  }
  const nodes = spec.affinity?.nodeAffinity;
  nodes?.[needed]?.nodeSelectorTerms?.forEach((term, index) => {
    warnTerm(warnings, `${path}.affinity.nodeAffinity.${needed}.nodeSelectorTerms[${index}]`, term, false);
  });
  nodes?.[wished]?.forEach(({ preference = {} }, index) => {
    warnTerm(warnings, `${path}.affinity.nodeAffinity.${wished}[${index}].preference`, preference, true);
  });
  spec.topologySpreadConstraints?.forEach(({ topologyKey = "", labelSelector }, index) => {
    const at = `${path}.topologySpreadConstraints[${index}]`;
    const deprecated = deprecatedNodeLabels.get(topologyKey);
    if (deprecated !== undefined) warnings.push(`${at}.topologyKey: ${topologyKey} is ${deprecated}`);
    if (labelSelector === undefined) warnings.push(`${at}.labelSelector: ${matchesNothing}`);
  });
  for (const kind of ["podAffinity", "podAntiAffinity"] as const) {
    warnAffinity(warnings, `${path}.affinity.${kind}`, spec.affinity?.[kind]);
  }
  return warnings;
}

/** Bad values in what is only preferred are no errors: they just never match. */
export function warnTerm(warnings: string[], path: string, term: Loose<NodeSelectorTerm>, checkValues: boolean): void {
  term.matchExpressions?.forEach(({ key = "", values = [] }, index) => {
    const at = `${path}.matchExpressions[${index}]`;
    const deprecated = deprecatedNodeLabels.get(key);
    if (deprecated !== undefined) warnings.push(`${at}.key: ${key} is ${deprecated}`);
    if (!checkValues) return;
    values.forEach((value, position) => {
      for (const message of validateLabelValue(value)) {
        warnings.push(`${at}.values[${position}]: ${value} is invalid, ${message}`);
      }
    });
  });
}

function warnAffinity(warnings: string[], path: string, affinity: Loose<PodAffinity> | undefined): void {
  affinity?.[needed]?.forEach((term, index) => {
    if (term.labelSelector === undefined) warnings.push(`${path}.${needed}[${index}].labelSelector: ${matchesNothing}`);
  });
  affinity?.[wished]?.forEach(({ podAffinityTerm }, index) => {
    if (podAffinityTerm?.labelSelector !== undefined) return;
    warnings.push(`${path}.${wished}[${index}].podAffinityTerm.labelSelector: ${matchesNothing}`);
  });
}
