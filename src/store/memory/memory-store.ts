import type { Clock } from "../../internal/clock.js";
import { realClock } from "../../internal/clock.js";
import { StoreError } from "../errors.js";
import { EventLog } from "../mvcc/event-log.js";
import { KeyIndex } from "../mvcc/key-index.js";
import { LeaseTable } from "../mvcc/lease-table.js";
import { WatchHub } from "../mvcc/watch-hub.js";
import type {
  CallOptions,
  RangeOptions,
  RangeResult,
  Store,
  StoreEntry,
  StoreEvent,
  StoreLease,
  WatchBatch,
  WatchOptions,
  WriteOptions,
} from "../store.js";

export interface MemoryStoreOptions {
  /** Times leases. Default: the real one. */
  readonly clock?: Clock;
  /** How many of the last writes can be watched again and read in the past. Default: 100,000. */
  readonly historyLimit?: number;
  /** Largest key and value together. Default: 1.5 MiB, etcd's. */
  readonly maxEntryBytes?: number;
  /** Events kept for a watch that is not asking before they are read from history again. Default: 10,000. */
  readonly watchBacklogLimit?: number;
}

interface LoggedEvent {
  readonly revision: number;
  readonly key: string;
  readonly event: StoreEvent;
}

// Compacting in steps, so that trimming a key's versions is shared by many writes.
const compactionStep = 1024;
const noBytes = Buffer.alloc(0);

/**
 * A store in this process's memory, gone with it. It starts at revision 1, as etcd does. Everything happens in the
 * call itself: a write is visible to reads made after the call, even before its promise is awaited.
 */
export class MemoryStore implements Store {
  readonly #index = new KeyIndex<StoreEntry>();
  readonly #log = new EventLog<LoggedEvent>();
  readonly #hub: WatchHub;
  readonly #leases: LeaseTable;
  readonly #historyLimit: number;
  readonly #maxEntryBytes: number;
  #revision = 1;
  #compactRevision = 0;
  #lastLease = 0;
  #closed = false;

