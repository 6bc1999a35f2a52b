import { isJsonObject, type MutableJsonObject, setOwn } from "../json-value.js";
import type { Schema } from "../schema.js";
import { type FieldsV1, isMember, noFields } from "./fields-v1.js";
import { fieldSchema, isNamedField, itemElement, shapeOf } from "./shape.js";

/**
 * Takes away what an applier applied before and nobody has any more: the fields of `last` that are not in `owned`. A struct on
 * the way to a field counts as had by whoever has the field. What is emptied by this goes too. Shares what stays.
 */
export function pruneApplied<T>(schema: Schema, value: T, last: FieldsV1, owned: FieldsV1): T {
  return prune(schema, value, last, owned) as T;
}

function prune(schema: Schema, value: unknown, last: FieldsV1, owned: FieldsV1): unknown {
  switch (shapeOf(schema, value, undefined)) {
    case "map":
      return isJsonObject(value) ? pruneMap(schema, value, last, owned) : value;
    case "listMap":
    case "set":
      return Array.isArray(value) ? pruneList(schema, value, last, owned) : value;
    case "leaf":
      return value;
  }
}

function pruneMap(
  schema: Schema,
  object: { readonly [key: string]: unknown },
  last: FieldsV1,
  owned: FieldsV1,
): unknown {
  let result: MutableJsonObject | undefined;
  for (const element of Object.keys(last)) {
    const key = element.slice(2);
    const before = last[element];
    if (!element.startsWith("f:") || before === undefined || !Object.hasOwn(object, key)) continue;
    const field = fieldSchema(schema, key);
    if (field === undefined) continue;
    const now = owned[element];
    const named = isNamedField(schema, key);
    const had = named || isMember(before);
    const has = now !== undefined && (named || isMember(now));
    const kept = had && !has ? undefined : pruneField(field, object[key], before, now);
    if (kept === object[key]) continue;
    result ??= { ...object };
    if (kept === undefined) delete result[key];
    else setOwn(result, key, kept);
  }
  if (result === undefined) return object;
  return Object.keys(result).length === 0 ? undefined : result;
}

/** Somebody may have the container itself, as who applied an empty one. */
function pruneField(schema: Schema, value: unknown, last: FieldsV1, owned: FieldsV1 | undefined): unknown {
  const kept = prune(schema, value, last, owned ?? noFields);
  if (kept !== undefined || owned === undefined || !isMember(owned)) return kept;
  return Array.isArray(value) ? [] : {};
}

function pruneList(schema: Schema, list: readonly unknown[], last: FieldsV1, owned: FieldsV1): unknown {
  const kept: unknown[] = [];
  let changed = false;
  for (const item of list) {
    const element = itemElement(schema, item);
    const before = element === undefined ? undefined : last[element];
    if (element === undefined || before === undefined || schema.items === undefined) {
      kept.push(item);
      continue;
    }
    const now = owned[element];
    if (isMember(before) && !(now !== undefined && isMember(now))) {
      changed = true;
      continue;
    }
    const pruned = pruneField(schema.items, item, before, now);
    if (pruned !== item) changed = true;
    if (pruned !== undefined) kept.push(pruned);
  }
  if (!changed) return list;
  return kept.length === 0 ? undefined : kept;
}
