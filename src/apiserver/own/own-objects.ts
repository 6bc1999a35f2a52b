import { isStatusError, type KubeObject, statusErrors, type Verb } from "../../api/index.js";
import type { ObjectReads, ObjectWrites } from "../registry/context.js";
import type { Endpoint } from "../registry/endpoint.js";
import { resolveSelection } from "../registry/selection.js";
import type { Decision } from "../registry/writer.js";
import type { ServerRequest, StoredObject } from "../request.js";
import { selects } from "../watchcache/selection.js";
import { ConvertedObject } from "../watchcache/stored-object.js";
import type { ResourceStorage, StorageKey, StorageList, StorageObject, StorageRequest } from "./resource-storage.js";

/** How often a write is tried again because somebody else wrote first. */
const maxAttempts = 8;

/** An object of a storage as the rest of the server handles objects. */
export function ownObject(endpoint: Endpoint, object: StorageObject): StoredObject {
  const { namespace, name = "", resourceVersion = "" } = object.metadata;
  const revision = Number(resourceVersion) || 0;
  const whole = { kind: endpoint.description.kind, apiVersion: endpoint.apiVersion, ...object };
  return new ConvertedObject({ key: endpoint.keyOf(namespace, name), revision }, whole);
}

/** get and list of a resource with a storage of its own. */
export function ownReads(storage: ResourceStorage): ObjectReads {
  return {
    async get(endpoint, request) {
      const { namespace, name = "" } = request;
      const found = await find(storage, { namespace, name }, storageRequest(request));
      if (found === undefined) throw statusErrors.notFound(endpoint.description, name);
      return endpoint.show(ownObject(endpoint, found), request.signal);
    },
    async list(endpoint, request) {
      const selection = resolveSelection(endpoint, request.namespace, request.name, request.options ?? {});
      const { metadata = {}, items } = await listAll(storage, request.namespace, storageRequest(request));
      const objects = items.map((object) => ownObject(endpoint, object)).filter((stored) => selects(selection, stored));
      return {
        apiVersion: endpoint.apiVersion,
        kind: endpoint.description.listKind,
        metadata,
        items: await endpoint.showAll(objects, request.signal),
      };
    },
  };
}

/** The writes of one. What a write decides it decides on what the storage has now; a storage that says Conflict has it decided again. */
export function ownWrites(storage: ResourceStorage, request: ServerRequest): ObjectWrites {
  const asked = storageRequest(request);
  return {
    async create(endpoint, object) {
      if (storage.create === undefined) throw statusErrors.methodNotAllowed(endpoint.description, "create");
      return ownObject(endpoint, await storage.create(object as unknown as KubeObject, asked));
    },
    async update(endpoint, _key, name, verb, mutate) {
      for (let attempt = 1; ; attempt++) {
        const old = await find(storage, { namespace: request.namespace, name }, asked);
        if (old === undefined) throw statusErrors.notFound(endpoint.description, name);
        const current = ownObject(endpoint, old);
        const decision = await mutate(current);
        try {
          return await carryOut(storage, endpoint, { current, decision, verb, asked });
        } catch (error) {
          // Somebody else wrote first. Whether this write still stands is decided anew, on what there is now.
          if (!isStatusError(error, "Conflict") || attempt === maxAttempts) throw error;
        }
      }
    },
  };
}

async function carryOut(
  storage: ResourceStorage,
  endpoint: Endpoint,
  write: {
    readonly current: StoredObject;
    readonly decision: Decision;
    readonly verb: Verb;
    readonly asked: StorageRequest;
  },
): ReturnType<ObjectWrites["update"]> {
  const { current, decision, verb, asked } = write;
  if (decision.type === "keep") return { stored: current, outcome: "unchanged" };
  if (decision.type === "delete") {
    if (storage.delete === undefined) throw statusErrors.methodNotAllowed(endpoint.description, verb);
    await storage.delete(current.object, asked);
    return { stored: current, outcome: "deleted" };
  }
  if (storage.update === undefined) throw statusErrors.methodNotAllowed(endpoint.description, verb);
  const kept = await storage.update(decision.object as unknown as KubeObject, current.object, asked);
  return { stored: ownObject(endpoint, kept), outcome: "written" };
}

export function storageRequest({ user, signal }: ServerRequest): StorageRequest {
  return { user, signal };
}

export async function listAll(
  storage: ResourceStorage,
  namespace: string | undefined,
  request: StorageRequest,
): Promise<StorageList> {
  const list = (await storage.list?.({ namespace }, request)) ?? [];
  return "items" in list ? list : { items: list };
}

async function find(
  storage: ResourceStorage,
  key: StorageKey,
  request: StorageRequest,
): Promise<StorageObject | undefined> {
  if (storage.get !== undefined) return storage.get(key, request);
  const { items } = await listAll(storage, key.namespace, request);
  return items.find(
    ({ metadata }) => metadata.name === key.name && (!key.namespace || metadata.namespace === key.namespace),
  );
}
