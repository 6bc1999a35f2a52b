import { setMaxListeners } from "node:events";
import { type Clock, realClock, sleep } from "../../internal/clock.js";
import { type Logger, silentLogger } from "../../internal/logger.js";
import { StoreError } from "../errors.js";
import type {
  CallOptions,
  RangeOptions,
  RangeResult,
  Store,
  StoreEntry,
  StoreLease,
  WatchBatch,
  WatchOptions,
  WriteOptions,
} from "../store.js";
import { toStoreError, UnsentError } from "./errors.js";
import { Etcd3Transport, type EtcdConnectionOptions } from "./etcd3-transport.js";
import { catchUp, EventFeed, toStoreEntry } from "./event-feed.js";
import { Http2Transport } from "./http2-transport.js";
import { prefixEnd } from "./key-range.js";
import type { EtcdKeyValue, EtcdRangeResult, EtcdTransport, EtcdWrite, EtcdWriteResult } from "./transport.js";

export interface EtcdStoreOptions extends EtcdConnectionOptions {
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** Largest key and value together; not more than the servers take. Default: 1.5 MiB, theirs. */
  readonly maxEntryBytes?: number;
  /** How many of the last events are kept for watches that begin in the past. Default: 10,000. */
  readonly windowEvents?: number;
  /** How many bytes they may take. Default: 32 MiB. */
  readonly windowBytes?: number;
  /**
   * What carries reads, writes and watches: our own client over HTTP/2, at half the cost, or the etcd3 package, which
   * always carries leases. Default: "http2", but "etcd3" with `auth`.
   */
  readonly transport?: "http2" | "etcd3";
}

const pageSize = 2000;
const retryMs = [10, 20, 50];
// What etcd adds around the key and the value of a write, generously.
const envelopeBytes = 1024;

/**
 * A store on etcd v3, with keys as they are given. All watches share one watch on etcd. Reads are repeated while etcd
 * is away, for `requestTimeoutMs`; writes only if they cannot have reached it.
 */
export class EtcdStore implements Store {
  readonly #transport: EtcdTransport;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #timeoutMs: number;
  readonly #maxEntryBytes: number;
  readonly #window: { readonly windowEvents: number; readonly windowBytes: number };
  readonly #closing = new AbortController();
  #feed: EventFeed | undefined;
  #feeding: Promise<void> | undefined;
  #starting: Promise<EventFeed> | undefined;
  #compactRevision = 0;
  /** The greatest that somebody was told. */
  #knownRevision = 0;
  /** The question for the revision that nobody has sent yet, and its answer. */
  #nextRevision: Promise<number> | undefined;
  #askingRevision: Promise<unknown> = Promise.resolve();

  /** Connects when it is first used. */
  constructor(options: EtcdStoreOptions) {
    // As many wait for it as there are calls under way.
    setMaxListeners(0, this.#closing.signal);
    this.#clock = options.clock ?? realClock;
    this.#transport = newTransport(options, this.#clock);
    this.#logger = options.logger ?? silentLogger;
    this.#timeoutMs = options.requestTimeoutMs ?? 10_000;
    this.#maxEntryBytes = options.maxEntryBytes ?? 1.5 * 1024 * 1024;
    this.#window = {
      windowEvents: options.windowEvents ?? 10_000,
      windowBytes: options.windowBytes ?? 32 * 1024 * 1024,
    };
  }

  async create(key: string, value: Buffer, options: WriteOptions = {}): Promise<StoreEntry> {
    const put = { value, lease: options.lease };
    const result = await this.#write({ key: Buffer.from(key), expectedRevision: 0, put }, options);
    if (result.succeeded) return { key, value, revision: result.revision, createRevision: result.revision };
    throw new StoreError("exists", `key ${key} exists`, currentOf(result.current));
  }

  async update(key: string, value: Buffer, expectedRevision: number, options: WriteOptions = {}): Promise<StoreEntry> {
    const put = { value, lease: options.lease };
    const result = await this.#writeOver(key, expectedRevision, put, options);
    const createRevision = result.current?.createRevision ?? result.revision;
    return { key, value, revision: result.revision, createRevision };
  }

