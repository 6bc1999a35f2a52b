/**
 * A strongly consistent, ordered key-value store with one global revision that grows by one with every write: the
 * part of etcd's contract that a Kubernetes API server needs. Keys are strings ordered by their UTF-8 bytes; values
 * are opaque bytes that the store neither parses nor copies; the caller must not change a buffer that it handed in or
 * was given.
 *
 * The revision of an empty store is at least 1, as in etcd: to Kubernetes' clients 0 means "any".
 *
 * All methods reject with a StoreError. Aborting `signal` gives up waiting, and the call rejects with the signal's
 * reason; a write under way may still happen. A signal that has aborted before the call lets nothing happen.
 * What was acknowledged is durable to the degree that the implementation states.
 */
export interface Store extends AsyncDisposable {
  /** Writes a key that must not exist. Errors: exists, too-large, no-lease, unavailable. */
  create(key: string, value: Buffer, options?: WriteOptions): Promise<StoreEntry>;

  /** Replaces a key whose revision must be `expectedRevision`. Errors: not-found, conflict, too-large, no-lease, unavailable. */
  update(key: string, value: Buffer, expectedRevision: number, options?: WriteOptions): Promise<StoreEntry>;

  /**
   * Deletes a key whose revision must be `expectedRevision`. Resolves to the revision of the deletion.
   * Errors: not-found, conflict, unavailable.
   */
  delete(key: string, expectedRevision: number, options?: CallOptions): Promise<number>;

  /** The entry now, linearizable; undefined when there is none. */
  get(key: string, options?: CallOptions): Promise<StoreEntry | undefined>;

  /**
   * The entries whose key starts with `prefix`, in key order, at one revision.
   * Errors: compacted, future (for `options.revision`), unavailable.
   */
  range(prefix: string, options?: RangeOptions): Promise<RangeResult>;

  /**
   * Every write to keys that start with `prefix` with a revision greater than `afterRevision`, each once, in order of
   * revision, for ever: across reconnects, until `signal` aborts (the iteration then ends without an error) or the
   * consumer returns. All events of one revision are in one batch. A batch without events says only that nothing
   * up to its revision is still to come. Each iteration of the result is a watch of its own, begun when it is asked
   * for its first batch at the latest; one consumer asks for one batch at a time.
   *
   * Errors while iterating: compacted (history after `afterRevision` is gone: range again; a watch can begin at the
   * same revisions that `range` can read), future when `afterRevision` is greater than the current revision, closed. A consumer that falls too far behind gets
   * `unavailable` and may resume at the last revision it saw.
   */
  watch(prefix: string, options: WatchOptions): AsyncIterable<WatchBatch>;

  /**
   * The current revision, linearizable: not smaller than that of any write acknowledged before the call. Calls made
   * while one is under way may share the next round trip.
   *
   * It also asks for progress: every watch of this store, also one that begins later, delivers a batch that reaches at
   * least this revision, empty if nothing happened under its prefix. So "read the revision, wait until the watch has
   * come so far" makes a cache as fresh as the store.
   */
  revision(options?: CallOptions): Promise<number>;

  /** Forgets history before `revision`, which itself can still be read; the newest version of each key stays. Errors: compacted, future, unavailable. */
  compact(revision: number, options?: CallOptions): Promise<void>;

  /** A lease of `ttlSeconds`; its keys are deleted (as ordinary, watched deletions) when it runs out. */
  grantLease(ttlSeconds: number, options?: CallOptions): Promise<StoreLease>;
}

export interface StoreLease {
  readonly id: string;
  readonly ttlSeconds: number;
  /** Starts the time to live again. Errors: no-lease. */
  keepAlive(options?: CallOptions): Promise<void>;
  /** Deletes the lease and its keys. */
  revoke(options?: CallOptions): Promise<void>;
}

export interface StoreEntry {
  readonly key: string;
  readonly value: Buffer;
  /** Of the last write to the key. */
  readonly revision: number;
  /** Of the write that created it. */
  readonly createRevision: number;
  /** The value is kept in a way that is to be given up, as with an old key: an update that changes nothing is to be written all the same. */
  readonly stale?: boolean;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface WriteOptions extends CallOptions {
  /** The id of a granted lease. Without it an update detaches the key from its lease. */
  readonly lease?: string | undefined;
}

export interface RangeOptions extends CallOptions {
  /** At most so many entries; 0 or absent: all. */
  readonly limit?: number | undefined;
  /** Start behind this key (exclusive). It must start with the prefix. */
  readonly after?: string | undefined;
  /** Read the past at this revision; 0 or absent: now. */
  readonly revision?: number | undefined;
  /** Leave the entries away, give only count and revision. */
  readonly countOnly?: boolean | undefined;
}

export interface RangeResult {
  readonly entries: readonly StoreEntry[];
  /** The revision that this is a snapshot of. */
  readonly revision: number;
  /** There are entries behind the last one given. */
  readonly more: boolean;
  /** How many there are in all behind `after`, whatever the limit. */
  readonly count: number;
}

export interface WatchOptions extends CallOptions {
  readonly afterRevision: number;
}

export interface WatchBatch {
  readonly events: readonly StoreEvent[];
  /** Everything up to here has been delivered. */
  readonly revision: number;
}

export type StoreEvent =
  | { readonly type: "put"; readonly entry: StoreEntry; readonly previous: StoreEntry | undefined }
  | {
      readonly type: "delete";
      readonly key: string;
      /** Of the deletion. */
      readonly revision: number;
      /** What was deleted; undefined only where the store has compacted it away. */
      readonly previous: StoreEntry | undefined;
    };
