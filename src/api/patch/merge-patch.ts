import { isJsonObject, jsonEqual, type MutableJsonObject, maxDepth, setOwn } from "../json-value.js";
import { PatchError } from "./patch-error.js";

/**
 * RFC 7386 on objects. The document is not changed; the result shares with it what the patch does not touch, and is the
 * document itself when the patch changes nothing. Throws PatchError for a patch that is no object or nests too deep.
 */
export function applyMergePatch<T extends object>(document: T, patch: unknown): T {
  if (!isJsonObject(patch)) throw new PatchError("malformed", "Invalid JSON Patch");
  return merge(document, patch, 0) as T;
}

function merge(target: unknown, patch: unknown, depth: number): unknown {
  if (depth > maxDepth) throw new PatchError("malformed", `a patch may not nest deeper than ${maxDepth}`);
  if (!isJsonObject(patch)) return jsonEqual(target, patch) ? target : patch;
  const base = isJsonObject(target) ? target : undefined;
  let result: MutableJsonObject | undefined = base === undefined ? {} : undefined;
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    const present = base !== undefined && Object.hasOwn(base, key);
    if (value === null) {
      if (present) {
        result ??= { ...base };
        delete result[key];
      }
      continue;
    }
    const merged = merge(present ? base[key] : undefined, value, depth + 1);
    if (present && merged === base[key]) continue;
    result ??= { ...base };
    setOwn(result, key, merged);
  }
  return result ?? target;
}

/**
 * The merge patch that makes `modified` of `original`, undefined when they are equal. Fields of `modified` that are null
 * cannot be expressed and are left out.
 */
export function diffMergePatch(original: object, modified: object): MutableJsonObject | undefined {
  return isJsonObject(original) && isJsonObject(modified) ? diffObjects(original, modified, 0) : undefined;
}

function diffObjects(
  original: { readonly [key: string]: unknown },
  modified: { readonly [key: string]: unknown },
  depth: number,
): MutableJsonObject | undefined {
  if (original === modified) return undefined;
  if (depth > maxDepth) throw new PatchError("malformed", `an object may not nest deeper than ${maxDepth}`);
  let patch: MutableJsonObject | undefined;
  const add = (key: string, value: unknown): void => {
    patch ??= {};
    setOwn(patch, key, value);
  };
  for (const key of Object.keys(original)) {
    if (original[key] !== undefined && (!Object.hasOwn(modified, key) || modified[key] === undefined)) add(key, null);
  }
  for (const key of Object.keys(modified)) {
    const value = modified[key];
    if (value === undefined) continue;
    const old = Object.hasOwn(original, key) ? original[key] : undefined;
    if (isJsonObject(old) && isJsonObject(value)) {
      const nested = diffObjects(old, value, depth + 1);
      if (nested !== undefined) add(key, nested);
    } else if (!jsonEqual(old, value)) add(key, value);
  }
  return patch;
}