  async delete(key: string, expectedRevision: number, options: CallOptions = {}): Promise<number> {
    return (await this.#writeOver(key, expectedRevision, undefined, options)).revision;
  }

  async get(key: string, options?: CallOptions): Promise<StoreEntry | undefined> {
    const { entries } = await this.#read(() => this.#transport.range({ key: Buffer.from(key) }), options);
    return entries[0] === undefined ? undefined : toStoreEntry(entries[0]);
  }

  async range(prefix: string, options: RangeOptions = {}): Promise<RangeResult> {
    const { after, limit = 0, countOnly = false } = options;
    const start = Buffer.from(prefix);
    const end = prefixEnd(start);
    const entries: StoreEntry[] = [];
    let revision = options.revision || 0;
    let key = after === undefined ? (start.length === 0 ? Buffer.from([0]) : start) : Buffer.from(`${after}\0`);
    let total: number | undefined;
    for (;;) {
      const page = limit === 0 ? pageSize : Math.min(pageSize, limit - entries.length);
      const asked = { key, end, revision, limit: page, countOnly };
      const result: EtcdRangeResult = await this.#read(() => this.#transport.range(asked), options);
      // All further pages are of the first one's snapshot.
      revision ||= result.revision;
      total ??= result.count;
      for (const entry of result.entries) entries.push(toStoreEntry(entry));
      const last = result.entries.at(-1);
      const more = !countOnly && entries.length < total;
      if (!more || last === undefined || entries.length === limit) {
        return { entries, revision, more: countOnly ? total > 0 : more, count: total };
      }
      key = Buffer.concat([last.key, Buffer.from([0])]);
    }
  }

  watch(prefix: string, { afterRevision, signal }: WatchOptions): AsyncIterable<WatchBatch> {
    return {
      [Symbol.asyncIterator]: () => {
        const stop = new AbortController();
        const abort = (): void => stop.abort();
        if (signal?.aborted) abort();
        signal?.addEventListener("abort", abort, { once: true });
        const batches = this.#watch(prefix, afterRevision, stop.signal, () =>
          signal?.removeEventListener("abort", abort),
        );
        return {
          next: () => batches.next(),
          return: () => {
            // A generator that waits hears of a return only when it goes on: the abort lets it.
            abort();
            return batches.return(undefined);
          },
        };
      },
    };
  }

