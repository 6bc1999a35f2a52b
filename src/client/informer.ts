import { type KubeObject, keyOf, type ResourceType, type WatchEvent } from "../api/index.js";
import { type Clock, realClock, sleep } from "../internal/clock.js";
import { type Logger, silentLogger } from "../internal/logger.js";
import { type Random, systemRandom } from "../internal/random.js";
import type { Client } from "./client.js";
import { type Indexers, type IndexFunction, type Lister, ObjectCache } from "./object-cache.js";
import { type ReflectorSink, reflect } from "./reflector.js";

/**
 * Called synchronously, after the cache has the change, in the order of the changes. Handlers must be quick: put a key into a queue.
 * What a handler throws is logged and does not reach others.
 */
export interface InformerHandler<T extends KubeObject> {
  /** `initial`: it existed before this handler, or before the informer, began. */
  add?(object: T, initial: boolean): void;
  /** `old` is what the cache had before. With resync, also called with `old === object`. */
  update?(old: T, object: T): void;
  /** The last state known, which may be older than that at deletion when the deletion itself was missed. */
  delete?(object: T): void;
  /** After all calls for one batch of changes, and after the initial state. */
  batch?(): void;
}

export interface InformerOptions<T extends KubeObject> {
  readonly client: Client;
  readonly resource: ResourceType<T>;
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly indexers?: Indexers<T> | undefined;
  /** Keeps this in the cache in place of the object, for those that need a part of it. Must keep the metadata's identity. */
  readonly transform?: ((object: T) => T) | undefined;
  /** How often to call `update` for every object; absent: never. */
  readonly resyncMs?: number | undefined;
  readonly streamingList?: boolean | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly logger?: Logger | undefined;
}

export interface HandlerRegistration {
  /** No calls after this. */
  remove(): void;
}

/**
 * A local copy of one resource, kept by list and watch and shared by everybody in the process who needs it. Objects are
 * those that the transport gave: in one process, the server's own, without a copy.
 */
export interface Informer<T extends KubeObject> extends Lister<T> {
  readonly resource: ResourceType<T>;
  /** Whether the first list has arrived and handlers have seen it. */
  readonly synced: boolean;
  /** Resolves when synced, rejects with the signal's reason when that aborts first. */
  whenSynced(signal?: AbortSignal): Promise<void>;
  /** A handler added late first gets `add` for everything that is there, before this returns. */
  addHandler(handler: InformerHandler<T>): HandlerRegistration;
  /** Adding one that is there already under this name does nothing. */
  addIndex(name: string, valuesOf: IndexFunction<T>): void;
  /** Keeps the copy until `signal` aborts. To be called once. */
  run(signal: AbortSignal): Promise<void>;
}

export function createInformer<T extends KubeObject>(options: InformerOptions<T>): Informer<T> {
  return new ResourceInformer(options);
}

class ResourceInformer<T extends KubeObject> implements Informer<T>, ReflectorSink<T> {
  readonly resource: ResourceType<T>;
  readonly #cache = new ObjectCache<T>();
  readonly #options: InformerOptions<T>;
  readonly #logger: Logger;
  #handlers: readonly InformerHandler<T>[] = [];
  #synced = false;
  #started = false;
  readonly #waiting: (() => void)[] = [];

  constructor(options: InformerOptions<T>) {
    this.resource = options.resource;
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
    for (const [name, valuesOf] of Object.entries(options.indexers ?? {})) this.#cache.addIndex(name, valuesOf);
  }

  get size(): number {
    return this.#cache.size;
  }
  get synced(): boolean {
    return this.#synced;
  }
  get(key: string): T | undefined {
    return this.#cache.get(key);
  }
  list(namespace?: string): IterableIterator<T> {
    return this.#cache.list(namespace);
  }
  keys(): IterableIterator<string> {
    return this.#cache.keys();
  }
  byIndex(name: string, value: string): IterableIterator<T> {
    return this.#cache.byIndex(name, value);
  }
  indexValues(name: string): IterableIterator<string> {
    return this.#cache.indexValues(name);
  }

