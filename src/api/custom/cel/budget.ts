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

  get left(): number {
    return this.#left;
  }

  /** Begins an evaluation, or goes on with one. */
  reset(budget: number): void {
    this.#left = budget;
  }

  /** Throws BudgetExceeded when there is nothing left. */
  spend(cost: number): void {
    this.#left -= cost;
    if (this.#left < 0) throw this.exceeded;
  }
}
