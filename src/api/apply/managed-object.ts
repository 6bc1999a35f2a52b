import { isJsonObject, jsonEqual } from "../json-value.js";
import type { JsonObject } from "../object.js";
import { equalFields } from "./fields-v1.js";
import { type Managers, noManagers, parseManagers, renderManagers } from "./managers.js";

export function managedFieldsOf(object: JsonObject | undefined): unknown {
  const metadata = object?.metadata;
  return isJsonObject(metadata) ? metadata.managedFields : undefined;
}

/** The managers of a stored object; none when its entries cannot be read. */
export function managersOf(object: JsonObject | undefined): Managers {
  return parseManagers(managedFieldsOf(object)) ?? noManagers;
}

export function withoutManagedFields(object: JsonObject): JsonObject {
  const { metadata } = object;
  if (!isJsonObject(metadata) || !Object.hasOwn(metadata, "managedFields")) return object;
  const { managedFields: _, ...kept } = metadata;
  return { ...object, metadata: kept };
}

/** The object with exactly these entries; itself when it has that very list. */
export function withEntries(object: JsonObject, entries: unknown): JsonObject {
  const metadata = isJsonObject(object.metadata) ? object.metadata : {};
  if (metadata.managedFields === entries) return object;
  if (entries === undefined) return withoutManagedFields(object);
  return { ...object, metadata: { ...metadata, managedFields: entries } };
}

/**
 * The object with its managers written. Times alone are no change: when `before` has the same content and managers, the
 * result is `before` itself.
 */
export function withManagers(object: JsonObject, managers: Managers, before: JsonObject | undefined): JsonObject {
  const old = before === undefined ? noManagers : managersOf(before);
  if (before !== undefined && sameManagers(managers, old)) {
    const kept = withEntries(object, managedFieldsOf(before));
    if (sameTop(kept, before)) return before;
    // Something else changed, so times may; where they did not, the stored list is shared.
    if (sameTimes(managers, old)) return kept;
  }
  const entries = renderManagers(managers);
  return withEntries(object, entries.length === 0 ? undefined : entries);
}

/** `before` itself when the object differs from it in nothing but the times of its managers. */
export function ignoreTimes(object: JsonObject, before: JsonObject): JsonObject {
  const entries = managedFieldsOf(object);
  if (entries === managedFieldsOf(before) || !sameTop(withoutManagedFields(object), withoutManagedFields(before))) {
    return object;
  }
  return sameManagers(managersOf(object), managersOf(before)) ? before : object;
}

function sameManagers(a: Managers, b: Managers): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const [id, { fields, apiVersion }] of a) {
    const other = b.get(id);
    if (other === undefined || other.apiVersion !== apiVersion || !equalFields(fields, other.fields)) return false;
  }
  return true;
}

function sameTimes(a: Managers, b: Managers): boolean {
  for (const [id, { time }] of a) if (b.get(id)?.time !== time) return false;
  return true;
}

function sameTop(a: JsonObject, b: JsonObject): boolean {
  return jsonEqual(a, b);
}
