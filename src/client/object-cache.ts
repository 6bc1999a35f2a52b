import { type KubeObject, keyOf } from "../api/index.js";

/** The values under which an object is found in an index; none leaves it out. */
export type IndexFunction<T extends KubeObject> = (object: T) => readonly string[];

export type Indexers<T extends KubeObject> = { readonly [name: string]: IndexFunction<T> };

/** Reads the local copy of what an informer watches. Everything given is shared and must not be changed. */
export interface Lister<T extends KubeObject> {
  readonly size: number;
  /** By `namespace/name`, or `name` for what is cluster-scoped. */
  get(key: string): T | undefined;
  /** All objects, or those of one namespace, in no particular order. */
  list(namespace?: string): IterableIterator<T>;
  keys(): IterableIterator<string>;
  /** Those filed under `value` in the index `name`; an index that was never added is an error. */
  byIndex(name: string, value: string): IterableIterator<T>;
  /** The values of an index that have at least one object. */
  indexValues(name: string): IterableIterator<string>;
}

type Index<T extends KubeObject> = {
  readonly valuesOf: IndexFunction<T>;
  readonly buckets: Map<string, Map<string, T>>;
};

const none: ReadonlyMap<string, never> = new Map<string, never>();

/** Objects by key, with indexes kept up to date at every change. */
export class ObjectCache<T extends KubeObject> implements Lister<T> {
  readonly #objects = new Map<string, T>();
  readonly #namespaces = new Map<string, Map<string, T>>();
  readonly #indexes = new Map<string, Index<T>>();

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(namespace?: string): IterableIterator<T> {
    if (namespace === undefined || namespace === "") return this.#objects.values();
    return (this.#namespaces.get(namespace) ?? none).values();
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  byIndex(name: string, value: string): IterableIterator<T> {
    return (this.#index(name).buckets.get(value) ?? none).values();
  }

  indexValues(name: string): IterableIterator<string> {
    return this.#index(name).buckets.keys();
  }

  hasIndex(name: string): boolean {
    return this.#indexes.has(name);
  }

  /** Also files what is there already. */
  addIndex(name: string, valuesOf: IndexFunction<T>): void {
    const index: Index<T> = { valuesOf, buckets: new Map() };
    this.#indexes.set(name, index);
    for (const [key, object] of this.#objects)
      for (const value of valuesOf(object)) put(index.buckets, value, key, object);
  }

  /** Gives back what was under the key before. */
  set(key: string, object: T): T | undefined {
    const old = this.#objects.get(key);
    this.#objects.set(key, object);
    const { namespace } = object.metadata;
    if (namespace) put(this.#namespaces, namespace, key, object);
    for (const index of this.#indexes.values()) refile(index, key, old, object);
    return old;
  }

  delete(key: string): T | undefined {
    const old = this.#objects.get(key);
    if (old === undefined) return undefined;
    this.#objects.delete(key);
    const { namespace } = old.metadata;
    if (namespace) drop(this.#namespaces, namespace, key);
    for (const index of this.#indexes.values()) refile(index, key, old, undefined);
    return old;
  }

  #index(name: string): Index<T> {
    const index = this.#indexes.get(name);
    if (index === undefined) throw new Error(`no index named ${name}`);
    return index;
  }
}

/** A cache filled once, as for tests. */
export function cacheOf<T extends KubeObject>(objects: Iterable<T>): ObjectCache<T> {
  const cache = new ObjectCache<T>();
  for (const object of objects) cache.set(keyOf(object), object);
  return cache;
}

function refile<T extends KubeObject>(index: Index<T>, key: string, old: T | undefined, object: T | undefined): void {
  const after = object === undefined ? [] : index.valuesOf(object);
  if (old !== undefined) {
    for (const value of index.valuesOf(old)) if (!after.includes(value)) drop(index.buckets, value, key);
  }
  if (object !== undefined) for (const value of after) put(index.buckets, value, key, object);
}

function put<T>(buckets: Map<string, Map<string, T>>, value: string, key: string, object: T): void {
  const bucket = buckets.get(value);
  if (bucket === undefined) buckets.set(value, new Map([[key, object]]));
  else bucket.set(key, object);
}

function drop<T>(buckets: Map<string, Map<string, T>>, value: string, key: string): void {
  const bucket = buckets.get(value);
  if (bucket === undefined) return;
  bucket.delete(key);
  if (bucket.size === 0) buckets.delete(value);
}
