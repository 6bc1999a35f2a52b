import { StoreError } from "../errors.js";
import type { StoreEvent, WatchBatch, WatchOptions } from "../store.js";

/** What has happened, for watches that start in the past or have fallen behind. */
export interface WatchHistory {
  /**
   * The events after `afterRevision` under `prefix`, oldest first, about `limit` of them but never a part of one
   * revision, and the revision up to which this is everything. Throws a StoreError when they are gone.
   */
  since(prefix: string, afterRevision: number, limit: number): WatchBatch;
}

export interface WatchHubOptions {
  readonly history: WatchHistory;
  /** Everything up to here has happened already. */
  readonly revision: number;
  /** Events kept for one consumer that is not asking; beyond, they are read from the history again. */
  readonly backlogLimit?: number;
  /** Watches from revisions that have not been published yet are known to be right, and wait for them. */
  readonly knownToHappen?: boolean;
}

const replayLimit = 1000;

/**
 * Hands each event to the watches of its key's prefix. Events published in one tick reach a waiting consumer as one
 * batch, a microtask later.
 */
export class WatchHub {
  readonly #history: WatchHistory;
  readonly #backlogLimit: number;
  readonly #knownToHappen: boolean;
  readonly #buckets = new Map<string, Watcher[]>();
  /** Watches whose prefix is too short to belong to a bucket. */
  #broad: Watcher[] = [];
  #revision: number;
  #progressRevision = 0;
  #ready: Watcher[] = [];
  #closed: StoreError | undefined;

  constructor(options: WatchHubOptions) {
    this.#history = options.history;
    this.#revision = options.revision;
    this.#backlogLimit = options.backlogLimit ?? 10_000;
    this.#knownToHappen = options.knownToHappen ?? false;
  }

  /** Everything up to here has been published. */
  get revision(): number {
    return this.#revision;
  }

