import type { NamedRuleWithOperations } from "../../api/index.js";
import type { AdmissionRequest } from "./admission.js";
import type { MatchCriteria, MatchDeps } from "./rule-match.js";

/** Finds among many rules those that may be about a request, by operation and resource: most are about something else. */
export class RuleIndex<T> {
  readonly #all: readonly T[];
  readonly #criteriaOf: (item: T) => MatchCriteria;
  readonly #known = new Map<string, readonly T[]>();

  constructor(all: readonly T[], criteriaOf: (item: T) => MatchCriteria) {
    this.#all = all;
    this.#criteriaOf = criteriaOf;
  }

  /** In the given order. Whether they really match is for `matchRequest` to say; what is not among them does not. */
  candidates(request: AdmissionRequest, { equivalents }: Pick<MatchDeps, "equivalents">): readonly T[] {
    if (this.#all.length === 0) return this.#all;
    const { operation, resource, subresource } = request;
    const names = new Set([resource]);
    for (const other of equivalents?.(request, subresource) ?? []) names.add(other.resource);
    const key = `${operation} ${[...names].join(" ")}`;
    let found = this.#known.get(key);
    if (found === undefined) {
      found = this.#all.filter((item) => concerns(this.#criteriaOf(item), operation, names));
      this.#known.set(key, found);
    }
    return found;
  }
}

function concerns(
  { everyResource, rules }: MatchCriteria,
  operation: AdmissionRequest["operation"],
  names: ReadonlySet<string>,
): boolean {
  return everyResource || rules.some((rule) => ruleConcerns(rule, operation, names));
}

function ruleConcerns(
  { operations = [], resources = [] }: NamedRuleWithOperations,
  operation: AdmissionRequest["operation"],
  names: ReadonlySet<string>,
): boolean {
  if (!operations.includes("*") && !operations.includes(operation)) return false;
  return resources.some((pattern) => {
    const [name = ""] = pattern.split("/");
    return name === "*" || names.has(name);
  });
}
