import type { ManagedFieldsEntry } from "../gen/types.js";
import type { JsonObject } from "../object.js";
import { deepFreeze } from "../random-objects.fixture.js";
import type { Schema } from "../schema.js";
import { builtinSchema } from "../schema-table.js";
import { isStatusError, type StatusError } from "../status.js";
import { managedFieldsOf } from "./managed-object.js";
import { serverSideApply } from "./server-side-apply.js";
import { updateManagedFields } from "./update.js";

export const deployment: Schema = builtinSchema("apps.v1.Deployment");
export const configMap: Schema = builtinSchema("core.v1.ConfigMap");
export const pod: Schema = builtinSchema("core.v1.Pod");
export const now: string = "2026-01-01T00:00:00Z";
export const later: string = "2026-01-02T00:00:00Z";

export const entriesOf = (object: JsonObject): readonly ManagedFieldsEntry[] =>
  (managedFieldsOf(object) ?? []) as readonly ManagedFieldsEntry[];
export const ownedBy = (object: JsonObject, manager: string): unknown =>
  entriesOf(object).find((entry) => entry.manager === manager)?.fieldsV1;

export interface Who {
  readonly manager?: string;
  readonly force?: boolean;
  readonly schema?: Schema;
  readonly apiVersion?: string;
  readonly now?: string;
}

export function apply(live: JsonObject | undefined, applied: JsonObject, who: Who = {}): JsonObject {
  const { manager = "a", force = false, schema = configMap, apiVersion = "v1" } = who;
  const stored = live === undefined ? undefined : deepFreeze(live);
  return serverSideApply({
    schema,
    live: stored,
    applied: deepFreeze({ apiVersion, ...applied }),
    manager,
    force,
    apiVersion,
    now: who.now ?? now,
  });
}

export function update(old: JsonObject | undefined, object: JsonObject, who: Who = {}): JsonObject {
  const { manager = "u", schema = configMap, apiVersion = "v1" } = who;
  return updateManagedFields({ schema, old, object: deepFreeze(object), manager, apiVersion, now: who.now ?? now });
}

export function refused(action: () => unknown): StatusError {
  try {
    action();
  } catch (error) {
    if (isStatusError(error)) return error;
    throw error;
  }
  throw new Error("was not refused");
}

export const map = (data: Record<string, string>): JsonObject => ({ kind: "ConfigMap", metadata: { name: "m" }, data });
