import type { JsonObject, ResourceDescription } from "../../api/index.js";
import { apiVersionOf } from "../../api/index.js";
import type { StoredObject } from "../request.js";
import type { ResourceCache } from "../watchcache/resource-cache.js";
import { ConvertedObject } from "../watchcache/stored-object.js";

/** One resource at one version, with where its objects are: what every operation is given. */
export class Endpoint {
  readonly description: ResourceDescription;
  readonly cache: ResourceCache;
  /** What objects of this version call themselves. */
  readonly apiVersion: string;
  /** The fields that the cache is indexed by. */
  readonly indexedFields: readonly string[];
  readonly #storageVersion: string;

  constructor(description: ResourceDescription, cache: ResourceCache) {
    this.indexedFields = description.indexedFields ?? [];
    this.description = description;
    this.cache = cache;
    this.apiVersion = apiVersionOf(description);
    this.#storageVersion = apiVersionOf(description.storage);
  }

  keyOf(namespace: string | undefined, name: string): string {
    return `${this.prefixOf(namespace)}${name}`;
  }

  prefixOf(namespace: string | undefined): string {
    return this.description.namespaced && namespace ? `${this.cache.prefix}${namespace}/` : this.cache.prefix;
  }

  get stored(): boolean {
    return this.apiVersion === this.#storageVersion && this.description.storage.convert === undefined;
  }

  /** A stored object as this version shows it. */
  view(stored: StoredObject): StoredObject {
    return this.stored ? stored : new ConvertedObject(stored, this.fromStorage(stored.object as unknown as JsonObject));
  }

  fromStorage(object: JsonObject): JsonObject {
    if (this.stored) return object;
    const { convert } = this.description.storage;
    return {
      ...(convert === undefined ? object : convert.fromStorage(object)),
      apiVersion: this.apiVersion,
      kind: this.description.kind,
    };
  }

  toStorage(object: JsonObject): JsonObject {
    if (this.stored) return object;
    const { convert } = this.description.storage;
    return { ...(convert === undefined ? object : convert.toStorage(object)), apiVersion: this.#storageVersion };
  }
}