  addIndex(name: string, valuesOf: IndexFunction<T>): void {
    if (!this.#cache.hasIndex(name)) this.#cache.addIndex(name, valuesOf);
  }

  addHandler(handler: InformerHandler<T>): HandlerRegistration {
    if (this.#cache.size > 0) {
      for (const object of [...this.#cache.list()]) this.#guard(() => handler.add?.(object, true));
    }
    if (this.#synced) this.#guard(() => handler.batch?.());
    this.#handlers = [...this.#handlers, handler];
    return {
      remove: () => {
        this.#handlers = this.#handlers.filter((other) => other !== handler);
      },
    };
  }

  whenSynced(signal?: AbortSignal): Promise<void> {
    if (this.#synced) return Promise.resolve();
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const abort = (): void => reject(signal?.reason);
      signal?.addEventListener("abort", abort, { once: true });
      this.#waiting.push(() => {
        signal?.removeEventListener("abort", abort);
        resolve();
      });
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    if (this.#started) throw new Error(`the informer of ${this.resource.resource} was started before`);
    this.#started = true;
    const {
      clock = realClock,
      random = systemRandom,
      resyncMs,
      indexers: _,
      transform: __,
      ...options
    } = this.#options;
    const reflecting = reflect({ ...options, clock, random, logger: this.#logger }, this, signal);
    if (resyncMs === undefined || resyncMs <= 0) return reflecting;
    await Promise.all([reflecting, this.#resync(clock, resyncMs, signal)]);
  }

  async #resync(clock: Clock, resyncMs: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(clock, resyncMs, signal);
      if (signal.aborted) return;
      for (const object of [...this.#cache.list()]) {
        for (const handler of this.#handlers) this.#guard(() => handler.update?.(object, object));
      }
      this.#endBatch();
    }
  }

  replace(objects: readonly T[]): void {
    const initial = !this.#synced;
    const gone = new Set(this.#cache.keys());
    for (const object of objects) {
      const key = keyOf(object);
      gone.delete(key);
      const known = this.#cache.get(key);
      if (known !== undefined && known.metadata.resourceVersion === object.metadata.resourceVersion) continue;
      this.#set(key, object, initial);
    }
    for (const key of gone) this.#delete(key);
    this.#synced = true;
    this.#endBatch();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  apply(events: readonly WatchEvent<T>[]): void {
    for (const { type, object } of events) {
      const key = keyOf(object);
      if (type === "DELETED") this.#delete(key, object);
      else this.#set(key, object, false);
    }
    this.#endBatch();
  }

  #set(key: string, given: T, initial: boolean): void {
    const object = this.#options.transform?.(given) ?? given;
    const old = this.#cache.set(key, object);
    for (const handler of this.#handlers) {
      try {
        if (old === undefined) handler.add?.(object, initial);
        // The same name, deleted and created again between two lists, is two objects.
        else if (old.metadata.uid === object.metadata.uid) handler.update?.(old, object);
        else {
          handler.delete?.(old);
          handler.add?.(object, initial);
        }
      } catch (error) {
        this.#complain(error);
      }
    }
  }

  #delete(key: string, last?: T): void {
    const old = this.#cache.delete(key);
    if (old === undefined) return;
    const object = last === undefined ? old : (this.#options.transform?.(last) ?? last);
    for (const handler of this.#handlers) this.#guard(() => handler.delete?.(object));
  }

  #endBatch(): void {
    for (const handler of this.#handlers) if (handler.batch !== undefined) this.#guard(() => handler.batch?.());
  }

  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#complain(error);
    }
  }

  #complain(error: unknown): void {
    this.#logger.error("an informer's handler threw", { resource: this.resource.resource, error });
  }
}
