import type { StoredEvent } from "../request.js";

/** Makes one batch of equal ones, so that what is made of a batch (its joined frames) is made once for all watchers that get it. */
export class BatchPool {
  readonly #byFirst = new Map<StoredEvent | undefined, (readonly StoredEvent[])[]>();

  /** The batch with these events, in this order, that was given first. */
  share(batch: readonly StoredEvent[]): readonly StoredEvent[] {
    const known = this.#byFirst.get(batch[0]);
    if (known === undefined) {
      this.#byFirst.set(batch[0], [batch]);
      return batch;
    }
    const same = known.find(
      (other) => other.length === batch.length && other.every((event, at) => event === batch[at]),
    );
    if (same !== undefined) return same;
    // Watchers with many different selections: looking for equals would cost more than it saves.
    if (known.length < 16) known.push(batch);
    return batch;
  }
}