  async revision(options?: CallOptions): Promise<number> {
    this.#begin(options);
    this.#nextRevision ??= this.#askingRevision.then(() => {
      this.#nextRevision = undefined;
      const asked = this.#askRevision();
      this.#askingRevision = asked.catch(() => {});
      return asked;
    });
    const revision = await untilAborted(this.#nextRevision, options);
    this.#knownRevision = Math.max(this.#knownRevision, revision);
    this.#feed?.hub.requestProgress(revision);
    return revision;
  }

  async compact(revision: number, options?: CallOptions): Promise<void> {
    this.#begin(options);
    await untilAborted(this.#translate(this.#transport.compact(revision)), options);
    this.#compactRevision = Math.max(this.#compactRevision, revision);
  }

  async grantLease(ttlSeconds: number, options?: CallOptions): Promise<StoreLease> {
    const call = <T>(work: () => Promise<T>, callOptions: CallOptions | undefined): Promise<T> => {
      this.#begin(callOptions);
      return untilAborted(this.#translate(work()), callOptions);
    };
    // A grant that is lost runs out by itself: it may be repeated.
    const lease = await this.#read(() => this.#transport.grantLease(ttlSeconds), options);
    return {
      ...lease,
      keepAlive: async (callOptions) => call(() => this.#transport.keepLeaseAlive(lease.id), callOptions),
      revoke: async (callOptions) => call(() => this.#transport.revokeLease(lease.id), callOptions),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#feed?.hub.close(closed());
    this.#transport.close();
    await this.#feeding;
  }

  #begin(options: CallOptions | undefined): void {
    if (this.#closing.signal.aborted) throw closed();
    options?.signal?.throwIfAborted();
  }

  /** Calls cut off by closing fail as closed, whatever the transport makes of it. */
  async #translate<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw this.#closing.signal.aborted ? closed() : toStoreError(error);
    }
  }

  #read<T>(work: () => Promise<T>, options: CallOptions | undefined): Promise<T> {
    return this.#repeat(work, options, (error) => error.code === "unavailable");
  }

  #write(request: EtcdWrite, options: CallOptions): Promise<EtcdWriteResult> {
    const bytes = request.key.length + (request.put?.value.length ?? 0) + envelopeBytes;
    if (bytes > this.#maxEntryBytes) {
      const message = `key ${request.key} exceeds ${this.#maxEntryBytes} bytes`;
      return Promise.reject(new StoreError("too-large", message));
    }
    return this.#repeat(
      () => this.#transport.write(request),
      options,
      (error) => error instanceof UnsentError,
    );
  }

  async #repeat<T>(
    work: () => Promise<T>,
    options: CallOptions | undefined,
    mayRepeat: (error: StoreError) => boolean,
  ): Promise<T> {
    const start = this.#clock.now();
    for (let attempt = 0; ; attempt++) {
      this.#begin(options);
      try {
        return await untilAborted(this.#translate(work()), options);
      } catch (error) {
        const late = this.#clock.now() - start >= this.#timeoutMs;
        if (late || !(error instanceof StoreError) || !mayRepeat(error)) throw error;
      }
      const pauseMs = retryMs[Math.min(attempt, retryMs.length - 1)] ?? 0;
      await sleep(this.#clock, pauseMs, options?.signal ?? this.#closing.signal);
    }
  }

  async #writeOver(
    key: string,
    expectedRevision: number,
    put: EtcdWrite["put"],
    options: CallOptions,
  ): Promise<EtcdWriteResult> {
    const bytes = Buffer.from(key);
    // To etcd, revision 0 is that of a key that is not there.
    const result =
      expectedRevision > 0
        ? await this.#write({ key: bytes, expectedRevision, ...(put === undefined ? {} : { put }) }, options)
        : { succeeded: false, current: await this.#current(bytes, options), revision: 0 };
    if (result.succeeded) return result;
    if (result.current === undefined) throw new StoreError("not-found", `key ${key} does not exist`);
    const message = `key ${key} is at revision ${result.current.modRevision}, not ${expectedRevision}`;
    throw new StoreError("conflict", message, currentOf(result.current));
  }

  async #current(key: Buffer, options: CallOptions): Promise<EtcdKeyValue | undefined> {
    return (await this.#read(() => this.#transport.range({ key }), options)).entries[0];
  }

  async #askRevision(): Promise<number> {
    const asked = { key: Buffer.from([0]), countOnly: true };
    return (await this.#read(() => this.#transport.range(asked), undefined)).revision;
  }

  async *#watch(
    prefix: string,
    afterRevision: number,
    signal: AbortSignal,
    done: () => void,
  ): AsyncGenerator<WatchBatch, void> {
    try {
      let revision = afterRevision;
      if (signal.aborted) return;
      const feed = await this.#feedFor(afterRevision, signal);
      while (!signal.aborted && revision < feed.windowStart) {
        try {
          for await (const batch of catchUp(this.#transport, prefix, revision, signal)) {
            yield batch;
            revision = batch.revision;
            if (revision >= feed.windowStart) break;
          }
        } catch (error) {
          this.#begin(undefined);
          if (!(error instanceof StoreError) || error.code !== "unavailable") throw error;
          await sleep(this.#clock, 50, signal);
        }
      }
      for await (const batch of feed.hub.watch(prefix, { afterRevision: revision, signal })) yield batch;
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      done();
    }
  }

  /** The feed, once it is certain that `afterRevision` has happened and is not compacted. */
  async #feedFor(afterRevision: number, signal: AbortSignal): Promise<EventFeed> {
    this.#begin(undefined);
    const feed = this.#feed;
    const within = feed !== undefined && feed.windowStart <= afterRevision && afterRevision <= feed.hub.revision;
    if (within && afterRevision >= this.#compactRevision) return feed;
    const asked = { key: Buffer.from([0]), revision: afterRevision, countOnly: true };
    const { revision } = await this.#read(() => this.#transport.range(asked), { signal });
    // The first watch mostly begins at the revision of a list made just before it.
    const recent = revision - afterRevision <= this.#window.windowEvents / 10;
    this.#starting ??= Promise.resolve(this.#startFeed(recent ? afterRevision : revision));
    return this.#starting;
  }

  #startFeed(revision: number): EventFeed {
    this.#begin(undefined);
    const parts = { transport: this.#transport, clock: this.#clock, logger: this.#logger };
    const feed = new EventFeed({ ...parts, ...this.#window }, revision);
    feed.hub.requestProgress(this.#knownRevision);
    this.#feed = feed;
    this.#feeding = feed.run(this.#closing.signal);
    return feed;
  }
}

function newTransport(options: EtcdStoreOptions, clock: Clock): EtcdTransport {
  const { transport = options.auth === undefined ? "http2" : "etcd3" } = options;
  const etcd3 = new Etcd3Transport(options);
  return transport === "etcd3" ? etcd3 : new Http2Transport(options, etcd3, clock);
}

function closed(): StoreError {
  return new StoreError("closed", "the store is closed");
}

function currentOf(entry: EtcdKeyValue | undefined): { readonly current?: StoreEntry } {
  return entry === undefined ? {} : { current: toStoreEntry(entry) };
}

/** Gives up waiting when the caller does; the work goes on. */
async function untilAborted<T>(work: Promise<T>, options: CallOptions | undefined): Promise<T> {
  const signal = options?.signal;
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
