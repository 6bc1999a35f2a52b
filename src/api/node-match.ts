import type { Node, NodeSelectorRequirement, NodeSelectorTerm, PodSpec } from "./gen/types.js";

/** Whether a pod's node selector and required node affinity let it onto a node. */
export function fitsNode(spec: PodSpec, node: Node): boolean {
  const labels = new Map(Object.entries(node.metadata.labels ?? {}));
  for (const [name, value] of Object.entries(spec.nodeSelector ?? {})) if (labels.get(name) !== value) return false;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (required === undefined) return true;
  return required.nodeSelectorTerms.some((term) => matchesTerm(term, node, labels));
}

function matchesTerm(term: NodeSelectorTerm, node: Node, labels: ReadonlyMap<string, string>): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  return (
    matchExpressions.every((one) => matches(one, labels.get(one.key))) &&
    matchFields.every((one) => matches(one, one.key === "metadata.name" ? node.metadata.name : undefined))
  );
}

function matches({ operator, values = [] }: NodeSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
      return value !== undefined && Number(value) > Number(values[0]);
    case "Lt":
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      return false;
  }
}
