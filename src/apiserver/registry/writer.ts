import { type JsonObject, statusErrors, type Verb } from "../../api/index.js";
import { type Store, type StoreEntry, StoreError } from "../../store/index.js";
import { CachedObject, encodeObject } from "../watchcache/stored-object.js";
import type { WatchCache } from "../watchcache/watch-cache.js";
import type { Endpoint } from "./endpoint.js";
import type { LeasePool } from "./lease-pool.js";
import { metadataOf, text } from "./metadata.js";
import { toStatusError } from "./store-errors.js";

/** What a mutation decides on the state that it was shown. Objects are at the storage version. */
export type Decision =
  | { readonly type: "put"; readonly object: JsonObject }
  | { readonly type: "delete" }
  /** Leave everything as it is. */
  | { readonly type: "keep" };

export interface WriteResult {
  readonly stored: CachedObject;
  readonly outcome: "written" | "unchanged" | "deleted";
}

/** How often a mutation is tried again because somebody else wrote first. */
const maxAttempts = 64;

/**
 * Writes single objects with optimistic concurrency. A mutation is first shown what the cache has, which is almost always
 * current; if the store disagrees it is shown what the store has. So a write costs one round trip.
 */
export class ObjectWriter {
  readonly #store: Store;
  readonly #cache: WatchCache;
  readonly #leases: LeasePool;

  constructor(store: Store, cache: WatchCache, leases: LeasePool) {
    this.#store = store;
    this.#cache = cache;
    this.#leases = leases;
  }

  async create(endpoint: Endpoint, object: JsonObject, signal: AbortSignal | undefined): Promise<CachedObject> {
    const { namespace, name } = metadataOf(object);
    const key = endpoint.keyOf(text(namespace), text(name));
    const value = encodeObject(object);
    const lease = await this.#leases.leaseFor(endpoint.description.strategy.ttlSeconds);
    this.#cache.writes.expect(key, value, object);
    const entry = await this.#run(endpoint, text(name), "create", () =>
      this.#store.create(key, value, { lease, signal }),
    );
    await this.#inForce(endpoint, entry.revision, signal);
    return this.#written(entry);
  }

  /**
   * Shows `mutate` the current object and carries out what it decides, again and again until the store agrees. `mutate` must be
   * free of side effects. A refusal is believed only when it was given on the newest state.
   */
  async update(
    endpoint: Endpoint,
    key: string,
    name: string,
    verb: Verb,
    mutate: (current: CachedObject) => Decision | Promise<Decision>,
    signal: AbortSignal | undefined,
  ): Promise<WriteResult> {
    let current = endpoint.cache.get(key);
    let certain = false;
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      if (current === undefined) {
        current = await this.#read(endpoint, key, name, verb, signal);
        certain = true;
      }
      try {
        const decision = await mutate(current);
        return await this.#carryOut(endpoint, current, decision, signal);
      } catch (error) {
        if (error instanceof StoreError && error.code === "conflict") {
          current = error.current === undefined ? undefined : toCached(error.current);
          certain = current !== undefined;
        } else if (error instanceof StoreError) {
          throw toStatusError(error, endpoint.description, name, verb);
        } else if (certain) {
          throw error;
        } else {
          const newest = await this.#read(endpoint, key, name, verb, signal);
          if (newest.revision === current.revision) throw error;
          current = newest;
          certain = true;
        }
      }
    }
    throw statusErrors.serverTimeout(endpoint.description, verb, 1);
  }

  async #carryOut(
    endpoint: Endpoint,
    current: CachedObject,
    decision: Decision,
    signal: AbortSignal | undefined,
  ): Promise<WriteResult> {
    if (decision.type === "keep") return { stored: current, outcome: "unchanged" };
    if (decision.type === "delete") {
      const revision = await this.#store.delete(current.key, current.revision, { signal });
      await this.#inForce(endpoint, revision, signal);
      return { stored: current.at(revision), outcome: "deleted" };
    }
    const value = encodeObject(decision.object);
    if (value.equals(current.value)) {
      // Nothing to write, but the answer must be about what is there now.
      const newest = await this.#store.get(current.key, { signal });
      if (newest === undefined) throw new StoreError("not-found", "deleted meanwhile");
      if (newest.revision !== current.revision)
        throw new StoreError("conflict", "changed meanwhile", { current: newest });
      if (newest.stale !== true) return { stored: current, outcome: "unchanged" };
    }
    const lease = await this.#leases.leaseFor(endpoint.description.strategy.ttlSeconds);
    this.#cache.writes.expect(current.key, value, decision.object);
    const entry = await this.#store.update(current.key, value, current.revision, { lease, signal });
    await this.#inForce(endpoint, entry.revision, signal);
    return { stored: this.#written(entry), outcome: "written" };
  }

  /** Waits until this server goes by what was written. That it was written stands, whatever becomes of the wait. */
  async #inForce({ description }: Endpoint, revision: number, signal: AbortSignal | undefined): Promise<void> {
    if (description.strategy.inForceAtOnce !== true) return;
    await this.#cache.reached(revision, signal).catch(() => {});
  }

  async #read(
    endpoint: Endpoint,
    key: string,
    name: string,
    verb: Verb,
    signal: AbortSignal | undefined,
  ): Promise<CachedObject> {
    const entry = await this.#run(endpoint, name, verb, () => this.#store.get(key, { signal }));
    if (entry === undefined) throw statusErrors.notFound(endpoint.description, name);
    const cached = endpoint.cache.get(key);
    return cached?.revision === entry.revision ? cached : toCached(entry);
  }

  #written(entry: StoreEntry): CachedObject {
    return this.#cache.writes.resolve(entry.key, entry.revision, entry.createRevision, entry.value);
  }

  async #run<T>(endpoint: Endpoint, name: string, verb: Verb, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw toStatusError(error, endpoint.description, name, verb);
    }
  }
}

function toCached(entry: StoreEntry): CachedObject {
  return new CachedObject(entry.key, entry.revision, entry.createRevision, entry.value);
}
