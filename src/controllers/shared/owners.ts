import {
  apiVersionOf,
  isStatusError,
  type KubeObject,
  type OwnerReference,
  type ResourceType,
  type Selector,
} from "../../api/index.js";
import type { Client, IndexFunction, Informer } from "../../client/index.js";

export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true);
}

export function isControlledBy(object: KubeObject, owner: KubeObject): boolean {
  return controllerOf(object)?.uid === owner.metadata.uid;
}

export function controllerReference(owner: KubeObject, resource: ResourceType): OwnerReference {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

const index = "controller";

/** Files objects under their controller's uid, and those without one under their namespace. */
const byController: IndexFunction<KubeObject> = (object) => {
  const owner = controllerOf(object);
  return [owner === undefined ? `orphans/${object.metadata.namespace ?? ""}` : owner.uid];
};

export function indexByController<T extends KubeObject>(informer: Informer<T>): void {
  informer.addIndex(index, byController);
}

export function controlledBy<T extends KubeObject>(informer: Informer<T>, uid: string): IterableIterator<T> {
  return informer.byIndex(index, uid);
}

export function orphansIn<T extends KubeObject>(informer: Informer<T>, namespace: string): IterableIterator<T> {
  return informer.byIndex(index, `orphans/${namespace}`);
}

export interface ClaimOptions<T extends KubeObject> {
  readonly client: Client;
  readonly owner: KubeObject;
  readonly ownerResource: ResourceType;
  readonly resource: ResourceType<T>;
  readonly informer: Informer<T>;
  readonly selector: Selector;
  readonly signal: AbortSignal;
  /** Which orphans may be adopted, beyond the selector. */
  readonly adoptable?: (object: T) => boolean;
  /** What an adopted object gets beside the owner reference. */
  readonly finalizers?: readonly string[];
}

/**
 * The objects that `owner` controls after those that match were adopted and those that ceased to match were let go.
 * Nothing is adopted or released by an owner that is being deleted. Before the first adoption the owner is read
 * from the server: a cache may still show one that was deleted and made again under its name.
 */
export async function claim<T extends KubeObject>(options: ClaimOptions<T>): Promise<readonly T[]> {
  const { owner, informer, selector } = options;
  const { uid, namespace = "", deletionTimestamp } = owner.metadata;
  const claimed: T[] = [];
  for (const object of [...controlledBy(informer, uid)]) {
    if (selector.matches(object.metadata.labels)) claimed.push(object);
    else if (deletionTimestamp === undefined) await release(options, object);
  }
  if (deletionTimestamp !== undefined || selector.nothing) return claimed;
  let certain = false;
  for (const object of [...orphansIn(informer, namespace)]) {
    if (object.metadata.deletionTimestamp !== undefined || !selector.matches(object.metadata.labels)) continue;
    if (options.adoptable?.(object) === false) continue;
    if (!certain) {
      certain = await isCurrent(options);
      if (!certain) break;
    }
    const adopted = await adopt(options, object);
    if (adopted !== undefined) claimed.push(adopted);
  }
  return claimed;
}

async function isCurrent<T extends KubeObject>({
  client,
  owner,
  ownerResource,
  signal,
}: ClaimOptions<T>): Promise<boolean> {
  try {
    const fresh = await client.get(ownerResource, owner.metadata, { signal });
    return fresh.metadata.uid === owner.metadata.uid && fresh.metadata.deletionTimestamp === undefined;
  } catch (error) {
    if (isStatusError(error, "NotFound")) return false;
    throw error;
  }
}

async function adopt<T extends KubeObject>(options: ClaimOptions<T>, object: T): Promise<T | undefined> {
  const { client, resource, owner, ownerResource, signal, finalizers = [] } = options;
  const { uid, resourceVersion, ownerReferences = [], finalizers: had = [] } = object.metadata;
  const added = finalizers.filter((finalizer) => !had.includes(finalizer));
  const reference = controllerReference(owner, ownerResource);
  // It may name the owner already, as one that does not control it.
  const isOwned = ownerReferences.some((one) => one.uid === reference.uid);
  const body = {
    metadata: {
      uid,
      resourceVersion,
      ownerReferences: isOwned
        ? ownerReferences.map((one) => (one.uid === reference.uid ? reference : one))
        : [...ownerReferences, reference],
      ...(added.length === 0 ? {} : { finalizers: [...had, ...added] }),
    },
  };
  return changed(() => client.patch(resource, object.metadata, { type: "merge", body }, { signal }));
}

/** Takes the owner's reference off. */
export async function release<T extends KubeObject>(
  {
    client,
    resource,
    owner,
    signal,
    finalizers = [],
  }: Pick<ClaimOptions<T>, "client" | "resource" | "owner" | "signal" | "finalizers">,
  object: T,
): Promise<void> {
  const { uid, resourceVersion, ownerReferences = [], finalizers: had = [] } = object.metadata;
  const left = had.filter((finalizer) => !finalizers.includes(finalizer));
  const body = {
    metadata: {
      uid,
      resourceVersion,
      ownerReferences: ownerReferences.filter((reference) => reference.uid !== owner.metadata.uid),
      ...(left.length === had.length ? {} : { finalizers: left }),
    },
  };
  await changed(() => client.patch(resource, object.metadata, { type: "merge", body }, { signal }));
}

/** An object that is gone, or that is another one by now, is none of ours. */
async function changed<T>(patch: () => Promise<T>): Promise<T | undefined> {
  try {
    return await patch();
  } catch (error) {
    if (isStatusError(error, "NotFound") || isStatusError(error, "Invalid")) return undefined;
    throw error;
  }
}
