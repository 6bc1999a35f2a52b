import type { ManagedFieldsEntry } from "../gen/types.js";
import { isJsonObject } from "../json-value.js";
import { parseTimeMs } from "../time.js";
import { type FieldsV1, hasFields, parseFields, unionFields } from "./fields-v1.js";

export type ManagerOperation = "Apply" | "Update";

/** What one manager has, through one operation, version and subresource. */
export interface ManagerFields {
  readonly manager: string;
  readonly operation: ManagerOperation;
  readonly apiVersion: string;
  readonly subresource: string;
  readonly time: string | undefined;
  readonly fields: FieldsV1;
}

/** Managers by identity, in the order of the object's entries. */
export type Managers = ReadonlyMap<string, ManagerFields>;

export const noManagers: Managers = new Map();

type Identity = Pick<ManagerFields, "manager" | "operation" | "apiVersion" | "subresource">;

/** An applier stays the same across versions; an updater is another one at each version. */
export function managerId({ manager, operation, apiVersion, subresource }: Identity): string {
  return JSON.stringify([manager, operation, operation === "Apply" ? "" : apiVersion, subresource]);
}

// Entries are immutable and shared by all versions of an object that they did not change in: each list is read once.
const read = new WeakMap<readonly unknown[], Managers>();

/** Reads metadata.managedFields; undefined when any entry is not as it must be. */
export function parseManagers(entries: unknown): Managers | undefined {
  if (entries === undefined || entries === null) return noManagers;
  if (!Array.isArray(entries)) return undefined;
  const known = read.get(entries);
  if (known !== undefined) return known;
  const managers = new Map<string, ManagerFields>();
  for (const entry of entries) {
    const parsed = parseEntry(entry);
    if (parsed === undefined) return undefined;
    managers.set(managerId(parsed), parsed);
  }
  read.set(entries, managers);
  return managers;
}

function parseEntry(entry: unknown): ManagerFields | undefined {
  if (!isJsonObject(entry)) return undefined;
  const { manager = "", operation, apiVersion, subresource = "", time, fieldsType, fieldsV1 } = entry;
  if (operation !== "Apply" && operation !== "Update") return undefined;
  if (typeof manager !== "string" || typeof subresource !== "string") return undefined;
  if (typeof apiVersion !== "string" || apiVersion === "" || fieldsType !== "FieldsV1") return undefined;
  if (time !== undefined && time !== null && (typeof time !== "string" || parseTimeMs(time) === undefined))
    return undefined;
  const fields = parseFields(fieldsV1 ?? {});
  if (fields === undefined) return undefined;
  return { manager, operation, apiVersion, subresource, time: time ?? undefined, fields };
}

/** An empty list, or one empty entry, asks to forget all managers; an absent list asks for nothing. */
export function isReset(entries: unknown): boolean {
  if (!Array.isArray(entries) || entries.length > 1) return false;
  const [only] = entries;
  return entries.length === 0 || (isJsonObject(only) && Object.keys(only).length === 0);
}

/** The entries as they are stored: appliers first, then by time, name, version and subresource. Managers of nothing are left out. */
export function renderManagers(managers: Managers): readonly ManagedFieldsEntry[] {
  return [...managers.values()]
    .filter(({ fields }) => hasFields(fields))
    .sort(compareManagers)
    .map(rendered);
}

function rendered({ manager, operation, apiVersion, time, fields, subresource }: ManagerFields): ManagedFieldsEntry {
  const entry: { -readonly [K in keyof ManagedFieldsEntry]: ManagedFieldsEntry[K] } = {};
  if (manager !== "") entry.manager = manager;
  entry.operation = operation;
  entry.apiVersion = apiVersion;
  if (time !== undefined) entry.time = time;
  entry.fieldsType = "FieldsV1";
  entry.fieldsV1 = fields;
  if (subresource !== "") entry.subresource = subresource;
  return entry;
}

function compareManagers(a: ManagerFields, b: ManagerFields): number {
  return (
    compareText(a.operation, b.operation) ||
    timeOf(a) - timeOf(b) ||
    compareText(a.manager, b.manager) ||
    compareText(a.apiVersion, b.apiVersion) ||
    compareText(a.subresource, b.subresource)
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function timeOf({ time }: ManagerFields): number {
  return time === undefined ? 0 : (parseTimeMs(time) ?? 0);
}

/** How many updaters an object remembers one by one. */
const maxUpdateManagers = 10;
const ancient = "ancient-changes";

/** Merges the oldest updaters of each version into one entry until there are few enough. Appliers always stay. */
export function capManagers(managers: Managers): Managers {
  const updaters = [...managers].filter(([, { operation }]) => operation === "Update");
  let excess = updaters.length - maxUpdateManagers;
  if (excess <= 0) return managers;
  updaters.sort(([idA, a], [idB, b]) => timeOf(a) - timeOf(b) || compareText(idA, idB));
  const result = new Map(managers);
  const firstOfVersion = new Map<string, string>();
  for (const [id, updater] of updaters) {
    if (excess <= 0) break;
    const { apiVersion } = updater;
    const first = firstOfVersion.get(apiVersion);
    if (first === undefined) {
      firstOfVersion.set(apiVersion, id);
      continue;
    }
    const bucket: Identity = { manager: ancient, operation: "Update", apiVersion, subresource: "" };
    const bucketId = managerId(bucket);
    const gathered = result.get(bucketId) ?? result.get(first);
    if (!result.has(bucketId)) result.delete(first);
    result.delete(id);
    const fields = unionFields(gathered?.fields ?? {}, updater.fields);
    result.set(bucketId, { ...bucket, time: updater.time, fields });
    excess--;
  }
  return result;
}
