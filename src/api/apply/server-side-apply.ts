import { isJsonObject } from "../json-value.js";
import type { JsonObject } from "../object.js";
import { parseApiVersion } from "../resource-type.js";
import type { Schema } from "../schema.js";
import { type StatusError, statusErrors } from "../status.js";
import { checkApplied } from "./check-applied.js";
import { compareObjects } from "./compare.js";
import { type Conflict, conflictError, findConflicts } from "./conflicts.js";
import { extractSet } from "./extract.js";
import {
  differenceFields,
  equalFields,
  type FieldsV1,
  hasFields,
  noFields,
  recursiveDifferenceFields,
  unionFields,
} from "./fields-v1.js";
import { lastAppliedFields, setLastApplied } from "./last-applied.js";
import { managedFieldsOf, managersOf, withManagers } from "./managed-object.js";
import { type ManagerFields, type Managers, managerId } from "./managers.js";
import { mergeApplied } from "./merge.js";
import { pruneApplied } from "./prune.js";
import { recordUpdate } from "./update.js";

export interface ApplyOptions {
  readonly schema: Schema;
  /** The stored object; absent when the apply creates it. */
  readonly live?: JsonObject | undefined;
  /** What the manager wants, as it was written. */
  readonly applied: JsonObject;
  /** Makes of the merged object what its kind has it as: defaults set, quantities in canonical form. Absent: it is taken as it is. */
  readonly settle?: ((merged: JsonObject) => JsonObject) | undefined;
  readonly manager: string;
  /** Whether to take over what others have. */
  readonly force: boolean;
  /** The version of the request, as `group/version`. */
  readonly apiVersion: string;
  readonly subresource?: string | undefined;
  /** RFC 3339, seconds. */
  readonly now: string;
  /** Fields that this endpoint does not write, and whose applier therefore owns nothing of them. */
  readonly resetFields?: FieldsV1 | undefined;
}

/**
 * Server-side apply: lays what the manager applies over the live object, takes away what it applied before and nobody else has,
 * and writes down who has what. The result is `live` itself when nothing changes. Throws StatusError: 409 with a cause for
 * each field that another manager has otherwise, 400 for what may not be applied, 500 (as upstream) for an object that does
 * not fit its schema.
 */
export function serverSideApply(options: ApplyOptions): JsonObject {
  const { schema, live, applied, manager } = options;
  checkHeader(options);
  const errors = checkApplied(schema, applied);
  if (errors.length > 0) throw typedError(applied, errors);
  const fields = extractSet(schema, applied);
  const managers = live === undefined ? managersOf(undefined) : managersBeforeApply(options, live);
  const set = options.resetFields === undefined ? fields : recursiveDifferenceFields(fields, options.resetFields);
  const context: ApplyContext = { options, managers, set };
  let outcome = tryApply(context, options.force);
  if (outcome.conflicts.length > 0 && manager === "kubectl" && live !== undefined) {
    outcome = forgiveLastApplied(context, live, outcome);
  }
  if (outcome.conflicts.length > 0) throw conflictError(outcome.conflicts);
  const merged = options.settle?.(outcome.object) ?? outcome.object;
  const object = manager === "kubectl" && live !== undefined ? setLastApplied(live, merged, applied) : merged;
  return withManagers(object, outcome.managers, live);
}

interface ApplyContext {
  readonly options: ApplyOptions;
  readonly managers: Managers;
  /** What is applied. */
  readonly set: FieldsV1;
}

// The server's own part of the metadata has no owner, and never goes.
const alwaysOwned: FieldsV1 = { "f:metadata": {} };

interface Outcome {
  readonly object: JsonObject;
  readonly managers: Managers;
  readonly conflicts: readonly Conflict[];
}

function tryApply({ options, managers, set }: ApplyContext, force: boolean): Outcome {
  const { schema, live, applied, manager, apiVersion, subresource = "", now, resetFields } = options;
  const self = { manager, operation: "Apply", apiVersion, subresource } as const;
  const id = managerId(self);
  const last = managers.get(id)?.fields ?? noFields;
  const unchanged = equalFields(set, last);
  let object = mergeApplied(schema, live ?? {}, applied) as JsonObject;
  if (!unchanged && hasFields(last)) {
    let owned = unionFields(set, alwaysOwned);
    for (const [other, entry] of managers) if (other !== id) owned = unionFields(owned, entry.fields);
    object = pruneApplied(schema, object, last, owned);
  }
  const comparison = compareObjects(schema, live ?? {}, object);
  const written = (fields: FieldsV1): FieldsV1 =>
    resetFields === undefined ? fields : recursiveDifferenceFields(fields, resetFields);
  const changed = written(unionFields(comparison.added, comparison.modified));
  const conflicts = comparison.same ? [] : findConflicts(managers, id, changed);
  if (conflicts.length > 0 && !force) return { object, managers, conflicts };
  const touched = unionFields(changed, written(comparison.removed));
  const result = new Map<string, ManagerFields>();
  for (const [other, entry] of managers) {
    if (other === id) continue;
    const fields = comparison.same ? entry.fields : differenceFields(entry.fields, touched);
    if (hasFields(fields)) result.set(other, fields === entry.fields ? entry : { ...entry, fields });
  }
  if (hasFields(set)) result.set(id, { ...self, time: now, fields: unchanged ? last : set });
  return { object, managers: result, conflicts: [] };
}

/** What was there before anybody applied has an owner too, so that the first apply can conflict with it. */
function managersBeforeApply(options: ApplyOptions, live: JsonObject): Managers {
  const managers = managersOf(live);
  if (managers.size > 0) return managers;
  const { schema, apiVersion, now } = options;
  return recordUpdate(managers, compareObjects(schema, {}, live), { manager: "before-first-apply", apiVersion, now });
}

/** kubectl may take over, without force, what its own client-side apply has set and nobody has changed since. */
function forgiveLastApplied(context: ApplyContext, live: JsonObject, outcome: Outcome): Outcome {
  const allowed = lastAppliedFields(context.options.schema, live);
  const left = outcome.conflicts.filter(({ path }) => !allowed.has(path.join("\n")));
  return left.length > 0 ? { ...outcome, conflicts: left } : tryApply(context, true);
}

function checkHeader({ applied, apiVersion }: ApplyOptions): void {
  const version = applied.apiVersion;
  if (version !== apiVersion) {
    throw statusErrors.badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${String(version ?? "")}, expected: ${apiVersion}`,
    );
  }
  const entries = managedFieldsOf(applied);
  if (entries !== undefined && entries !== null) {
    throw statusErrors.badRequest("metadata.managedFields must be nil");
  }
}

function typedError(applied: JsonObject, errors: readonly string[]): StatusError {
  const why = errors.length === 1 ? errors[0] : `errors:\n${errors.map((error) => `  ${error}`).join("\n")}`;
  return statusErrors.unclassified(`failed to create typed patch object (${describeObject(applied)}): ${why}`);
}

/** An object in messages: `default/web; apps/v1, Kind=Deployment`. */
export function describeObject(object: JsonObject): string {
  const metadata = isJsonObject(object.metadata) ? object.metadata : {};
  const { group, version } = parseApiVersion(String(object.apiVersion ?? ""));
  return `${String(metadata.namespace ?? "")}/${String(metadata.name ?? "")}; ${group}/${version}, Kind=${String(object.kind ?? "")}`;
}
