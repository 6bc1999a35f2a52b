import { PolicyError } from "./guard.js";

/** What all calls of policies' filters and scores in one cycle may take together. */
export class TimeBudget {
  readonly #now: () => number;
  readonly #budgetMs: number;
  #deadline = Number.POSITIVE_INFINITY;
  #calls = 0;
  /** At which call to look at the clock again. */
  #next = 0;

  /** `now` in milliseconds. */
  constructor(now: () => number, budgetMs: number) {
    this.#now = now;
    this.#budgetMs = budgetMs;
  }

  /** A cycle begins. */
  begin(): void {
    this.#deadline = this.#now() + this.#budgetMs;
    this.#calls = 0;
    this.#next = firstLook;
  }

  /** To be called with each call of a policy. Throws PolicyError. */
  check(policy: string): void {
    if (++this.#calls < this.#next) return;
    const left = this.#deadline - this.#now();
    if (left < 0) throw new PolicyError(policy, "Filter", `the cycle took longer than its ${this.#budgetMs}ms`);
    // Reading the clock costs as much as a filter. Those that have been fast so far are trusted with more calls.
    this.#next += left > 0.9 * this.#budgetMs ? Math.min(this.#calls, mostUnseen) : firstLook;
  }
}

const firstLook = 8;
const mostUnseen = 64;

export const unlimitedTime: TimeBudget = new TimeBudget(() => 0, Number.POSITIVE_INFINITY);
