import { getOwn, isJsonObject, jsonEqual } from "../json-value.js";
import { itemsOf, type JsonSchema } from "./json-schema.js";

/** There is no old value to compare with: a create, or a place that cannot be found again in the old object. */
export const noOld: unique symbol = Symbol("no old value");
export type Old = unknown | typeof noOld;

/** The old value of a field, where there is one. */
export function oldField(old: Old, key: string): Old {
  if (old === noOld || !isJsonObject(old)) return noOld;
  return Object.hasOwn(old, key) ? getOwn(old, key) : noOld;
}

/** Whether the fields below keep their identity from one version to the next. */
export function correlatesFields(schema: JsonSchema): boolean {
  return schema["x-kubernetes-map-type"] !== "atomic";
}

/**
 * Finds the old item of each item of a list: by its keys in a list of type map, and nowhere else, because positions mean nothing in
 * sets and atomic lists.
 */
export function oldItems(schema: JsonSchema, old: Old): (item: unknown) => Old {
  const keys = schema["x-kubernetes-list-map-keys"];
  if (old === noOld || !Array.isArray(old) || schema["x-kubernetes-list-type"] !== "map" || keys === undefined) {
    return () => noOld;
  }
  const byKey = new Map<string, unknown>();
  const twice = new Set<string>();
  const identity = itemIdentity(schema, keys);
  for (const item of old) {
    const id = identity(item);
    if (id === undefined) continue;
    if (byKey.has(id)) twice.add(id);
    byKey.set(id, item);
  }
  return (item) => {
    const id = identity(item);
    return id === undefined || twice.has(id) || !byKey.has(id) ? noOld : byKey.get(id);
  };
}

/** What tells the items of a list-map apart; a missing key counts with its default. */
export function itemIdentity(schema: JsonSchema, keys: readonly string[]): (item: unknown) => string | undefined {
  const properties = itemsOf(schema)?.properties ?? {};
  const defaults = keys.map((key) => (Object.hasOwn(properties, key) ? properties[key]?.default : undefined));
  const [only = ""] = keys;
  return (item) => {
    if (!isJsonObject(item)) return undefined;
    const first = keys.length === 1 ? getOwn(item, only) : undefined;
    if (typeof first === "string") return `"${first}`;
    return JSON.stringify(keys.map((key, index) => getOwn(item, key) ?? defaults[index] ?? null));
  };
}

/** Whether a value is what it was before, so that nobody is to blame for it now. */
export function unchanged(value: unknown, old: Old): boolean {
  return old !== noOld && jsonEqual(value, old);
}
