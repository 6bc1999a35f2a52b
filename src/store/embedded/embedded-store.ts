import { mkdir, rm } from "node:fs/promises";
import { type Clock, realClock } from "../../internal/clock.js";
import { type Logger, silentLogger } from "../../internal/logger.js";
import { StoreError } from "../errors.js";
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
import { type FolderLock, lockFolder } from "./folder-lock.js";
import { encodeFrame, type FrameFields, type FrameKind, frameKinds } from "./frame.js";
import { Journal } from "./journal.js";
import { compactLoaded, type Loaded, loadFolder } from "./load.js";
import { mergeSegments } from "./merge.js";
import { DiskVersion, ValueCache } from "./version.js";

export interface EmbeddedStoreOptions {
  /** Times leases. Default: the real one. */
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** How many of the last writes can be watched again and read in the past. Default: 100,000. */
  readonly historyLimit?: number;
  /** Largest key and value together. Default: 1.5 MiB, etcd's. */
  readonly maxEntryBytes?: number;
  /** A file of the journal grown beyond this is followed by a new one. Default: 32 MiB. */
  readonly segmentBytes?: number;
  /** How many bytes of the last written values are kept in memory. Default: 32 MiB. */
  readonly cacheBytes?: number;
}

const compactionStep = 1024;

/**
 * A store in a folder of this machine, for one process. A write is acknowledged, and visible, once it is synced to
 * disk; writes made at the same time share a sync. Keys and revisions are held in memory, values on disk.
 *
 * The folder holds a journal of checksummed frames. What history forgets is cleared out by merging old files when they
 * hold more dead bytes than living ones.
 */
export class EmbeddedStore implements Store {
  readonly #folder: string;
  readonly #lock: FolderLock;
  readonly #logger: Logger;
  readonly #historyLimit: number;
  readonly #maxEntryBytes: number;
  readonly #segmentBytes: number;
  readonly #state: Loaded;
  readonly #journal: Journal;
  readonly #cache: ValueCache;
  readonly #hub: WatchHub;
  readonly #leases: LeaseTable;
  /** The newest version of each key that is on its way to disk: writes are decided on it. */
  readonly #staged = new Map<string, DiskVersion>();
  /** Of the last write on its way. */
  #stagedRevision: number;
  #merging: Promise<void> | undefined;
  readonly #closing = new AbortController();
  #closed: Promise<void> | undefined;

