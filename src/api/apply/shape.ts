import { isJsonObject } from "../json-value.js";
import type { Schema } from "../schema.js";
import { keyElement } from "./fields-v1.js";

/** How apply sees a value: as one, or field by field, or item by item. */
export type Shape = "leaf" | "map" | "listMap" | "set";

/** What has no schema: objects are taken field by field, everything else as one. */
export const deduced: Schema = { type: "object", preserveUnknown: true };

export function shapeOf(schema: Schema, a: unknown, b: unknown): Shape {
  if (schema.type === "object") {
    if (schema.mapType === "atomic") return "leaf";
    const fits = (value: unknown): boolean => value === undefined || value === null || isJsonObject(value);
    return fits(a) && fits(b) && (isJsonObject(a) || isJsonObject(b)) ? "map" : "leaf";
  }
  if (schema.type !== "array" || schema.items === undefined) return "leaf";
  const fits = (value: unknown): boolean => value === undefined || value === null || Array.isArray(value);
  if (!fits(a) || !fits(b)) return "leaf";
  if (schema.listType === "set") return "set";
  return schema.listType === "map" && (schema.listMapKeys?.length ?? 0) > 0 ? "listMap" : "leaf";
}

/** What may hold any JSON, and has no fields to look at. */
export function isUntyped(schema: Schema): boolean {
  return schema.type === "any" || schema === deduced;
}

/** The schema of a field; undefined for one that the object does not have. */
export function fieldSchema(schema: Schema, key: string): Schema | undefined {
  return schema.properties?.get(key) ?? schema.additional ?? (schema.preserveUnknown ? deduced : undefined);
}

/** Whether a key names a field of a struct, rather than an entry of a map with free keys. */
export function isNamedField(schema: Schema, key: string): boolean {
  return schema.properties?.has(key) ?? false;
}

/**
 * Go writes fields that are structs, and lists without omitempty, even where they are empty, so they never come to be:
 * nobody gets to own the `spec` of a built-in kind by setting something in it. Custom resources have no structs.
 */
export function isAlwaysPresent(schema: Schema, key: string): boolean {
  const field = schema.properties?.get(key);
  if (field === undefined || schema.name === undefined) return false;
  if (field.type === "array") return schema.required?.includes(key) === true;
  if (field.type !== "object" || field.name === undefined) return false;
  return structFields.has(key) || schema.required?.includes(key) === true;
}

const structFields = new Set(["metadata", "spec", "status", "template", "strategy", "updateStrategy", "jobTemplate"]);

/** The path element of an item; undefined when it lacks a key that has no default. */
export function itemElement(schema: Schema, item: unknown): string | undefined {
  if (schema.listType === "set") {
    return typeof item === "object" && item !== null ? undefined : `v:${JSON.stringify(item)}`;
  }
  if (!isJsonObject(item)) return undefined;
  const names = schema.listMapKeys ?? [];
  const [first] = names;
  if (names.length === 1 && first !== undefined) {
    const value = keyValue(schema, item, first);
    return value === undefined ? undefined : `k:{${JSON.stringify(first)}:${JSON.stringify(value)}}`;
  }
  const keys: { [key: string]: unknown } = {};
  for (const name of names) {
    const value = keyValue(schema, item, name);
    if (value === undefined) return undefined;
    keys[name] = value;
  }
  return keyElement(keys);
}

function keyValue(schema: Schema, item: { readonly [key: string]: unknown }, name: string): unknown {
  const value = Object.hasOwn(item, name) ? item[name] : undefined;
  if (value !== undefined && value !== null) return value;
  return schema.items?.properties?.get(name)?.default;
}

/** The first key that an item lacks. */
export function missingKey(schema: Schema, item: unknown): string | undefined {
  return schema.listMapKeys?.find((name) => !isJsonObject(item) || keyValue(schema, item, name) === undefined);
}

/** The items of a list by their element; undefined when one has none. Items with the same element are kept together. */
export function itemsByElement(
  schema: Schema,
  list: readonly unknown[],
): ReadonlyMap<string, readonly unknown[]> | undefined {
  const found = new Map<string, unknown[]>();
  for (const item of list) {
    const element = itemElement(schema, item);
    if (element === undefined) return undefined;
    const same = found.get(element);
    if (same === undefined) found.set(element, [item]);
    else same.push(item);
  }
  return found;
}
