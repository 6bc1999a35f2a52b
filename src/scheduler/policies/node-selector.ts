import type { Node, NodeSelectorRequirement, NodeSelectorTerm, Pod } from "../../api/index.js";

type Test = (node: Node) => boolean;

/** Whether the node satisfies the pod's nodeSelector and required node affinity; `undefined` when the pod has neither. */
export function requiredNodeTest(pod: Pod): Test | undefined {
  const selector = Object.entries(pod.spec?.nodeSelector ?? {});
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const tests: Test[] = [];
  if (selector.length > 0) {
    tests.push((node) => selector.every(([key, value]) => labelOf(node, key) === value));
  }
  if (required !== undefined) tests.push(anyTerm(required.nodeSelectorTerms));
  if (tests.length === 0) return undefined;
  return (node) => tests.every((test) => test(node));
}

/** Terms are alternatives; one without requirements, and no terms at all, match nothing. */
export function anyTerm(terms: readonly NodeSelectorTerm[]): Test {
  const tests = terms.map(termTest);
  return (node) => tests.some((test) => test(node));
}

export function isEmptyTerm(term: NodeSelectorTerm): boolean {
  return (term.matchExpressions ?? []).length === 0 && (term.matchFields ?? []).length === 0;
}

export function termTest(term: NodeSelectorTerm): Test {
  if (isEmptyTerm(term)) return () => false;
  const labels = (term.matchExpressions ?? []).map((requirement) => requirementTest(requirement));
  const fields = (term.matchFields ?? []).map((requirement) => requirementTest(requirement));
  const keys = (term.matchExpressions ?? []).map(({ key }) => key);
  const fieldKeys = (term.matchFields ?? []).map(({ key }) => key);
  return (node) =>
    labels.every((test, index) => test(labelOf(node, keys[index] ?? ""))) &&
    fields.every((test, index) => test(fieldKeys[index] === "metadata.name" ? node.metadata.name : undefined));
}

function requirementTest({ operator, values = [] }: NodeSelectorRequirement): (value: string | undefined) => boolean {
  const set = new Set(values);
  switch (operator) {
    case "In":
      return (value) => value !== undefined && set.has(value);
    case "NotIn":
      return (value) => value === undefined || !set.has(value);
    case "Exists":
      return (value) => value !== undefined;
    case "DoesNotExist":
      return (value) => value === undefined;
    case "Gt":
      return (value) => compareIntegers(value, values[0], (a, b) => a > b);
    case "Lt":
      return (value) => compareIntegers(value, values[0], (a, b) => a < b);
    default:
      return () => false;
  }
}

function compareIntegers(
  value: string | undefined,
  bound: string | undefined,
  holds: (a: bigint, b: bigint) => boolean,
): boolean {
  const integer = /^[+-]?\d+$/;
  if (value === undefined || bound === undefined || !integer.test(value) || !integer.test(bound)) return false;
  return holds(BigInt(value.replace("+", "")), BigInt(bound.replace("+", "")));
}

export function labelOf(node: Node, key: string): string | undefined {
  const { labels } = node.metadata;
  return labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
}

/**
 * The node names that a pod is pinned to by `metadata.name` fields, as daemon pods are: when every alternative names nodes,
 * the union. `undefined`: not pinned.
 */
export function pinnedNodeNames(pod: Pod): ReadonlySet<string> | undefined {
  const terms = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (terms === undefined || terms.length === 0) return undefined;
  const union = new Set<string>();
  for (const term of terms) {
    let names: Set<string> | undefined;
    for (const { key, operator, values } of term.matchFields ?? []) {
      if (key !== "metadata.name" || operator !== "In") continue;
      const own = new Set(values ?? []);
      names = names === undefined ? own : new Set([...names].filter((name) => own.has(name)));
    }
    if (names === undefined) return undefined;
    for (const name of names) union.add(name);
  }
  return union;
}
