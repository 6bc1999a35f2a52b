import { isStatusError, type KubeObject, type ResourceType } from "../../api/index.js";
import type { Client } from "../../client/index.js";
import { equalJson } from "./hash.js";

type WithStatus = KubeObject & { readonly status?: unknown };

/**
 * Writes the status, and annotations beside it, where they differ from what the object has. Where only something else has changed
 * in between, the status is put on the newest version; where somebody else wrote the status, it is a Conflict, for the status is to be
 * worked out anew from theirs. Undefined when the object is gone.
 */
export async function writeStatus<T extends WithStatus>(
  client: Client,
  resource: ResourceType<T>,
  object: T,
  status: NonNullable<T["status"]>,
  signal: AbortSignal,
  annotations: { readonly [name: string]: string } = {},
): Promise<T | undefined> {
  const annotated = Object.entries(annotations).every(([name, value]) => object.metadata.annotations?.[name] === value);
  if (annotated && equalJson(object.status ?? {}, status)) return object;
  let current = object;
  for (let tries = 1; ; tries++) {
    try {
      const { metadata } = current;
      const next = annotated ? metadata : { ...metadata, annotations: { ...metadata.annotations, ...annotations } };
      return await client.update(resource, { ...current, metadata: next, status }, { subresource: "status", signal });
    } catch (error) {
      if (isStatusError(error, "NotFound")) return undefined;
      if (!isStatusError(error, "Conflict") || tries >= 5) throw error;
      const fresh = await getOrUndefined(client, resource, object, signal);
      if (fresh === undefined || fresh.metadata.uid !== object.metadata.uid) return undefined;
      if (!equalJson(fresh.status ?? {}, object.status ?? {})) throw error;
      current = fresh;
    }
  }
}

export async function getOrUndefined<T extends KubeObject>(
  client: Client,
  resource: ResourceType<T>,
  { metadata: { namespace, name } }: { readonly metadata: { readonly namespace?: string; readonly name: string } },
  signal: AbortSignal,
): Promise<T | undefined> {
  try {
    return await client.get(resource, { namespace, name }, { signal });
  } catch (error) {
    if (isStatusError(error, "NotFound")) return undefined;
    throw error;
  }
}

/** Deletes an object of which exactly this one is meant; that it is gone already is fine. Says whether it was there. */
export async function deleteExactly(
  client: Client,
  resource: ResourceType,
  { metadata: { namespace, name, uid } }: KubeObject,
  options: {
    readonly signal?: AbortSignal;
    readonly gracePeriodSeconds?: number;
    readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
  } = {},
): Promise<boolean> {
  try {
    await client.delete(resource, { namespace, name }, { ...options, preconditions: { uid } });
    return true;
  } catch (error) {
    if (isStatusError(error, "NotFound") || isStatusError(error, "Conflict")) return false;
    throw error;
  }
}
