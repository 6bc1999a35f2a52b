import type { JsonObject } from "../../api/index.js";

/** `object` without some of its fields; itself when it has none of them. */
export function without(object: JsonObject, ...fields: readonly string[]): JsonObject {
  if (!fields.some((field) => Object.hasOwn(object, field))) return object;
  const copy: Record<string, unknown> = { ...object };
  for (const field of fields) delete copy[field];
  return copy;
}

/** `object` with `field` as in `other`, absent where it is absent there. */
export function withFieldOf(object: JsonObject, field: string, other: JsonObject): JsonObject {
  const value = other[field];
  if (object[field] === value) return object;
  return value === undefined ? without(object, field) : { ...object, [field]: value };
}

/** The value at a dotted path of plain field names. */
export function valueAt(object: JsonObject, path: string): unknown {
  let value: unknown = object;
  for (const field of path.replace(/^\./, "").split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, field)) return undefined;
    value = (value as JsonObject)[field];
  }
  return value;
}

/** `object` with another value at a dotted path of plain field names; only the path is copied. */
export function withValueAt(object: JsonObject, path: string, value: unknown): JsonObject {
  const [field = "", ...rest] = path.replace(/^\./, "").split(".");
  if (rest.length === 0) return { ...object, [field]: value };
  const inner = Object.hasOwn(object, field) ? object[field] : undefined;
  const next = typeof inner === "object" && inner !== null ? (inner as JsonObject) : {};
  return { ...object, [field]: withValueAt(next, rest.join("."), value) };
}

/** `object` with the value at a dotted path as in `other`, absent where it is absent there. */
export function withPathOf(object: JsonObject, path: string, other: JsonObject): JsonObject {
  const dot = path.indexOf(".");
  if (dot < 0) return withFieldOf(object, path, other);
  const field = path.slice(0, dot);
  const rest = path.slice(dot + 1);
  const inner = withPathOf(child(object, field), rest, child(other, field));
  return Object.keys(inner).length === 0 && !Object.hasOwn(object, field) ? object : { ...object, [field]: inner };
}

function child(object: JsonObject, field: string): JsonObject {
  const value = Object.hasOwn(object, field) ? object[field] : undefined;
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}
