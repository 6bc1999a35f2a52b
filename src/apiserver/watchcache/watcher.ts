import { AsyncQueue } from "../../internal/async-queue.js";
import type { StoredEvent } from "../request.js";
import type { BatchPool } from "./batch-pool.js";
import type { CacheEvent } from "./cache-event.js";
import { type Selection, selects } from "./selection.js";

/** A watcher that does not keep up is cut when so many batches or events wait for it; it can resume where it stopped. */
const maxWaitingEvents = 20_000;

/** One watch on one resource: takes the cache's events, keeps those selected, hands them over in batches. */
export class CacheWatcher {
  readonly selection: Selection;
  readonly batches: AsyncQueue<readonly StoredEvent[]>;
  /** The revision up to which everything selected has been queued. */
  revision: number;
  /** The revision of the last event handed over. */
  lastSent = 0;
  #open: StoredEvent[] = [];
  #waiting = 0;
  #cut = false;

  constructor(selection: Selection, revision: number, onReturn: () => void) {
    this.selection = selection;
    this.revision = revision;
    this.batches = new AsyncQueue(Number.POSITIVE_INFINITY, onReturn);
  }

  /** Judges one event; what is selected waits for `flush`. */
  offer(event: CacheEvent): void {
    if (this.#cut || event.revision <= this.revision) return;
    const before = event.previous !== undefined && selects(this.selection, event.previous);
    const after = event.current !== undefined && selects(this.selection, event.current);
    const seen = event.seenAs(before, after);
    if (seen !== undefined) this.#open.push(seen);
  }

  push(events: readonly StoredEvent[]): void {
    for (const event of events) this.#open.push(event);
  }

  get pending(): boolean {
    return this.#open.length > 0;
  }

  /** Hands over what was collected as one batch, the same one as others with the same events where there is a pool. */
  flush(pool?: BatchPool): void {
    if (this.#open.length === 0) return;
    const batch = pool?.share(this.#open) ?? this.#open;
    this.#open = [];
    this.deliver(batch);
  }

  /** Hands over a batch of which everything is selected. */
  deliver(batch: readonly StoredEvent[]): void {
    if (this.#cut) return;
    this.lastSent = (batch[batch.length - 1] as StoredEvent).stored.revision;
    this.#waiting += batch.length;
    if (this.#waiting > maxWaitingEvents + batch.length) {
      this.#cut = true;
      this.batches.end();
      return;
    }
    this.batches.push(batch);
  }

  /** The consumer took a batch of `count` events. */
  taken(count: number): void {
    this.#waiting -= count;
  }

  end(error?: unknown): void {
    this.flush();
    this.batches.end(error);
  }
}
