import { isJsonObject, type MutableJsonObject, setOwn } from "../json-value.js";
import type { Schema } from "../schema.js";

/** Whether a schema sets anything that is missing. */
export function hasDefaults(schema: Schema, seen: Set<Schema> = new Set()): boolean {
  if (seen.has(schema)) return false;
  seen.add(schema);
  if (schema.items !== undefined && (schema.items.default !== undefined || hasDefaults(schema.items, seen)))
    return true;
  const { additional } = schema;
  if (additional !== undefined && (additional.default !== undefined || hasDefaults(additional, seen))) return true;
  for (const property of schema.properties?.values() ?? []) {
    if (property.default !== undefined || hasDefaults(property, seen)) return true;
  }
  return false;
}

/**
 * Sets what is missing and has a default; a null where null is not allowed counts as missing. Objects that are missing and
 * have no default themselves stay missing. Gives the value itself when nothing was to change.
 */
export function applyDefaults(schema: Schema, value: unknown): unknown {
  if (Array.isArray(value)) return schema.items === undefined ? value : mapItems(schema.items, value);
  if (!isJsonObject(value)) return value;
  let result: MutableJsonObject | undefined;
  const set = (key: string, next: unknown): void => {
    result ??= { ...value };
    setOwn(result, key, next);
  };
  for (const [name, property] of schema.properties ?? []) {
    const present = Object.hasOwn(value, name);
    const current = present ? value[name] : undefined;
    const missing = !present || current === undefined || (current === null && property.nullable !== true);
    if (missing && property.default !== undefined) set(name, applyDefaults(property, property.default));
    else if (present) {
      const next = applyDefaults(property, current);
      if (next !== current) set(name, next);
    }
  }
  const { additional } = schema;
  if (additional !== undefined) {
    for (const key of Object.keys(value)) {
      if (schema.properties?.has(key)) continue;
      const current = value[key];
      const isDefault = current === null && additional.nullable !== true && additional.default !== undefined;
      const next = applyDefaults(additional, isDefault ? additional.default : current);
      if (next !== current) set(key, next);
    }
  }
  return result ?? value;
}

function mapItems(items: Schema, list: readonly unknown[]): readonly unknown[] {
  let result: unknown[] | undefined;
  list.forEach((item, index) => {
    const isDefault = item === null && items.nullable !== true && items.default !== undefined;
    const next = applyDefaults(items, isDefault ? items.default : item);
    if (next === item) return;
    result ??= [...list];
    result[index] = next;
  });
  return result ?? list;
}
