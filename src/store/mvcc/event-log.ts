/** What the log keeps: anything that happened at a revision. */
export interface Logged {
  readonly revision: number;
}

/** A window of what happened, oldest first, appended at one end and dropped from the other. */
export class EventLog<T extends Logged> {
  #items: T[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  get oldest(): T | undefined {
    return this.#items[this.#head];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** The item `offset` places behind the oldest. */
  item(offset: number): T | undefined {
    return this.#items[this.#head + offset];
  }

  /** The place of the first item with a revision greater than `revision`. */
  offsetAfter(revision: number): number {
    let low = this.#head;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#items[middle] as T).revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low - this.#head;
  }

  /** Drops everything up to and including `revision`, handing each item to `dropped`. */
  dropThrough(revision: number, dropped?: (item: T) => void): void {
    const end = this.#head + this.offsetAfter(revision);
    if (dropped !== undefined) for (let index = this.#head; index < end; index++) dropped(this.#items[index] as T);
    // The head is only moved until the dead part outweighs the living one: dropping stays constant per item.
    if (end * 2 > this.#items.length) {
      this.#items = this.#items.slice(end);
      this.#head = 0;
    } else {
      this.#items.fill(undefined as unknown as T, this.#head, end);
      this.#head = end;
    }
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }
}
