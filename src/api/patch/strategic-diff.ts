import { getOwn, isJsonObject, jsonEqual, type MutableJsonObject, maxDepth, setOwn } from "../json-value.js";
import type { Schema } from "../schema.js";
import { PatchError } from "./patch-error.js";
import { storedItemKey } from "./strategic-list.js";
import {
  childSchema,
  deleteListPrefix,
  elementOrderPrefix,
  mergesList,
  patchDirective,
  replacesObject,
} from "./strategic-schema.js";

type Fields = { readonly [key: string]: unknown };

/**
 * The strategic merge patch that makes `modified` of `original`; undefined when they are equal. Lists with a merge key change
 * only the items that differ, so that the patch leaves alone what others add meanwhile.
 */
export function diffStrategicMergePatch(
  schema: Schema,
  original: object,
  modified: object,
): MutableJsonObject | undefined {
  return diffObjects(schema, original as Fields, modified as Fields, 0);
}

function diffObjects(
  schema: Schema | undefined,
  original: Fields,
  modified: Fields,
  depth: number,
): MutableJsonObject | undefined {
  if (original === modified) return undefined;
  if (depth > maxDepth) throw new PatchError("malformed", `an object may not nest deeper than ${maxDepth}`);
  const patch: MutableJsonObject = {};
  for (const key of Object.keys(original)) {
    if (original[key] !== undefined && getOwn(modified, key) === undefined) setOwn(patch, key, null);
  }
  for (const key of Object.keys(modified)) {
    const value = modified[key];
    const old = getOwn(original, key);
    if (value === undefined || value === old || jsonEqual(old, value)) continue;
    const child = childSchema(schema, key);
    if (isJsonObject(old) && isJsonObject(value) && !replacesObject(child)) {
      const nested = diffObjects(child, old, value, depth + 1);
      if (nested !== undefined) setOwn(patch, key, nested);
    } else if (Array.isArray(old) && Array.isArray(value) && mergesList(child)) {
      diffLists(patch, key, child, old, value, depth);
    } else setOwn(patch, key, value);
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

function diffLists(
  patch: MutableJsonObject,
  field: string,
  schema: Schema | undefined,
  original: readonly unknown[],
  modified: readonly unknown[],
  depth: number,
): void {
  const objects = [...original, ...modified].some(isJsonObject);
  const mergeKey = objects ? schema?.patchMergeKey : undefined;
  const before = byKey(original, mergeKey);
  const after = byKey(modified, mergeKey);
  if (before === undefined || after === undefined || (objects && mergeKey === undefined)) {
    // Items that share a key, which lists may have, cannot be told apart: the list is replaced as a whole.
    setOwn(patch, field, objects ? [...modified, { [patchDirective]: "replace" }] : modified);
    return;
  }
  if (mergeKey === undefined) {
    const added = modified.filter((item) => !before.has(item));
    const removed = original.filter((item) => !after.has(item));
    if (added.length > 0) setOwn(patch, field, added);
    if (removed.length > 0) patch[deleteListPrefix + field] = removed;
    patch[elementOrderPrefix + field] = modified;
    return;
  }
  const items: MutableJsonObject[] = [];
  for (const [key, item] of after) {
    const old = before.get(key);
    if (!isJsonObject(item) || jsonEqual(old, item)) continue;
    const nested = isJsonObject(old) ? diffObjects(schema?.items, old, item, depth + 1) : item;
    if (nested !== undefined) items.push({ ...nested, [mergeKey]: key });
  }
  for (const key of before.keys()) if (!after.has(key)) items.push({ [patchDirective]: "delete", [mergeKey]: key });
  if (items.length > 0) setOwn(patch, field, items);
  patch[elementOrderPrefix + field] = [...after.keys()].map((key) => ({ [mergeKey]: key }));
}

/** Undefined when an item has no key, or not alone. */
function byKey(items: readonly unknown[], mergeKey: string | undefined): Map<unknown, unknown> | undefined {
  const found = new Map<unknown, unknown>();
  for (const item of items) {
    const key = storedItemKey(item, mergeKey);
    if (key === undefined || typeof key === "object" || found.has(key)) return undefined;
    found.set(key, item);
  }
  return found;
}