  /**
   * Opens the folder, made if it is not there. Rejects with `unavailable` when another process has it open or it is
   * damaged, and with the file system's error when it may not be used.
   */
  static async open(folder: string, options: EmbeddedStoreOptions = {}): Promise<EmbeddedStore> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const lock = await lockFolder(folder);
    try {
      return new EmbeddedStore(folder, lock, await loadFolder(folder), options);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  private constructor(folder: string, lock: FolderLock, state: Loaded, options: EmbeddedStoreOptions) {
    this.#folder = folder;
    this.#lock = lock;
    this.#logger = options.logger ?? silentLogger;
    this.#historyLimit = options.historyLimit ?? 100_000;
    this.#maxEntryBytes = options.maxEntryBytes ?? 1.5 * 1024 * 1024;
    this.#segmentBytes = options.segmentBytes ?? 32 * 1024 * 1024;
    this.#state = state;
    this.#stagedRevision = state.revision;
    this.#cache = new ValueCache(options.cacheBytes ?? 32 * 1024 * 1024);
    const active = state.segments.at(-1);
    if (active === undefined) throw new Error("a loaded folder has a file to write to");
    this.#journal = new Journal({
      folder,
      active,
      segmentBytes: this.#segmentBytes,
      preamble: () => this.#encodeState()[0],
      onRolled: (segment) => {
        this.#state.segments.push(segment);
      },
    });
    this.#hub = new WatchHub({
      history: { since: (prefix, after, limit) => this.#since(prefix, after, limit) },
      revision: state.revision,
    });
    this.#leases = new LeaseTable(options.clock ?? realClock, (id, keys) => this.#expire(id, keys));
    for (const [lease, ttlSeconds] of state.leases) this.#leases.grant(String(lease), ttlSeconds);
    for (const [key, lease] of state.leaseOf) this.#leases.bind(key, String(lease));
    this.#trimHistory();
  }

  async create(key: string, value: Buffer, options?: WriteOptions): Promise<StoreEntry> {
    this.#begin(options);
    const current = this.#newest(key);
    if (current !== undefined) {
      await this.#settled(current);
      throw new StoreError("exists", `key ${key} exists`, { current: current.entry() });
    }
    return this.#put(key, value, this.#stagedRevision + 1, options?.lease);
  }

  async update(key: string, value: Buffer, expectedRevision: number, options?: WriteOptions): Promise<StoreEntry> {
    this.#begin(options);
    const current = this.#newest(key);
    if (current?.revision !== expectedRevision) return this.#refuse(key, expectedRevision);
    return this.#put(key, value, current.createRevision, options?.lease);
  }

  async delete(key: string, expectedRevision: number, options?: CallOptions): Promise<number> {
    this.#begin(options);
    if (this.#newest(key)?.revision !== expectedRevision) return this.#refuse(key, expectedRevision);
    return this.#delete(key);
  }

  async get(key: string, options?: CallOptions): Promise<StoreEntry | undefined> {
    this.#begin(options);
    return this.#state.index.get(key)?.entry();
  }

  async range(prefix: string, options: RangeOptions = {}): Promise<RangeResult> {
    this.#begin(options);
    const { after, limit = 0, countOnly = false } = options;
    const revision = options.revision || this.#state.revision;
    this.#checkReadable(revision);
    const past = revision === this.#state.revision ? undefined : revision;
    const { versions, count } = this.#state.index.scan(prefix, { after, limit, revision: past });
    const entries = countOnly ? [] : versions.map((version) => version.entry());
    return { entries, revision, more: versions.length < count, count };
  }

  watch(prefix: string, options: WatchOptions): AsyncIterable<WatchBatch> {
    return this.#hub.watch(prefix, options);
  }

  async revision(options?: CallOptions): Promise<number> {
    this.#begin(options);
    this.#hub.requestProgress(this.#state.revision);
    return this.#state.revision;
  }

  async compact(revision: number, options?: CallOptions): Promise<void> {
    this.#begin(options);
    this.#checkReadable(revision);
    await this.#append(this.#encodeState(revision));
    if (revision > this.#state.compactRevision) compactLoaded(this.#state, revision);
    this.#maybeMerge();
  }

  async grantLease(ttlSeconds: number, options?: CallOptions): Promise<StoreLease> {
    this.#begin(options);
    const lease = ++this.#state.lastLease;
    const id = String(lease);
    await this.#append(this.#encode(frameKinds.grant, { a: lease, b: ttlSeconds }));
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
        await this.#endLease(lease, this.#leases.revoke(id));
      },
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    this.#leases.stop();
    await this.#journal.flushed();
    this.#hub.close(new StoreError("closed", "the store is closed"));
    await this.#merging;
    await Promise.all(this.#state.segments.map((segment) => segment.close()));
    await this.#lock.release();
  }

  #begin(options: CallOptions | undefined): void {
    if (this.#closed !== undefined) throw new StoreError("closed", "the store is closed");
    options?.signal?.throwIfAborted();
  }

  /** The live version that the next write meets. */
  #newest(key: string): DiskVersion | undefined {
    const staged = this.#staged.get(key);
    if (staged === undefined) return this.#state.index.get(key);
    return staged.createRevision > 0 ? staged : undefined;
  }

  /** A refusal tells of what it met; it may only tell of what is durable. */
  async #settled(met: DiskVersion | undefined): Promise<void> {
    if (met === undefined || met.segment === undefined) await this.#journal.flushed();
    if (met !== undefined && met.segment === undefined) {
      throw new StoreError("unavailable", `a write of ${met.key} that this one depended on has failed`);
    }
  }

  async #refuse(key: string, expectedRevision: number): Promise<never> {
    const current = this.#newest(key);
    await this.#settled(current);
    if (current === undefined) throw new StoreError("not-found", `key ${key} does not exist`);
    const message = `key ${key} is at revision ${current.revision}, not ${expectedRevision}`;
    throw new StoreError("conflict", message, { current: current.entry() });
  }

  async #put(key: string, value: Buffer, createRevision: number, lease: string | undefined): Promise<StoreEntry> {
    if (value.length + Buffer.byteLength(key) > this.#maxEntryBytes) {
      throw new StoreError("too-large", `key ${key} exceeds ${this.#maxEntryBytes} bytes`);
    }
    if (lease !== undefined) this.#leases.require(lease);
    this.#leases.bind(key, lease);
    const a = this.#stagedRevision + 1;
    const frame = this.#encode(frameKinds.put, { a, b: createRevision, c: Number(lease ?? 0) }, key, value);
    const frameLength = frame[0].length + value.length;
    const version = new DiskVersion(key, a, createRevision, value.length, frameLength);
    version.value = value;
    await this.#stage(version, frame);
    return { key, value, revision: a, createRevision };
  }

  async #delete(key: string): Promise<number> {
    this.#leases.bind(key, undefined);
    const revision = this.#stagedRevision + 1;
    const frame = this.#encode(frameKinds.delete, { a: revision }, key);
    await this.#stage(new DiskVersion(key, revision, 0, 0, frame[0].length), frame);
    return revision;
  }

  #stage(version: DiskVersion, [head, value]: readonly [Buffer, Buffer]): Promise<void> {
    this.#stagedRevision = version.revision;
    this.#staged.set(version.key, version);
    return new Promise((resolve, reject) => {
      this.#journal.append({
        head,
        value,
        applied: (segment, offset) => {
          version.segment = segment;
          version.valueOffset = offset + head.length;
          this.#unstage(version);
          this.#apply(version);
          resolve();
        },
        failed: (cause) => {
          this.#unstage(version);
          // All that is on its way fails together, so that the next write follows the last durable one.
          this.#stagedRevision = this.#state.revision;
          reject(new StoreError("unavailable", `${this.#folder} cannot be written`, { cause }));
        },
      });
    });
  }

  #unstage(version: DiskVersion): void {
    if (this.#staged.get(version.key) === version) this.#staged.delete(version.key);
  }

  #apply(version: DiskVersion): void {
    const state = this.#state;
    const previous = this.#hub.size > 0 ? state.index.get(version.key)?.entry() : undefined;
    state.index.add(version);
    state.log.push(version);
    state.revision = version.revision;
    state.liveBytes += version.frameLength;
    if (version.value !== undefined) this.#cache.add(version, version.value);
    this.#hub.publish(toEvent(version, previous));
    this.#trimHistory();
  }

  /** Makes something durable that is no version of a key. */
  #append([head, value]: readonly [Buffer, Buffer]): Promise<void> {
    return new Promise((resolve, reject) => {
      const failed = (cause: unknown): void =>
        reject(new StoreError("unavailable", `${this.#folder} cannot be written`, { cause }));
      this.#journal.append({ head, value, applied: () => resolve(), failed });
    });
  }

  #encode(kind: FrameKind, fields: Omit<FrameFields, "durable">, key = "", value?: Buffer): readonly [Buffer, Buffer] {
    return encodeFrame(kind, { durable: this.#state.revision, ...fields }, key, value);
  }

  #encodeState(compactRevision = this.#state.compactRevision): readonly [Buffer, Buffer] {
    const { revision, lastLease } = this.#state;
    return this.#encode(frameKinds.state, { a: revision, b: compactRevision, c: lastLease });
  }

  #expire(id: string, keys: readonly string[]): void {
    this.#endLease(Number(id), keys).catch((error: unknown) => {
      this.#logger.error("The keys of an expired lease could not be deleted", { lease: id, error });
    });
  }

  async #endLease(lease: number, keys: readonly string[]): Promise<void> {
    const deletions = keys.map((key) => (this.#newest(key) === undefined ? undefined : this.#delete(key)));
    await Promise.all([...deletions, this.#append(this.#encode(frameKinds.revoke, { a: lease }))]);
  }

  #trimHistory(): void {
    if (this.#state.log.size <= this.#historyLimit + compactionStep) return;
    const last = this.#state.log.item(this.#state.log.size - this.#historyLimit - 1);
    if (last !== undefined) compactLoaded(this.#state, last.revision);
    this.#maybeMerge();
  }

  #maybeMerge(): void {
    const sealed = this.#state.segments.slice(0, -1);
    const bytes = sealed.reduce((sum, segment) => sum + segment.size, 0);
    if (this.#merging !== undefined || bytes < 2 * this.#state.liveBytes + this.#segmentBytes) return;
    this.#merging = this.#merge()
      .catch((error: unknown) => this.#logger.error("The journal could not be merged", { error }))
      .finally(() => {
        this.#merging = undefined;
      });
  }

  async #merge(): Promise<void> {
    const sealed = this.#state.segments.slice(0, -1);
    const merged = await mergeSegments({
      folder: this.#folder,
      sealed,
      state: this.#state,
      leaseIsAlive: (lease) => this.#leases.has(String(lease)),
      signal: this.#closing.signal,
    });
    if (merged === undefined) return;
    this.#state.segments.splice(0, sealed.length, merged);
    for (const segment of sealed) {
      await segment.close();
      if (segment.number !== merged.number) await rm(segment.path);
    }
  }

  #checkReadable(revision: number): void {
    const { revision: now, compactRevision } = this.#state;
    if (revision > now) {
      throw new StoreError("future", `revision ${revision} is in the future; the current one is ${now}`);
    }
    if (revision < compactRevision) {
      const message = `revision ${revision} has been compacted; the oldest is ${compactRevision}`;
      throw new StoreError("compacted", message, { compactRevision });
    }
  }

  #since(prefix: string, afterRevision: number, limit: number): WatchBatch {
    this.#checkReadable(afterRevision);
    const { log, index, revision } = this.#state;
    const events: StoreEvent[] = [];
    for (let offset = log.offsetAfter(afterRevision); ; offset++) {
      const version = log.item(offset);
      if (version === undefined) return { events, revision };
      if (!version.key.startsWith(prefix)) continue;
      const previous = index.at(version.key, version.revision - 1);
      events.push(toEvent(version, previous && previous.createRevision > 0 ? previous.entry() : undefined));
      if (events.length >= limit) return { events, revision: version.revision };
    }
  }
}

function toEvent(version: DiskVersion, previous: StoreEntry | undefined): StoreEvent {
  const { key, revision } = version;
  if (version.createRevision === 0) return { type: "delete", key, revision, previous };
  return { type: "put", entry: version.entry(), previous };
}
