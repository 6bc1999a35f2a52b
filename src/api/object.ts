import type { ObjectMeta } from "./gen/types.js";

/** A JSON object as it comes over the wire. */
export type JsonObject = { readonly [key: string]: unknown };

/** What every API object has. Objects are shared and never changed in place: a mutation copies the path it changes. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

export interface ListMeta {
  readonly resourceVersion?: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

export interface KubeList<T extends KubeObject = KubeObject> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ListMeta;
  readonly items: readonly T[];
}

/** An object as it is handed to create: the server fills the rest of its metadata, and its name from generateName. */
export type New<T extends KubeObject> = Omit<T, "metadata"> & { readonly metadata: Partial<ObjectMeta> };

/** Who an object is within its kind. */
export interface ObjectKey {
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** `namespace/name`, or `name` for what is cluster-scoped: the key of informers and work queues. */
export function keyOf(object: { readonly metadata: ObjectKey }): string {
  const { namespace, name } = object.metadata;
  return namespace ? `${namespace}/${name}` : name;
}

export function splitKey(key: string): ObjectKey {
  const slash = key.indexOf("/");
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

export type WatchEventType = "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";

/**
 * A change that a watcher sees. DELETED carries the last state with the resourceVersion of the deletion; an object that
 * stops matching the watch's selectors is DELETED for that watcher. BOOKMARK carries only a resourceVersion (and, at the
 * end of the initial state of a streamed list, the annotation `k8s.io/initial-events-end`).
 */
export interface WatchEvent<T extends KubeObject = KubeObject> {
  readonly type: WatchEventType;
  readonly object: T;
}
