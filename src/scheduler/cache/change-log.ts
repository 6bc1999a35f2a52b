const size = 1 << 15;

/**
 * The last changes, as slots in order. Readers keep the sequence number they have seen and catch up; one that is too
 * far behind is told so and starts over.
 */
export class ChangeLog {
  readonly #ring = new Int32Array(size);
  /** How many changes there have ever been. */
  sequence = 0;

  push(slot: number): void {
    this.#ring[this.sequence % size] = slot;
    this.sequence++;
  }

  /** Whether everything since `sequence` is still here. */
  holds(sequence: number): boolean {
    return this.sequence - sequence <= size;
  }

  at(sequence: number): number {
    return this.#ring[sequence % size] ?? 0;
  }

  /** The slots of the changes from `sequence` on; `undefined` when not all of them are here. */
  since(sequence: number): readonly number[] | undefined {
    if (!this.holds(sequence)) return undefined;
    return Array.from({ length: this.sequence - sequence }, (_, index) => this.at(sequence + index));
  }
}
