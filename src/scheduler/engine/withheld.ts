/**
 * Which nodes a class of pods leaves out because of what is promised there to other pods. Like pods come one after the other, and
 * most promises stand for a while: only nodes that changed are looked at again.
 */
export class Withheld {
  readonly #codes = new Map<number, number>();
  #touched = new Set<number>();
  /** Of the pods that it was brought up to date for, if any. */
  priority: number | undefined;

  /** The verdicts with the promised pods there, by slot. */
  get codes(): ReadonlyMap<number, number> {
    return this.#codes;
  }

  set(slot: number, code: number): void {
    this.#codes.set(slot, code);
  }

  /** The node was placed anew, so it is not left out any more. */
  touch(slot: number): void {
    this.#codes.delete(slot);
    this.#touched.add(slot);
  }

  /** The slots touched since the last time. */
  takeTouched(): Iterable<number> {
    const touched = this.#touched;
    if (touched.size > 0) this.#touched = new Set();
    return touched;
  }
}
