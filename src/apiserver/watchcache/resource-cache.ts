import type { JsonObject, KubeObject } from "../../api/index.js";
import { SortedMap } from "../../internal/sorted-map.js";
import { CacheEvent } from "./cache-event.js";
import { EventHistory } from "./history.js";
import { type Selection, selects } from "./selection.js";
import type { CachedObject } from "./stored-object.js";
import { CacheWatcher } from "./watcher.js";
import { WatcherTable } from "./watcher-table.js";

/** A field whose values the cache keeps an index of: `spec.nodeName` of pods. */
export type FieldIndex = ReadonlyMap<string, (object: JsonObject) => string>;

/** All objects of one resource as of one revision, their recent history, and who watches them. */
export class ResourceCache {
  /** `/registry/pods/` */
  readonly prefix: string;
  /** Grows with every change. */
  generation = 0;
  /** Of all objects, encoded. */
  sizeBytes = 0;
  readonly #objects = new SortedMap<CachedObject>();
  readonly #history: EventHistory;
  readonly #indexes: FieldIndex;
  readonly #byField = new Map<string, Map<string, Set<string>>>();
  readonly #watchers = new WatcherTable();

  constructor(prefix: string, revision: number, indexes: FieldIndex) {
    this.prefix = prefix;
    this.#history = new EventHistory(revision);
    this.#indexes = indexes;
    for (const field of indexes.keys()) this.#byField.set(field, new Map());
  }

  get size(): number {
    return this.#objects.size;
  }

  /** The oldest revision that a watch can resume at. */
  get oldestRevision(): number {
    return this.#history.floor;
  }

  get watcherCount(): number {
    return this.#watchers.size;
  }

  get(key: string): CachedObject | undefined {
    return this.#objects.get(key);
  }

  /** Replaces everything, at `revision`: history before it is gone, and whoever watches must list again. */
  reset(objects: Iterable<CachedObject>, revision: number, why: Error): void {
    this.#objects.clear();
    this.sizeBytes = 0;
    this.#history.reset(revision);
    for (const values of this.#byField.values()) values.clear();
    for (const object of objects) this.#put(object, undefined);
    this.generation++;
    for (const watcher of this.#watchers.all()) watcher.end(why);
  }

  /** A put (`current` set) or a deletion at `revision`. Watchers get it with the next flush. */
  apply(key: string, revision: number, current: CachedObject | undefined): void {
    const previous = this.#objects.get(key);
    if (current === undefined && previous === undefined) return;
    this.generation++;
    const event = new CacheEvent(revision, current, previous);
    const values = this.#watchers.hasIndexed ? this.#indexValues(event) : undefined;
    if (current === undefined) this.#remove(previous as CachedObject);
    else this.#put(current, previous);
    this.#history.push(event);
    this.#watchers.offer(event, this.prefix, values);
  }

  flush(): void {
    this.#watchers.flush();
  }

  /** The objects selected, in key order. */
  *select(selection: Selection, after?: string): Generator<CachedObject> {
    for (const candidate of this.#candidates(selection, after)) if (selects(selection, candidate)) yield candidate;
  }

  /**
   * The same, as of now, for whoever has others to share the event loop with: all that might be selected, to be asked one by one.
   * Without `matches` they are what is selected.
   */
  candidates(selection: Selection, after?: string): readonly CachedObject[] {
    return [...this.#candidates(selection, after)];
  }

  *#candidates(selection: Selection, after: string | undefined): Generator<CachedObject> {
    if (selection.exact !== undefined) {
      const found = this.#objects.get(selection.exact);
      if (found !== undefined && (after === undefined || found.key > after)) yield found;
      return;
    }
    const indexed = selection.index && this.#byField.get(selection.index.field);
    if (selection.index !== undefined && indexed !== undefined) {
      const keys = [...(indexed.get(selection.index.value) ?? [])].filter(
        (key) => key.startsWith(selection.prefix) && (after === undefined || key > after),
      );
      for (const key of keys.sort()) {
        const found = this.#objects.get(key);
        if (found !== undefined) yield found;
      }
      return;
    }
    for (const { chunk, from, to } of this.#objects.range(selection.prefix, after)) {
      for (let at = from; at < to; at++) yield chunk.values[at] as CachedObject;
    }
  }

  /** All objects, in no particular order. */
  objects(): Iterable<CachedObject> {
    return this.#objects.values();
  }

  /** Whether nothing has changed after `revision`, so that now is the same as then. */
  unchangedSince(revision: number): boolean {
    if (revision < this.#history.floor) return false;
    return this.#history.after(revision).next().done === true;
  }

  /**
   * A watcher for everything after `revision`, which must be at least `oldestRevision`; `now` is the revision of the cache.
   * What already happened is queued at once.
   */
  watch(selection: Selection, revision: number, now: number): CacheWatcher {
    const watcher: CacheWatcher = new CacheWatcher(selection, revision, () => this.#watchers.delete(watcher));
    if (revision < now) {
      for (const event of this.#history.after(revision)) watcher.offer(event);
      watcher.flush();
    }
    watcher.revision = Math.max(revision, now);
    this.#watchers.add(watcher, now);
    return watcher;
  }

  unwatch(watcher: CacheWatcher): void {
    this.#watchers.delete(watcher);
    watcher.end();
  }

  /** Ends every watch, as when the server stops or the resource goes. */
  endWatches(error?: Error): void {
    for (const watcher of this.#watchers.all()) watcher.end(error);
  }

  #put(current: CachedObject, previous: CachedObject | undefined): void {
    this.#objects.set(current.key, current);
    this.sizeBytes += current.size - (previous?.size ?? 0);
    for (const [field, read] of this.#indexes) {
      const value = readField(read, current);
      const before = previous === undefined ? undefined : readField(read, previous);
      if (before === value) continue;
      if (before !== undefined) this.#unindex(field, before, current.key);
      const values = this.#byField.get(field) as Map<string, Set<string>>;
      const keys = values.get(value);
      if (keys === undefined) values.set(value, new Set([current.key]));
      else keys.add(current.key);
    }
  }

  #remove(previous: CachedObject): void {
    this.#objects.delete(previous.key);
    this.sizeBytes -= previous.size;
    for (const [field, read] of this.#indexes) this.#unindex(field, readField(read, previous), previous.key);
  }

  #unindex(field: string, value: string, key: string): void {
    const values = this.#byField.get(field);
    const keys = values?.get(value);
    keys?.delete(key);
    if (keys?.size === 0) values?.delete(value);
  }

  #indexValues(event: CacheEvent): readonly (readonly [field: string, value: string])[] {
    const pairs: (readonly [string, string])[] = [];
    for (const [field, read] of this.#indexes) {
      const before = event.previous && readField(read, event.previous);
      const after = event.current && readField(read, event.current);
      if (before !== undefined) pairs.push([field, before]);
      if (after !== undefined && after !== before) pairs.push([field, after]);
    }
    return pairs;
  }
}

function readField(read: (object: JsonObject) => string, stored: CachedObject): string {
  return read(stored.object as KubeObject & JsonObject);
}
