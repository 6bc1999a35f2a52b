/** About 5 ms of parsing. */
const budgetBytes = 1024 * 1024;
/** What an item costs beside its bytes. */
const itemBytes = 64;

/**
 * Shares the event loop: a loop over many items says what each costs, and gives the others a turn when it has done a lot. Counted in
 * bytes and not in time, so that what a seed began always goes on in the same way.
 */
export class Turns {
  #left = budgetBytes;

  /** Whether a turn is to be given before the next item, of so many bytes to parse or to write. */
  due(bytes: number): boolean {
    this.#left -= bytes + itemBytes;
    return this.#left < 0;
  }

  /** Resolves when everybody else had a turn. */
  give(): Promise<void> {
    this.#left = budgetBytes;
    return new Promise((resolve) => setImmediate(resolve));
  }
}
