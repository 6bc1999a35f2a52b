import { goPrint } from "../decode/go-print.js";
import { getOwn, isJsonObject, jsonEqual, type MutableJsonObject, maxDepth, setOwn } from "../json-value.js";
import type { Schema } from "../schema.js";
import { PatchError } from "./patch-error.js";
import {
  checkOrder,
  itemKey,
  orderItems,
  sameItems,
  storedItemKey,
  uniquePrimitives,
  withoutPrimitives,
} from "./strategic-list.js";
import {
  childSchema,
  deleteListPrefix,
  elementOrderPrefix,
  isDirective,
  mergesList,
  patchDirective,
  replacesObject,
  retainKeysDirective,
} from "./strategic-schema.js";

type Fields = { readonly [key: string]: unknown };

/**
 * Strategic merge patch: like a merge patch, but lists whose schema has patchStrategy merge are merged item by item, by their
 * patchMergeKey, and the patch may carry directives (`$patch`, `$retainKeys`, `$deleteFromPrimitiveList/f`,
 * `$setElementOrder/f`). The document is not changed; the result shares with it what the patch does not touch, and is the
 * document itself when the patch changes nothing. Throws PatchError.
 */
export function applyStrategicMergePatch<T extends object>(schema: Schema, document: T, patch: unknown): T {
  if (!isJsonObject(patch)) throw new PatchError("malformed", "Invalid JSON Patch");
  const { [patchDirective]: _, ...given } = document as Fields;
  const clean = Object.hasOwn(document, patchDirective) ? given : (document as Fields);
  return mergeObject(schema, clean, patch, 0) as T;
}

function mergeObject(schema: Schema | undefined, original: Fields, patch: Fields, depth: number): Fields {
  if (depth > maxDepth) throw new PatchError("malformed", `a patch may not nest deeper than ${maxDepth}`);
  const directive = getOwn(patch, patchDirective);
  if (directive !== undefined) {
    if (directive === "delete") return {};
    if (directive === "replace") {
      const { [patchDirective]: _, ...replacement } = patch;
      return jsonEqual(original, replacement) ? original : replacement;
    }
    if (directive !== "merge") throw badDirective(directive, patch);
  }
  const result = new ChangedObject(original);
  retainKeys(result, patch);
  for (const key of Object.keys(patch)) {
    if (key.startsWith(elementOrderPrefix)) {
      const field = key.slice(elementOrderPrefix.length);
      mergeOrdered(result, childSchema(schema, field), field, patch, depth);
    }
  }
  for (const key of Object.keys(patch)) {
    if (isDirective(key) || Object.hasOwn(patch, elementOrderPrefix + key)) continue;
    mergeField(result, childSchema(schema, key), key, patch[key], depth);
  }
  for (const key of Object.keys(patch)) {
    if (!key.startsWith(deleteListPrefix)) continue;
    const field = key.slice(deleteListPrefix.length);
    const list = result.get(field);
    const removed = patch[key];
    if (!Array.isArray(removed)) throw new PatchError("malformed", "invalid patch format of primitive list");
    if (Array.isArray(list)) result.set(field, withoutPrimitives(list, removed));
  }
  return result.fields;
}

function mergeField(
  result: ChangedObject,
  schema: Schema | undefined,
  key: string,
  value: unknown,
  depth: number,
): void {
  if (value === null) {
    result.remove(key);
    return;
  }
  const current = result.get(key);
  if (isJsonObject(value)) {
    if (isJsonObject(current)) {
      const merged = replacesObject(schema)
        ? dropDirectives(value, depth)
        : mergeObject(schema, current, value, depth + 1);
      result.set(key, merged);
      return;
    }
  } else if (Array.isArray(value) && Array.isArray(current) && mergesList(schema)) {
    result.set(key, mergeList(schema, current, value, depth + 1));
    return;
  }
  const added = dropDirectives(value, depth);
  if (added !== undefined) result.set(key, added);
}

/** A field whose order the patch gives; its own items may be missing, when only the order changes. */
function mergeOrdered(
  result: ChangedObject,
  schema: Schema | undefined,
  field: string,
  patch: Fields,
  depth: number,
): void {
  const order = patch[elementOrderPrefix + field];
  if (!Array.isArray(order)) throw new PatchError("malformed", "invalid patch format of setElementOrder list");
  const items = getOwn(patch, field);
  if (items === null) {
    result.remove(field);
    return;
  }
  if (items !== undefined && !Array.isArray(items)) {
    throw new PatchError("malformed", "invalid patch format of setElementOrder list");
  }
  const mergeKey = order.every(isJsonObject) ? schema?.patchMergeKey : undefined;
  if (items !== undefined) checkOrder(items, order, mergeKey);
  const current = result.get(field);
  if (!Array.isArray(current)) {
    if (items === undefined) return;
    const added = dropDirectives(items, depth);
    result.set(field, Array.isArray(added) ? orderItems(added, order, [], mergeKey) : added);
    return;
  }
  const merged = items === undefined ? current : mergeList(schema, current, items, depth + 1);
  const ordered = orderItems(merged, order, current, mergeKey);
  result.set(field, sameItems(ordered, current) ? current : ordered);
}

