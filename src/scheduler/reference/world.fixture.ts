// A second, slow opinion on every policy: written from upstream's documented behaviour over plain objects, sharing no code
// with the scheduler. What it says is what the scheduler must say.
import type {
  LabelSelector,
  Node,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  Pod,
  Service,
  Taint,
  Toleration,
} from "../../api/index.js";

export interface World {
  readonly nodes: readonly Node[];
  /** On nodes. */
  readonly pods: readonly Pod[];
  readonly namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>;
  readonly services: readonly Service[];
}

export type Amounts = Record<string, number>;

type Labels = Readonly<Record<string, string>>;

export const labelsOf = (object: { readonly metadata: { readonly labels?: Labels } }): Labels =>
  object.metadata.labels ?? {};

export const podsOn = ({ pods }: World, node: Node): Pod[] =>
  pods.filter((pod) => pod.spec?.nodeName === node.metadata.name);

/** An absent selector matches nothing, an empty one everything. */
export function selects(selector: LabelSelector | undefined, labels: Readonly<Record<string, string>>): boolean {
  if (selector === undefined) return false;
  const equal = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  const rules = (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const value = labels[key];
    if (operator === "Exists") return value !== undefined;
    if (operator === "DoesNotExist") return value === undefined;
    if (operator === "In") return value !== undefined && values.includes(value);
    return value === undefined || !values.includes(value);
  });
  return equal && rules;
}

function requirementHolds({ operator, values = [] }: NodeSelectorRequirement, value: string | undefined): boolean {
  if (operator === "Exists") return value !== undefined;
  if (operator === "DoesNotExist") return value === undefined;
  if (operator === "NotIn") return value === undefined || !values.includes(value);
  if (value === undefined) return false;
  if (operator === "In") return values.includes(value);
  const [number, bound] = [Number(value), Number(values[0])];
  if (!Number.isInteger(number) || !Number.isInteger(bound)) return false;
  return operator === "Gt" ? number > bound : number < bound;
}

export function nodeTermHolds({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, node: Node): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false;
  return (
    matchExpressions.every((rule) => requirementHolds(rule, labelsOf(node)[rule.key])) &&
    matchFields.every((rule) => requirementHolds(rule, node.metadata.name))
  );
}

/** nodeSelector and required node affinity. */
export function wantsNode(pod: Pod, node: Node): boolean {
  const selector = Object.entries(pod.spec?.nodeSelector ?? {});
  if (!selector.every(([key, value]) => labelsOf(node)[key] === value)) return false;
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || required.nodeSelectorTerms.some((term) => nodeTermHolds(term, node));
}

function tolerates({ key, operator, value, effect }: Toleration, taint: Taint): boolean {
  if (effect && effect !== taint.effect) return false;
  if (!key) return operator === "Exists";
  if (key !== taint.key) return false;
  return operator === "Exists" || (value ?? "") === (taint.value ?? "");
}

export function untolerated(pod: Pod, node: Node, effects: readonly string[]): Taint[] {
  return (node.spec?.taints ?? []).filter(
    (taint) =>
      effects.includes(taint.effect) &&
      !(pod.spec?.tolerations ?? []).some((toleration) => tolerates(toleration, taint)),
  );
}

/** cpu in thousandths. The tests use no other notations. */
export function amount(resource: string, quantity: string): number {
  const scale = resource === "cpu" ? 1000 : 1;
  if (quantity.endsWith("m")) return (Number(quantity.slice(0, -1)) * scale) / 1000;
  if (quantity.endsWith("Mi")) return Number(quantity.slice(0, -2)) * 2 ** 20;
  if (quantity.endsWith("Gi")) return Number(quantity.slice(0, -2)) * 2 ** 30;
  return Number(quantity) * scale;
}

function plus(a: Amounts, b: Amounts): Amounts {
  const sum = { ...a };
  for (const [name, more] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + more;
  return sum;
}

function most(a: Amounts, b: Amounts): Amounts {
  const result = { ...a };
  for (const [name, other] of Object.entries(b)) result[name] = Math.max(result[name] ?? 0, other);
  return result;
}

function amounts(quantities: Readonly<Record<string, string>> | undefined): Amounts {
  return Object.fromEntries(Object.entries(quantities ?? {}).map(([name, quantity]) => [name, amount(name, quantity)]));
}

/** `filled`: a container without a request for cpu or memory counts as 100m and 200 MiB. */
export function requestsOf({ spec }: Pod, filled = false): Amounts {
  const least: Amounts = filled ? { cpu: 100, memory: 200 * 2 ** 20 } : {};
  const own = (container: {
    readonly resources?: { readonly requests?: Readonly<Record<string, string>> };
  }): Amounts => ({
    ...least,
    ...amounts(container.resources?.requests),
  });
  let running = (spec?.containers ?? []).reduce<Amounts>((sum, container) => plus(sum, own(container)), {});
  let sidecars: Amounts = {};
  let starting: Amounts = {};
  for (const container of spec?.initContainers ?? []) {
    if (container.restartPolicy === "Always") {
      running = plus(running, own(container));
      sidecars = plus(sidecars, own(container));
      starting = most(starting, sidecars);
    } else starting = most(starting, plus(own(container), sidecars));
  }
  const total = { ...most(running, starting), ...amounts(spec?.resources?.requests) };
  return plus(total, amounts(spec?.overhead));
}

export const allocatableOf = ({ status }: Node): Amounts => amounts(status?.allocatable);

export const sumOnNode = (world: World, node: Node, filled = false): Amounts =>
  podsOn(world, node).reduce<Amounts>((sum, pod) => plus(sum, requestsOf(pod, filled)), {});
