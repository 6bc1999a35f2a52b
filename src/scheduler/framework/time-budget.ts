import { PolicyError } from "./guard.js";

/** What all calls of policies' filters and scores in one cycle may take together. */
export class TimeBudget {
  readonly #now: () => number;
  readonly #budgetMs: number;
  #deadline = Number.POSITIVE_INFINITY;
  #calls = 0;

  /** `now` in milliseconds. */
  constructor(now: () => number, budgetMs: number) {
    this.#now = now;
    this.#budgetMs = budgetMs;
  }

  /** A cycle begins. */
  begin(): void {
    this.#deadline = this.#now() + this.#budgetMs;
    this.#calls = 0;
  }

  /** To be called with each call of a policy. Reading the clock costs as much as a filter: every so often is enough. Throws PolicyError. */
  check(policy: string): void {
    if ((this.#calls++ & 7) !== 7 || this.#now() <= this.#deadline) return;
    throw new PolicyError(policy, "Filter", `the cycle took longer than its ${this.#budgetMs}ms`);
  }
}

export const unlimitedTime: TimeBudget = new TimeBudget(() => 0, Number.POSITIVE_INFINITY);
