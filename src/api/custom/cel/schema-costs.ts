import { type FieldError, forbidden } from "../../field-error.js";

/** Upstream's limits for one rule and for all of a definition, with the largest object that a request can bring. */
const ruleCostLimit = 10_000_000;
const schemaCostLimit = 100_000_000;
/** So many of the most expensive rules are named, if they are at least a hundredth of the limit. */
const namedRules = 4;
const namedShare = 0.01;

/** Adds up what all rules of a schema may cost. */
export class SchemaCosts {
  /** Those that were added here. */
  readonly errors: Set<FieldError> = new Set();
  readonly #all: FieldError[];
  readonly #expensive: { readonly path: string; readonly cost: number }[] = [];
  #total = 0;

  constructor(all: FieldError[]) {
    this.#all = all;
  }

  /** `what` begins the error where one expression alone costs too much. */
  add(path: string, what: string, cost: number): void {
    if (cost > ruleCostLimit) this.#forbid(path, exceeded(what, cost, ruleCostLimit));
    this.#total += cost;
    if (cost >= schemaCostLimit * namedShare) this.#expensive.push({ path, cost });
  }

  /** Complains when all together is too much. */
  check(path: string): void {
    if (this.#total <= schemaCostLimit) return;
    const named = this.#expensive.sort((a, b) => b.cost - a.cost).slice(0, namedRules);
    const why = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema";
    for (const rule of named) this.#forbid(rule.path, why);
    const what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
    this.#forbid(path, exceeded(what, this.#total, schemaCostLimit));
  }

  #forbid(path: string, why: string): void {
    const error = forbidden(path, why);
    this.errors.add(error);
    this.#all.push(error);
  }
}

/** As upstream words it. */
function exceeded(what: string, cost: number, limit: number): string {
  const factor = cost / limit;
  const shown = factor > 100 ? "more than 100x" : factor < 1.5 ? `${factor.toFixed(6)}x` : `${factor.toFixed(1)}x`;
  return `${what} exceeds budget by factor of ${shown} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
}