function mergeList(
  schema: Schema | undefined,
  original: readonly unknown[],
  patch: readonly unknown[],
  depth: number,
): readonly unknown[] {
  if (patch.length === 0) return original;
  const sample = patch[0] ?? original[0];
  if (!isJsonObject(sample)) {
    const merged = orderItems(uniquePrimitives([...original, ...patch]), patch, original, undefined);
    return sameItems(merged, original) ? original : merged;
  }
  const mergeKey = schema?.patchMergeKey;
  if (mergeKey === undefined) {
    throw new PatchError("unprocessable", `cannot merge lists without merge key for ${schema?.name ?? "list"}`);
  }
  const { replacement, removed, items } = splitSpecial(patch, mergeKey);
  if (replacement !== undefined) return jsonEqual(original, replacement) ? original : replacement;
  const merged = original.filter((item) => !removed.has(storedItemKey(item, mergeKey)));
  const positions = new Map<unknown, number>();
  merged.forEach((item, index) => {
    const key = storedItemKey(item, mergeKey);
    if (!positions.has(key)) positions.set(key, index);
  });
  for (const item of items) {
    const key = itemKey(item, mergeKey);
    const index = positions.get(key);
    if (index === undefined) {
      positions.set(key, merged.length);
      merged.push(dropDirectives(item, depth));
    } else {
      const current = merged[index];
      merged[index] = isJsonObject(current) ? mergeObject(schema?.items, current, item, depth + 1) : item;
    }
  }
  const ordered = orderItems(merged, items, original, mergeKey);
  return sameItems(ordered, original) ? original : ordered;
}

/** Items with a `$patch` say what happens to the list, or to the item of their key. */
function splitSpecial(
  patch: readonly unknown[],
  mergeKey: string,
): {
  readonly replacement?: readonly unknown[];
  readonly removed: ReadonlySet<unknown>;
  readonly items: readonly Fields[];
} {
  const removed = new Set<unknown>();
  const items: Fields[] = [];
  let replaces = false;
  for (const item of patch) {
    if (!isJsonObject(item)) throw new PatchError("unclassified", "list element types are not identical");
    const directive = getOwn(item, patchDirective);
    if (directive === undefined) items.push(item);
    else if (directive === "delete") removed.add(itemKey(item, mergeKey));
    else if (directive === "replace") replaces = true;
    else if (directive === "merge")
      throw new PatchError("unclassified", "merging lists cannot yet be specified in the patch");
    else throw badDirective(directive, item);
  }
  return replaces ? { replacement: items, removed, items } : { removed, items };
}

function retainKeys(result: ChangedObject, patch: Fields): void {
  const retained = getOwn(patch, retainKeysDirective);
  if (retained === undefined) return;
  if (!Array.isArray(retained)) throw new PatchError("malformed", "invalid patch format of retainKeys");
  const keep = new Set<unknown>(retained);
  for (const key of Object.keys(patch)) {
    if (!isDirective(key) && patch[key] !== null && !keep.has(key)) {
      throw new PatchError("unprocessable", "patch content doesn't match retainKeys list");
    }
  }
  for (const key of Object.keys(result.fields)) if (!keep.has(key)) result.remove(key);
}

/** What a patch adds where nothing was: no directives and no nulls; undefined for an item that is only a deletion. */
function dropDirectives(value: unknown, depth: number): unknown {
  if (depth > maxDepth) throw new PatchError("malformed", `a patch may not nest deeper than ${maxDepth}`);
  if (Array.isArray(value)) {
    const kept = value
      .filter((item) => !(isJsonObject(item) && Object.hasOwn(item, patchDirective)))
      .map((item) => dropDirectives(item, depth + 1));
    return sameItems(kept, value) ? value : kept;
  }
  if (!isJsonObject(value)) return value;
  if (getOwn(value, patchDirective) === "delete") return {};
  let result: MutableJsonObject | undefined;
  for (const key of Object.keys(value)) {
    const child = value[key];
    const drop = isDirective(key) || child === null;
    const kept = drop ? undefined : dropDirectives(child, depth + 1);
    if (!drop && kept === child) continue;
    result ??= { ...value };
    if (drop) delete result[key];
    else setOwn(result, key, kept);
  }
  return result ?? value;
}

function badDirective(directive: unknown, patch: Fields): PatchError {
  return new PatchError("unclassified", `unknown patch type: ${goPrint(directive)} in map: ${goPrint(patch)}`);
}

/** An object that is copied with its first real change. */
class ChangedObject {
  #fields: Fields;
  #copy: MutableJsonObject | undefined;

  constructor(original: Fields) {
    this.#fields = original;
  }

  get fields(): Fields {
    return this.#fields;
  }

  get(key: string): unknown {
    return getOwn(this.#fields, key);
  }

  set(key: string, value: unknown): void {
    const current = this.get(key);
    if (current === value || (current !== undefined && jsonEqual(current, value))) return;
    setOwn(this.#own(), key, value);
  }

  remove(key: string): void {
    if (Object.hasOwn(this.#fields, key)) delete this.#own()[key];
  }

  #own(): MutableJsonObject {
    if (this.#copy === undefined) {
      this.#copy = { ...this.#fields };
      this.#fields = this.#copy;
    }
    return this.#copy;
  }
}
