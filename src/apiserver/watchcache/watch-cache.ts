import { statusErrors } from "../../api/index.js";
import type { Clock } from "../../internal/clock.js";
import type { Component, ComponentContext } from "../../internal/component.js";
import { type Logger, silentLogger } from "../../internal/logger.js";
import { type Store, type StoreEntry, StoreError, type StoreEvent } from "../../store/index.js";
import { compactionKey } from "../compactor.js";
import { type FieldIndex, ResourceCache } from "./resource-cache.js";
import { CachedObject, RecentWrites } from "./stored-object.js";

export interface WatchCacheOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** Before every key; upstream's is `/registry`. */
  readonly root?: string;
  /** How far into the past the cache reaches when it starts, so that watches survive a restart of the server. */
  readonly historyRevisions?: number;
  /** How long a read waits for the cache to catch up before it gives up with a Timeout. */
  readonly freshnessTimeoutMs?: number;
}

interface Waiter {
  readonly revision: number;
  readonly resolve: () => void;
}

/**
 * The server's picture of the store, kept up to date by one watch over all keys. One stream means one order: when the cache is at
 * revision R every resource is, and a read that must be consistent only waits until R is reached.
 */
export class WatchCache implements Component {
  readonly name = "watch-cache";
  readonly root: string;
  readonly writes: RecentWrites = new RecentWrites();
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #historyRevisions: number;
  readonly #freshnessTimeoutMs: number;
  readonly #resources = new Map<string, ResourceCache>();
  /** What belongs to no registered resource (yet): custom resources before their definition is seen. */
  readonly #unclaimed = new Map<string, CachedObject>();
  readonly #onLoad: (() => void)[] = [];
  readonly #dirty = new Set<ResourceCache>();
  #revision = 0;
  #compacted = 0;
  #waiters: Waiter[] = [];