  constructor(options: MemoryStoreOptions = {}) {
    this.#historyLimit = options.historyLimit ?? 100_000;
    this.#maxEntryBytes = options.maxEntryBytes ?? 1.5 * 1024 * 1024;
    this.#leases = new LeaseTable(options.clock ?? realClock, (_id, keys) => this.#deleteAll(keys));
    this.#hub = new WatchHub({
      history: { since: (prefix, after, limit) => this.#since(prefix, after, limit) },
      revision: this.#revision,
      ...(options.watchBacklogLimit === undefined ? {} : { backlogLimit: options.watchBacklogLimit }),
    });
  }

  async create(key: string, value: Buffer, options?: WriteOptions): Promise<StoreEntry> {
    this.#begin(options);
    const current = this.#index.get(key);
    if (current !== undefined) throw new StoreError("exists", `key ${key} exists`, { current });
    const revision = this.#revision + 1;
    return this.#put({ key, value, revision, createRevision: revision }, undefined, options?.lease);
  }

  async update(key: string, value: Buffer, expectedRevision: number, options?: WriteOptions): Promise<StoreEntry> {
    this.#begin(options);
    const { createRevision, previous } = this.#expect(key, expectedRevision);
    return this.#put({ key, value, revision: this.#revision + 1, createRevision }, previous, options?.lease);
  }

  async delete(key: string, expectedRevision: number, options?: CallOptions): Promise<number> {
    this.#begin(options);
    return this.#delete(this.#expect(key, expectedRevision).previous);
  }

  async get(key: string, options?: CallOptions): Promise<StoreEntry | undefined> {
    this.#begin(options);
    return this.#index.get(key);
  }

  async range(prefix: string, options: RangeOptions = {}): Promise<RangeResult> {
    this.#begin(options);
    const { after, limit = 0, countOnly = false } = options;
    const revision = options.revision || this.#revision;
    this.#checkReadable(revision);
    const past = revision === this.#revision ? undefined : revision;
    const { versions, count } = this.#index.scan(prefix, { after, limit, revision: past });
    return { entries: countOnly ? [] : versions, revision, more: versions.length < count, count };
  }

  watch(prefix: string, options: WatchOptions): AsyncIterable<WatchBatch> {
    return this.#hub.watch(prefix, options);
  }

  async revision(options?: CallOptions): Promise<number> {
    this.#begin(options);
    this.#hub.requestProgress(this.#revision);
    return this.#revision;
  }

  async compact(revision: number, options?: CallOptions): Promise<void> {
    this.#begin(options);
    this.#checkReadable(revision);
    this.#compact(revision);
  }

  async grantLease(ttlSeconds: number, options?: CallOptions): Promise<StoreLease> {
    this.#begin(options);
    const id = String(++this.#lastLease);
    this.#leases.grant(id, ttlSeconds);
    return {
      id,
      ttlSeconds,
      keepAlive: async (call) => {
        this.#begin(call);
        this.#leases.keepAlive(id);
      },
      revoke: async (call) => {
        this.#begin(call);
        this.#deleteAll(this.#leases.revoke(id));
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#leases.stop();
    this.#hub.close(new StoreError("closed", "the store is closed"));
  }

  #begin(options: CallOptions | undefined): void {
    if (this.#closed) throw new StoreError("closed", "the store is closed");
    options?.signal?.throwIfAborted();
  }

  #expect(key: string, expectedRevision: number): { previous: StoreEntry; createRevision: number } {
    const previous = this.#index.get(key);
    if (previous === undefined) throw new StoreError("not-found", `key ${key} does not exist`);
    if (previous.revision !== expectedRevision) {
      const message = `key ${key} is at revision ${previous.revision}, not ${expectedRevision}`;
      throw new StoreError("conflict", message, { current: previous });
    }
    return { previous, createRevision: previous.createRevision };
  }

  #put(entry: StoreEntry, previous: StoreEntry | undefined, lease: string | undefined): StoreEntry {
    if (entry.value.length + Buffer.byteLength(entry.key) > this.#maxEntryBytes) {
      throw new StoreError("too-large", `key ${entry.key} exceeds ${this.#maxEntryBytes} bytes`);
    }
    if (lease !== undefined) this.#leases.require(lease);
    this.#leases.bind(entry.key, lease);
    this.#apply(entry, { type: "put", entry, previous });
    return entry;
  }

  #delete(previous: StoreEntry): number {
    const { key } = previous;
    const revision = this.#revision + 1;
    this.#leases.bind(key, undefined);
    this.#apply({ key, value: noBytes, revision, createRevision: 0 }, { type: "delete", key, revision, previous });
    return revision;
  }

  #deleteAll(keys: readonly string[]): void {
    for (const key of keys) {
      const entry = this.#index.get(key);
      if (entry !== undefined) this.#delete(entry);
    }
  }

  #apply(version: StoreEntry, event: StoreEvent): void {
    const { key, revision } = version;
    this.#revision = revision;
    this.#index.add(version);
    this.#log.push({ revision, key, event });
    this.#hub.publish(event);
    if (this.#log.size > this.#historyLimit + compactionStep) this.#compact(revision - this.#historyLimit);
  }

  #compact(revision: number): void {
    this.#compactRevision = revision;
    this.#log.dropThrough(revision, ({ key }) => this.#index.compact(key, revision));
  }

  #checkReadable(revision: number): void {
    if (revision > this.#revision) {
      throw new StoreError("future", `revision ${revision} is in the future; the current one is ${this.#revision}`);
    }
    const compactRevision = this.#compactRevision;
    if (revision < compactRevision) {
      const message = `revision ${revision} has been compacted; the oldest is ${compactRevision}`;
      throw new StoreError("compacted", message, { compactRevision });
    }
  }

  #since(prefix: string, afterRevision: number, limit: number): WatchBatch {
    this.#checkReadable(afterRevision);
    const events: StoreEvent[] = [];
    let offset = this.#log.offsetAfter(afterRevision);
    for (; events.length < limit; offset++) {
      const logged = this.#log.item(offset);
      if (logged === undefined) return { events, revision: this.#revision };
      if (logged.key.startsWith(prefix)) events.push(logged.event);
    }
    return { events, revision: this.#log.item(offset - 1)?.revision ?? this.#revision };
  }
}
