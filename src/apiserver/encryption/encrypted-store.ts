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
} from "../../store/index.js";
import { StoreError } from "../../store/index.js";
import type { TransformerLookup, ValueTransformer } from "./transformers.js";

/** Of which resource the value of a key is; undefined: of none, and it is kept as it is. */
export type ResourceOfKey = (key: string) => { readonly group: string; readonly resource: string } | undefined;

/**
 * A store whose values are encrypted in another one. Whoever is above sees them as they were written; who reads the other store sees what
 * upstream's server would have put there. Its owner disposes both.
 */
export class EncryptedStore implements Store {
  readonly #store: Store;
  readonly #resourceOf: ResourceOfKey;
  #lookup: TransformerLookup;

  constructor(store: Store, resourceOf: ResourceOfKey, lookup: TransformerLookup) {
    this.#store = store;
    this.#resourceOf = resourceOf;
    this.#lookup = lookup;
  }

  /** Goes by other keys from now on, also in watches that are under way. */
  setTransformers(lookup: TransformerLookup): void {
    this.#lookup = lookup;
  }

  async create(key: string, value: Buffer, options?: WriteOptions): Promise<StoreEntry> {
    return { ...(await this.#store.create(key, this.#sealed(key, value), options)), value };
  }

  async update(key: string, value: Buffer, expectedRevision: number, options?: WriteOptions): Promise<StoreEntry> {
    const sealed = this.#sealed(key, value);
    const entry = await this.#opening(this.#store.update(key, sealed, expectedRevision, options));
    return { ...entry, value };
  }

  delete(key: string, expectedRevision: number, options?: CallOptions): Promise<number> {
    return this.#opening(this.#store.delete(key, expectedRevision, options));
  }

  async get(key: string, options?: CallOptions): Promise<StoreEntry | undefined> {
    const entry = await this.#store.get(key, options);
    return entry && this.#opened(entry);
  }

  async range(prefix: string, options?: RangeOptions): Promise<RangeResult> {
    const result = await this.#store.range(prefix, options);
    return { ...result, entries: result.entries.map((entry) => this.#opened(entry)) };
  }

  watch(prefix: string, options: WatchOptions): AsyncIterable<WatchBatch> {
    const batches = this.#store.watch(prefix, options);
    const opened = (batch: WatchBatch): WatchBatch =>
      batch.events.length === 0 ? batch : { ...batch, events: batch.events.map((event) => this.#openedEvent(event)) };
    return {
      async *[Symbol.asyncIterator]() {
        for await (const batch of batches) yield opened(batch);
      },
    };
  }

  revision(options?: CallOptions): Promise<number> {
    return this.#store.revision(options);
  }

  compact(revision: number, options?: CallOptions): Promise<void> {
    return this.#store.compact(revision, options);
  }

  grantLease(ttlSeconds: number, options?: CallOptions): Promise<StoreLease> {
    return this.#store.grantLease(ttlSeconds, options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#store[Symbol.asyncDispose]() as Promise<void>;
  }

  #transformer(key: string): ValueTransformer | undefined {
    const resource = this.#resourceOf(key);
    return resource && this.#lookup(resource.group, resource.resource);
  }

  #sealed(key: string, value: Buffer): Buffer {
    return this.#transformer(key)?.toStorage(value, key) ?? value;
  }

  #opened(entry: StoreEntry): StoreEntry {
    const transformer = this.#transformer(entry.key);
    if (transformer === undefined) return entry;
    const { value, stale } = transformer.fromStorage(entry.value, entry.key);
    return stale ? { ...entry, value, stale } : { ...entry, value };
  }

  #openedEvent(event: StoreEvent): StoreEvent {
    const previous = event.previous && this.#opened(event.previous);
    return event.type === "put" ? { ...event, entry: this.#opened(event.entry), previous } : { ...event, previous };
  }

  /** A conflict shows what is there. */
  async #opening<T>(write: Promise<T>): Promise<T> {
    try {
      return await write;
    } catch (error) {
      if (!(error instanceof StoreError) || error.current === undefined) throw error;
      const current = this.#opened(error.current);
      throw new StoreError(error.code, error.message, { current, cause: error });
    }
  }
}
