import type { KubeObject, ResourceType } from "../../api/index.js";
import type { CacheReader } from "./admission.js";

/** A CacheReader over objects that a test puts into it. */
export class FixtureCache implements CacheReader {
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  #generation = 0;

  put<T extends KubeObject>(resource: ResourceType<T>, object: object): this {
    const found = object as T;
    const key = `${found.metadata.namespace ?? ""}/${found.metadata.name ?? ""}`;
    this.#of(resource).set(key, found);
    this.#generation++;
    return this;
  }

  get<T extends KubeObject>(resource: ResourceType<T>, key: { namespace?: string; name: string }): T | undefined {
    const namespace = resource.namespaced ? (key.namespace ?? "") : "";
    return this.#of(resource).get(`${namespace}/${key.name}`) as T | undefined;
  }

  list<T extends KubeObject>(resource: ResourceType<T>, namespace?: string): readonly T[] {
    const all = [...this.#of(resource).values()] as T[];
    return namespace === undefined ? all : all.filter((object) => object.metadata.namespace === namespace);
  }

  generation(): number {
    return this.#generation;
  }

  #of(resource: ResourceType): Map<string, KubeObject> {
    const key = `${resource.group}/${resource.resource}`;
    let objects = this.#objects.get(key);
    if (objects === undefined) {
      objects = new Map();
      this.#objects.set(key, objects);
    }
    return objects;
  }
}
