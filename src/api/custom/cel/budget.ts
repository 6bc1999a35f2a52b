/** Ends an evaluation. One per meter and without work to make, because loops may catch it once for every item that is left. */
export class BudgetExceeded extends Error {
  override readonly name = "BudgetExceeded";
}

/**
 * Counts what evaluations cost, as upstream does (see tolls.ts). One meter serves all expressions of a schema in turn: between two steps of an
 * evaluation, which are synchronous, others may use it, so whoever goes on says again what is left.
 */
export class Meter {
  readonly exceeded: BudgetExceeded = new BudgetExceeded("operation cancelled: actual cost limit exceeded");
  #left = 0;
  #interruption: BudgetExceeded | undefined;

  get left(): number {
    return this.#left;
  }

  /** What the evaluation was ended with before it came to its end. */
  get interruption(): BudgetExceeded | undefined {
    return this.#interruption;
  }

  /** Begins an evaluation, or goes on with one. */
  reset(budget: number): void {
    this.#left = budget;
    this.#interruption = undefined;
  }

  /** Ends the evaluation that is under way. A loop may catch the error, but gets no further. */
  interrupt(error: BudgetExceeded): never {
    this.#left = -1;
    this.#interruption = error;
    throw error;
  }

  /** Throws BudgetExceeded when there is nothing left. */
  spend(cost: number): void {
    this.#left -= cost;
    if (this.#left < 0) throw this.#interruption ?? this.exceeded;
  }
}
