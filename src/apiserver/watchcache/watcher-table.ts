import type { StoredEvent } from "../request.js";
import { BatchPool } from "./batch-pool.js";
import type { CacheEvent } from "./cache-event.js";
import type { Selection } from "./selection.js";
import type { CacheWatcher } from "./watcher.js";

/** Those that the same events may concern. */
class Bucket {
  /** They take whatever comes, all of them the same: it is collected once. */
  readonly plain = new Set<CacheWatcher>();
  /** They judge each event. */
  readonly choosy = new Set<CacheWatcher>();
  open: StoredEvent[] = [];

  flush(): void {
    const batch = this.open;
    this.open = [];
    for (const watcher of this.plain) watcher.deliver(batch);
  }
}

/**
 * Watchers by what they can possibly be concerned by, so that an event is judged by few of thousands. Events are offered and flushed in one
 * synchronous stretch: nobody comes or goes between.
 */
export class WatcherTable {
  readonly #buckets = new Map<string, Bucket>();
  readonly #dirty = new Set<CacheWatcher | Bucket>();
  #size = 0;
  #indexed = 0;

  get size(): number {
    return this.#size;
  }

  get hasIndexed(): boolean {
    return this.#indexed > 0;
  }

  /** `seen` is the revision of the last event offered. */
  add(watcher: CacheWatcher, seen: number): void {
    const key = bucketOf(watcher.selection);
    const bucket = this.#buckets.get(key) ?? new Bucket();
    this.#buckets.set(key, bucket);
    const plain =
      watcher.selection.matches === undefined && watcher.revision <= seen && key === watcher.selection.prefix;
    (plain ? bucket.plain : bucket.choosy).add(watcher);
    this.#size++;
    if (watcher.selection.index !== undefined) this.#indexed++;
  }

  delete(watcher: CacheWatcher): void {
    const key = bucketOf(watcher.selection);
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return;
    if (!bucket.plain.delete(watcher) && !bucket.choosy.delete(watcher)) return;
    if (bucket.plain.size + bucket.choosy.size === 0) this.#buckets.delete(key);
    this.#dirty.delete(watcher);
    this.#size--;
    if (watcher.selection.index !== undefined) this.#indexed--;
  }

  all(): CacheWatcher[] {
    return [...this.#buckets.values()].flatMap(({ plain, choosy }) => [...plain, ...choosy]);
  }

  offer(event: CacheEvent, prefix: string, indexed: readonly (readonly [string, string])[] | undefined): void {
    if (this.#size === 0) return;
    const { key } = event;
    this.#offerTo(prefix, event);
    const slash = key.indexOf("/", prefix.length);
    if (slash > 0) this.#offerTo(key.slice(0, slash + 1), event);
    this.#offerTo(`=${key}`, event);
    for (const [field, value] of indexed ?? []) this.#offerTo(`${field}=${value}`, event);
  }

  #offerTo(key: string, event: CacheEvent): void {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return;
    if (bucket.plain.size > 0) {
      const seen = event.seenAs(event.previous !== undefined, event.current !== undefined);
      if (seen !== undefined) {
        bucket.open.push(seen);
        this.#dirty.add(bucket);
      }
    }
    for (const watcher of bucket.choosy) {
      watcher.offer(event);
      if (watcher.pending) this.#dirty.add(watcher);
    }
  }

  flush(): void {
    const pool = new BatchPool();
    for (const collected of this.#dirty) collected.flush(pool);
    this.#dirty.clear();
  }
}

/** Prefixes begin with a slash, so the three forms cannot meet. An index comes first: it is the narrowest in practice. */
function bucketOf(selection: Selection): string {
  if (selection.exact !== undefined) return `=${selection.exact}`;
  if (selection.index !== undefined) return `${selection.index.field}=${selection.index.value}`;
  return selection.prefix;
}
