import type { JsonObject, ResourceDescription } from "../../api/index.js";
import { apiVersionOf } from "../../api/index.js";
import { Turns } from "../../internal/turns.js";
import type { StoredObject } from "../request.js";
import type { ResourceCache } from "../watchcache/resource-cache.js";
import { CachedObject, ConvertedObject } from "../watchcache/stored-object.js";

/** One resource at one version, with where its objects are: what every operation is given. */
export class Endpoint {
  readonly description: ResourceDescription;
  readonly cache: ResourceCache;
  /** What objects of this version call themselves. */
  readonly apiVersion: string;
  /** The fields that the cache is indexed by. */
  readonly indexedFields: readonly string[];
  readonly #storageVersion: string;
  /** How the value of an object begins that is stored at this very version. */
  readonly #head: Buffer;
  /** What is known to lack nothing: looking again would mean decoding it. */
  readonly #complete = new WeakSet<StoredObject>();
  /** What was converted elsewhere, while anybody has it: asking again would cost a request. */
  readonly #converted = new WeakMap<StoredObject, WeakRef<StoredObject>>();

  constructor(description: ResourceDescription, cache: ResourceCache) {
    this.indexedFields = description.indexedFields ?? [];
    this.description = description;
    this.cache = cache;
    this.apiVersion = apiVersionOf(description);
    this.#storageVersion = apiVersionOf(description.storage);
    this.#head = Buffer.from(`{"kind":"${description.kind}","apiVersion":"${this.apiVersion}",`);
  }

  keyOf(namespace: string | undefined, name: string): string {
    return `${this.prefixOf(namespace)}${name}`;
  }

  prefixOf(namespace: string | undefined): string {
    return this.description.namespaced && namespace ? `${this.cache.prefix}${namespace}/` : this.cache.prefix;
  }

  /** Whether every stored object is already what this version shows. */
  get stored(): boolean {
    const { convert, versions } = this.description.storage;
    return this.apiVersion === this.#storageVersion && convert === undefined && versions === undefined;
  }

  /** A stored object as this version shows it, where that needs nobody else; `show` is for all. */
  view(stored: StoredObject): StoredObject {
    if (this.stored) return stored;
    const { convert, versions } = this.description.storage;
    if (this.#complete.has(stored)) return stored;
    if (convert === undefined && versions?.complete === undefined && this.#isHere(stored)) return stored;
    const known = this.#converted.get(stored)?.deref();
    if (known !== undefined) return known;
    const object = stored.object as unknown as JsonObject;
    const shown = this.#fromStorage(object);
    if (shown !== object) return new ConvertedObject(stored, shown);
    this.#complete.add(stored);
    return stored;
  }

  async show(stored: StoredObject, signal?: AbortSignal): Promise<StoredObject> {
    const [shown] = await this.showAll([stored], signal);
    return shown ?? stored;
  }

  /** Stored objects as this version shows them, in order. Errors: those of the conversion, where somebody else does it. */
  async showAll(stored: readonly StoredObject[], signal?: AbortSignal): Promise<readonly StoredObject[]> {
    const { versions } = this.description.storage;
    if (versions?.convert === undefined) return this.stored ? stored : viewAll(this, stored);
    const foreign = stored.filter((each) => !this.#isHere(each) && this.#converted.get(each)?.deref() === undefined);
    const objects = foreign.map((each) => each.object as unknown as JsonObject);
    const converted = foreign.length === 0 ? [] : await versions.convert(objects, this.apiVersion, signal);
    const shown = new Map(
      foreign.map((each, index) => {
        const object = converted[index] as JsonObject;
        return [each, new ConvertedObject(each, versions.complete?.(object) ?? object)] as const;
      }),
    );
    for (const [each, view] of shown) this.#converted.set(each, new WeakRef(view));
    return viewAll(this, stored, shown);
  }

  /** The object in a stored one, as this version shows it. */
  async read(stored: StoredObject, signal?: AbortSignal): Promise<JsonObject> {
    if (this.stored) return stored.object as unknown as JsonObject;
    return (await this.show(stored, signal)).object as unknown as JsonObject;
  }

  /** An object of this version as it is stored. */
  async toStorage(object: JsonObject, signal?: AbortSignal): Promise<JsonObject> {
    if (this.stored) return object;
    const { convert, versions } = this.description.storage;
    if (versions?.convert !== undefined && this.apiVersion !== this.#storageVersion) {
      const [converted] = await versions.convert([object], this.#storageVersion, signal);
      return converted ?? object;
    }
    return { ...(convert === undefined ? object : convert.toStorage(object)), apiVersion: this.#storageVersion };
  }

  /** An object as it is stored, as this version shows it. Errors: those of the conversion, where somebody else does it. */
  async fromStorage(object: JsonObject, signal?: AbortSignal): Promise<JsonObject> {
    if (this.stored) return object;
    const { versions } = this.description.storage;
    if (versions?.convert === undefined || object["apiVersion"] === this.apiVersion) return this.#fromStorage(object);
    const [converted] = await versions.convert([object], this.apiVersion, signal);
    return converted === undefined ? object : (versions.complete?.(converted) ?? converted);
  }

  #fromStorage(object: JsonObject): JsonObject {
    const { convert, versions } = this.description.storage;
    const same = convert === undefined && object["apiVersion"] === this.apiVersion;
    const here = same
      ? object
      : {
          ...(convert === undefined ? object : convert.fromStorage(object)),
          apiVersion: this.apiVersion,
          kind: this.description.kind,
        };
    return versions?.complete?.(here) ?? here;
  }

  #isHere(stored: StoredObject): boolean {
    return stored instanceof CachedObject && stored.value.subarray(0, this.#head.length).equals(this.#head);
  }
}

async function viewAll(
  endpoint: Endpoint,
  stored: readonly StoredObject[],
  shown: ReadonlyMap<StoredObject, StoredObject> = new Map(),
): Promise<readonly StoredObject[]> {
  const views: StoredObject[] = [];
  const turns = new Turns();
  for (const each of stored) {
    if (turns.due(each.size)) await turns.give();
    views.push(shown.get(each) ?? endpoint.view(each));
  }
  return views;
}
