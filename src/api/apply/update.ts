import { jsonEqual } from "../json-value.js";
import type { JsonObject } from "../object.js";
import type { Schema } from "../schema.js";
import { type Comparison, compareObjects } from "./compare.js";
import {
  differenceFields,
  type FieldsV1,
  hasFields,
  noFields,
  recursiveDifferenceFields,
  unionFields,
} from "./fields-v1.js";
import { managedFieldsOf, managersOf, withEntries, withManagers } from "./managed-object.js";
import { capManagers, isReset, type ManagerFields, type Managers, managerId, parseManagers } from "./managers.js";

export interface UpdateManagersOptions {
  readonly schema: Schema;
  /** The stored object; absent for a create. */
  readonly old?: JsonObject | undefined;
  /** The object about to be stored. */
  readonly object: JsonObject;
  /** Who writes: the fieldManager parameter, or the first word of the user agent. Empty: `unknown`. */
  readonly manager: string;
  readonly apiVersion: string;
  readonly subresource?: string | undefined;
  /** RFC 3339, seconds. */
  readonly now: string;
  /** Fields that this endpoint does not write, and whose writer therefore owns nothing of them. */
  readonly resetFields?: FieldsV1 | undefined;
}

/**
 * Writes down who changed what, for every write but an apply: the writer gets what it added or changed, and all others lose
 * that and what was removed. Managers that the object itself brings are taken over where they can be read, those of
 * `old` count otherwise and always for subresources. An object without managers stays so until somebody applies it. Gives back `old`
 * itself when nothing but times would change.
 */
export function updateManagedFields(options: UpdateManagersOptions): JsonObject {
  const { schema, old, object, subresource = "" } = options;
  const given = managedFieldsOf(object);
  if (old !== undefined && subresource === "" && isReset(given)) return withEntries(object, undefined);
  const managers = startingManagers(old, given, subresource);
  if (old !== undefined && managers.size === 0) return withEntries(object, undefined);
  const comparison = compareObjects(schema, old ?? {}, object);
  const updated = comparison.same ? managers : recordUpdate(managers, comparison, options);
  return withManagers(object, capManagers(updated), old);
}

function startingManagers(old: JsonObject | undefined, given: unknown, subresource: string): Managers {
  if (old !== undefined && (subresource !== "" || jsonEqual(given, managedFieldsOf(old)))) return managersOf(old);
  const brought = parseManagers(given);
  return brought === undefined || brought.size === 0 ? managersOf(old) : brought;
}

/** The managers after an update by one of them. */
export function recordUpdate(
  managers: Managers,
  comparison: Comparison,
  options: Pick<UpdateManagersOptions, "manager" | "apiVersion" | "subresource" | "now" | "resetFields">,
): Managers {
  const { apiVersion, now, resetFields } = options;
  const changed = unionFields(comparison.added, comparison.modified);
  const touched = unionFields(changed, comparison.removed);
  const result = new Map<string, ManagerFields>();
  for (const [id, entry] of managers) {
    const fields = differenceFields(entry.fields, touched);
    if (hasFields(fields)) result.set(id, fields === entry.fields ? entry : { ...entry, fields });
  }
  const taken = resetFields === undefined ? changed : recursiveDifferenceFields(changed, resetFields);
  if (!hasFields(taken)) return result;
  const self = {
    manager: options.manager === "" ? "unknown" : options.manager,
    operation: "Update",
    apiVersion,
    subresource: options.subresource ?? "",
  } as const;
  const id = managerId(self);
  const fields = unionFields(result.get(id)?.fields ?? noFields, taken);
  result.set(id, { ...self, time: now, fields });
  return result;
}
