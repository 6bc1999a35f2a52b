import type { StoredObject } from "../request.js";

/**
 * What a list or watch asks for. `prefix` is a key prefix; `exact` names one key; `index` is a field that the cache keeps
 * by value, so that it can go straight to the few objects or watchers concerned; `matches` is whatever selection remains,
 * asked `once` about each of many objects, or by many watchers about one.
 */
export interface Selection {
  readonly prefix: string;
  readonly exact?: string | undefined;
  readonly index?: { readonly field: string; readonly value: string } | undefined;
  readonly matches?: ((stored: StoredObject, once?: boolean) => boolean) | undefined;
  /** What `matches` costs beside having the object, in bytes parsed; absent: next to nothing. */
  readonly cost?: number | undefined;
}

export function selects(selection: Selection, stored: StoredObject): boolean {
  if (selection.exact !== undefined ? stored.key !== selection.exact : !stored.key.startsWith(selection.prefix))
    return false;
  return selection.matches === undefined || selection.matches(stored);
}