  constructor(options: WatchCacheOptions) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#logger = options.logger ?? silentLogger;
    this.root = options.root ?? "/registry";
    this.#historyRevisions = options.historyRevisions ?? 10_000;
    this.#freshnessTimeoutMs = options.freshnessTimeoutMs ?? 3_000;
  }

  /** Everything up to here has been applied and handed to watchers. */
  get revision(): number {
    return this.#revision;
  }

  /** History before this is being forgotten: nobody may be told of it, whether it can still be had or not. */
  get compacted(): number {
    return this.#compacted;
  }

  /** Called each time the cache was (re)loaded from the store and knows all that was there then: before `ready`, the first time. */
  onLoad(callback: () => void): void {
    this.#onLoad.push(callback);
  }

  /** The cache of what is stored at `path`; made on the first call, with what was unclaimed until then. */
  register(path: string, indexes: FieldIndex = new Map()): ResourceCache {
    const known = this.#resources.get(path);
    if (known !== undefined) return known;
    const prefix = `${this.root}/${path}/`;
    const resource = new ResourceCache(prefix, this.#revision, indexes);
    this.#resources.set(path, resource);
    for (const [key, object] of this.#unclaimed) {
      if (!key.startsWith(prefix)) continue;
      this.#unclaimed.delete(key);
      resource.apply(key, object.revision, object);
    }
    return resource;
  }

  /** Ends the watches of a resource that is served no more; its objects are unclaimed again. */
  unregister(path: string): void {
    const resource = this.#resources.get(path);
    if (resource === undefined) return;
    this.#resources.delete(path);
    for (const object of resource.objects()) this.#unclaimed.set(object.key, object);
    resource.endWatches();
  }

  async run({ signal, ready }: ComponentContext): Promise<void> {
    let goal: number | undefined = await this.#load(undefined, signal);
    let from = this.#revision;
    const loaded = (): void => {
      if (goal === undefined || from < goal) return;
      goal = undefined;
      for (const callback of this.#onLoad) callback();
      ready();
    };
    loaded();
    while (!signal.aborted) {
      try {
        for await (const batch of this.#store.watch("", { afterRevision: from, signal })) {
          for (const event of batch.events) this.#apply(event);
          from = batch.revision;
          this.#advance(batch.revision);
          loaded();
        }
      } catch (error) {
        if (signal.aborted) break;
        if (error instanceof StoreError && error.code === "unavailable") continue;
        if (!(error instanceof StoreError) || error.code !== "compacted") throw error;
        this.#logger.warn("history was compacted away before the watch cache saw it", { revision: from });
        goal = await this.#load(await this.#store.revision({ signal }), signal);
        from = this.#revision;
        loaded();
      }
    }
    for (const resource of this.#resources.values()) resource.endWatches();
    for (const { resolve } of this.#waiters.splice(0)) resolve();
  }

  /** Resolves when the cache is at `revision` or later; rejects with Timeout when that takes too long. */
  async reached(revision: number, signal?: AbortSignal): Promise<void> {
    if (this.#revision >= revision) return;
    await new Promise<void>((resolve, reject) => {
      const finish = (settle: () => void): void => {
        timer.cancel();
        signal?.removeEventListener("abort", aborted);
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        settle();
      };
      const waiter: Waiter = { revision, resolve: () => finish(resolve) };
      const aborted = (): void => finish(() => reject(signal?.reason));
      const timer = this.#clock.setTimeout(
        () => finish(() => reject(statusErrors.tooLargeResourceVersion(revision, this.#revision))),
        this.#freshnessTimeoutMs,
      );
      signal?.addEventListener("abort", aborted, { once: true });
      this.#waiters.push(waiter);
    });
  }

  /** Brings the cache to at least where the store is now: what a consistent read needs. Gives that revision. */
  async fresh(signal?: AbortSignal): Promise<number> {
    const revision = await this.#store.revision(signal === undefined ? {} : { signal });
    if (this.#revision < revision) await this.reached(revision, signal);
    return revision;
  }

  /**
   * Reads everything at a revision and lets every resource begin there. Beginning some way in the past lets clients that watched
   * another server (or this one before a restart) resume without listing again. Gives the revision up to which the cache has to
   * follow the store to know all that was there when it was asked.
   */
  async #load(at: number | undefined, signal: AbortSignal): Promise<number> {
    const now = at ?? (await this.#store.revision({ signal }));
    const past = at === undefined ? Math.max(1, now - this.#historyRevisions) : now;
    try {
      await this.#loadAt(past, signal);
    } catch (error) {
      if (!(error instanceof StoreError) || (error.code !== "compacted" && error.code !== "future")) throw error;
      await this.#loadAt(undefined, signal);
    }
    return now;
  }

  async #loadAt(revision: number | undefined, signal: AbortSignal): Promise<void> {
    const entries: StoreEntry[] = [];
    let after: string | undefined;
    let at = revision;
    for (;;) {
      const page = await this.#store.range(`${this.root}/`, { revision: at, after, limit: 1000, signal });
      entries.push(...page.entries);
      at ??= page.revision;
      if (!page.more) break;
      after = page.entries.at(-1)?.key;
    }
    this.#reset(entries, at);
  }

  #reset(entries: readonly StoreEntry[], revision: number): void {
    const byResource = new Map<ResourceCache, CachedObject[]>();
    this.#unclaimed.clear();
    for (const resource of this.#resources.values()) byResource.set(resource, []);
    for (const entry of entries) {
      const object = new CachedObject(entry.key, entry.revision, entry.createRevision, entry.value);
      const resource = this.#resourceOf(entry.key);
      if (resource === undefined) this.#unclaimed.set(entry.key, object);
      else byResource.get(resource)?.push(object);
    }
    const expired = statusErrors.expired(`too old resource version: history before ${revision} is gone`);
    for (const [resource, objects] of byResource) resource.reset(objects, revision, expired);
    this.#advance(revision);
  }

  #apply(event: StoreEvent): void {
    const key = event.type === "put" ? event.entry.key : event.key;
    if (key === compactionKey && event.type === "put") this.#compacted = Number(event.entry.value.toString()) || 0;
    if (!key.startsWith(this.root)) return;
    const revision = event.type === "put" ? event.entry.revision : event.revision;
    const current =
      event.type === "put"
        ? this.writes.resolve(key, revision, event.entry.createRevision, event.entry.value)
        : undefined;
    const resource = this.#resourceOf(key);
    if (resource !== undefined) {
      resource.apply(key, revision, current);
      this.#dirty.add(resource);
    } else if (current !== undefined) this.#unclaimed.set(key, current);
    else this.#unclaimed.delete(key);
  }

  #advance(revision: number): void {
    this.#revision = revision;
    for (const resource of this.#dirty) resource.flush();
    this.#dirty.clear();
    if (this.#waiters.length === 0) return;
    for (const waiter of [...this.#waiters]) if (waiter.revision <= revision) waiter.resolve();
  }

  /** Paths have one segment or two (`services/specs`, `stable.example.com/crontabs`). */
  #resourceOf(key: string): ResourceCache | undefined {
    const start = this.root.length + 1;
    const first = key.indexOf("/", start);
    if (first < 0) return undefined;
    const single = this.#resources.get(key.slice(start, first));
    if (single !== undefined) return single;
    const second = key.indexOf("/", first + 1);
    return second < 0 ? undefined : this.#resources.get(key.slice(start, second));
  }
}
