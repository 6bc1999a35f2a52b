import { describeCustomResource } from "../../api/custom/describe.js";
import type { DefinedResource, KubeObject, ResourceDescription, ResourceType, Verb } from "../../api/index.js";
import type { ResourceStorage } from "./resource-storage.js";

/** A resource with a storage of its own. */
export interface OwnResource {
  readonly resource: ResourceType;
  readonly description: ResourceDescription | undefined;
  readonly storage: ResourceStorage;
}

/**
 * Serves a resource from a storage of its own: one that was defined in this program (`defineResource`), with its group-version, or one that the
 * server has already (`configMaps`), in place of the server's store. What the server reads for its own decisions (roles, namespaces,
 * services ...) it goes on reading from the store.
 */
export function ownResource<T extends KubeObject>(
  resource: DefinedResource<T> | ResourceType<T>,
  storage: ResourceStorage<T>,
): OwnResource {
  const [description] = "definition" in resource ? describeCustomResource(resource.definition) : [];
  // What comes in is checked against the description of this very resource before the storage gets it.
  return { resource, description, storage: storage as unknown as ResourceStorage };
}

/** The description with what the storage can do. Not every storage has resource versions that an update could name. */
export function withStorage(description: ResourceDescription, storage: ResourceStorage): ResourceDescription {
  const reads = storage.get !== undefined || storage.list !== undefined;
  const can: Readonly<Record<Verb, boolean>> = {
    get: reads,
    list: storage.list !== undefined,
    watch: storage.watch !== undefined && storage.list !== undefined,
    create: storage.create !== undefined,
    update: storage.update !== undefined && reads,
    patch: storage.update !== undefined && reads,
    delete: storage.delete !== undefined && reads,
    deletecollection: storage.delete !== undefined && storage.list !== undefined,
  };
  const strategy = { ...description.strategy, unconditionalUpdate: true };
  return { ...description, verbs: description.verbs.filter((verb) => can[verb]), strategy };
}