  /** How many watches are open. */
  get size(): number {
    let count = this.#broad.length;
    for (const bucket of this.#buckets.values()) count += bucket.length;
    return count;
  }

  publish(event: StoreEvent): void {
    const { key, revision } = event.type === "put" ? event.entry : event;
    const before = this.#revision;
    this.#revision = revision;
    const bucket = this.#buckets.size === 0 ? undefined : this.#buckets.get(bucketOf(key) ?? "");
    if (bucket !== undefined) for (const watcher of bucket) this.#offer(watcher, key, event);
    for (const watcher of this.#broad) this.#offer(watcher, key, event);
    if (this.#progressRevision > before) this.#wakeAll();
  }

  /** Lets every watch deliver a batch, empty if need be, as soon as it reaches `revision`. */
  requestProgress(revision: number): void {
    if (revision <= this.#progressRevision) return;
    this.#progressRevision = revision;
    this.#wakeAll();
  }

  /** Nothing more is to come up to `revision`. */
  advance(revision: number): void {
    if (revision <= this.#revision) return;
    const before = this.#revision;
    this.#revision = revision;
    if (this.#progressRevision > before) this.#wakeAll();
  }

  watch(prefix: string, { afterRevision, signal }: WatchOptions): AsyncIterable<WatchBatch> {
    return {
      [Symbol.asyncIterator]: () => {
        const watcher = new Watcher(this, prefix, afterRevision, signal);
        if (signal?.aborted) watcher.end();
        else if (this.#closed !== undefined) watcher.end(this.#closed);
        else this.#attach(watcher);
        return watcher;
      },
    };
  }

  /** Ends every watch with `error`; what they have not delivered yet is dropped. */
  fail(error: StoreError): void {
    for (const watcher of this.#all()) watcher.end(error);
  }

  /** Ends every watch and all future ones with `error`. */
  close(error: StoreError): void {
    this.#closed ??= error;
    this.fail(error);
  }

  /** @internal */
  detach(watcher: Watcher): void {
    const name = bucketOf(watcher.prefix);
    const list = name === undefined ? this.#broad : this.#buckets.get(name);
    // A new array: the old one may be under iteration.
    const rest = list?.filter((other) => other !== watcher) ?? [];
    if (name === undefined) this.#broad = rest;
    else if (rest.length > 0) this.#buckets.set(name, rest);
    else this.#buckets.delete(name);
  }

  /** @internal What the watcher may deliver at once; undefined when it has to wait. */
  take(watcher: Watcher): WatchBatch | undefined {
    while (watcher.behind) {
      const batch = this.#history.since(watcher.prefix, watcher.revision, replayLimit);
      watcher.behind = batch.revision < this.#revision;
      if (batch.events.length > 0 || (!watcher.behind && batch.revision > watcher.revision)) return batch;
    }
    const { pending } = watcher;
    if (pending.length > 0) {
      watcher.pending = [];
      return { events: pending, revision: this.#revision };
    }
    const due = watcher.revision < this.#progressRevision && this.#progressRevision <= this.#revision;
    return due ? { events: pending, revision: this.#revision } : undefined;
  }

  #attach(watcher: Watcher): void {
    if (watcher.revision > this.#revision && !this.#knownToHappen) {
      const message = `revision ${watcher.revision} is in the future; the current one is ${this.#revision}`;
      watcher.end(new StoreError("future", message));
      return;
    }
    watcher.behind = watcher.revision < this.#revision;
    const name = bucketOf(watcher.prefix);
    if (name === undefined) this.#broad = [...this.#broad, watcher];
    else this.#buckets.set(name, [...(this.#buckets.get(name) ?? []), watcher]);
    watcher.attached();
  }

  #offer(watcher: Watcher, key: string, event: StoreEvent): void {
    if (watcher.behind || this.#revision <= watcher.revision || !key.startsWith(watcher.prefix)) return;
    if (watcher.pending.length >= this.#backlogLimit) {
      // A revision whose first events are in the backlog is read again as a whole.
      watcher.pending = [];
      watcher.behind = true;
      return;
    }
    watcher.pending.push(event);
    this.#wake(watcher);
  }

  #wake(watcher: Watcher): void {
    if (!watcher.waiting || watcher.woken) return;
    watcher.woken = true;
    if (this.#ready.push(watcher) === 1) queueMicrotask(this.#flush);
  }

  #wakeAll(): void {
    if (this.#revision < this.#progressRevision) return;
    for (const watcher of this.#all()) if (watcher.revision < this.#progressRevision) this.#wake(watcher);
  }

  readonly #flush = (): void => {
    const ready = this.#ready;
    this.#ready = [];
    for (const watcher of ready) watcher.flush();
  };

  *#all(): Generator<Watcher> {
    yield* this.#broad;
    for (const bucket of [...this.#buckets.values()]) yield* bucket;
  }
}

/** One consumer's iteration. */
class Watcher implements AsyncIterator<WatchBatch> {
  readonly prefix: string;
  /** Everything up to here has been delivered. */
  revision: number;
  pending: StoreEvent[] = [];
  /** There is history to be read before `pending` may be delivered; until then nothing is put there. */
  behind = false;
  woken = false;
  readonly #hub: WatchHub;
  readonly #signal: AbortSignal | undefined;
  #waiter: { resolve(result: IteratorResult<WatchBatch>): void; reject(error: unknown): void } | undefined;
  #attached = false;
  #ended = false;
  #error: StoreError | undefined;

  constructor(hub: WatchHub, prefix: string, afterRevision: number, signal: AbortSignal | undefined) {
    this.#hub = hub;
    this.prefix = prefix;
    this.revision = afterRevision;
    this.#signal = signal;
  }

  get waiting(): boolean {
    return this.#waiter !== undefined;
  }

  attached(): void {
    this.#attached = true;
    this.#signal?.addEventListener("abort", this.#abort, { once: true });
  }

  flush(): void {
    this.woken = false;
    if (this.#waiter === undefined) return;
    const waiter = this.#waiter;
    try {
      const batch = this.#hub.take(this);
      if (batch === undefined) return;
      this.#waiter = undefined;
      this.revision = batch.revision;
      waiter.resolve({ value: batch, done: false });
    } catch (error) {
      this.#waiter = undefined;
      this.end();
      waiter.reject(error);
    }
  }

  /** The consumer asks once and waits, as `for await` does. */
  next(): Promise<IteratorResult<WatchBatch>> {
    if (this.#error !== undefined) {
      const error = this.#error;
      this.#error = undefined;
      return Promise.reject(error);
    }
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
      this.flush();
    });
  }

  return(): Promise<IteratorResult<WatchBatch>> {
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }

  end(error?: StoreError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.pending = [];
    if (this.#attached) this.#hub.detach(this);
    this.#signal?.removeEventListener("abort", this.#abort);
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter === undefined) this.#error = error;
    else if (error !== undefined) waiter.reject(error);
    else waiter.resolve({ value: undefined, done: true });
  }

  readonly #abort = (): void => this.end();
}

/**
 * The first two segments of a key or a prefix, "/registry/pods/", undefined when it has fewer. A key under a prefix is
 * in the prefix's bucket, so that an event is not compared with the watches of every other resource.
 */
function bucketOf(key: string): string | undefined {
  const first = key.indexOf("/", 1);
  const second = first < 0 ? -1 : key.indexOf("/", first + 1);
  return second < 0 ? undefined : key.slice(0, second + 1);
}
