import { isJsonObject } from "./strategy.js";

/** Fields whose value has keys of the user's choosing: there, a key with an empty value is not the same as no key. */
const freeKeyed: ReadonlySet<string> = new Set([
  "labels",
  "annotations",
  "matchLabels",
  "nodeSelector",
  "selector",
  "data",
  "binaryData",
  "stringData",
  "limits",
  "requests",
  "overhead",
  "capacity",
  "allocatable",
  "parameters",
  "volumeAttributes",
  "options",
  "hard",
]);

/**
 * Whether two values mean the same to the API. A field that is absent equals one that is null, "", 0, false, [] or {}, because
 * upstream's typed objects do not keep the difference for most fields.
 */
export function semanticallyEqual(a: unknown, b: unknown, strictKeys = false): boolean {
  if (a === b) return true;
  if (!strictKeys && isZero(a) && isZero(b)) return true;
  if (strictKeys && isEmptyContainer(a) && isEmptyContainer(b)) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => semanticallyEqual(item, b[index]));
  }
  if (!isJsonObject(a)) return isJsonObject(b) && !strictKeys && isZero(a) && fieldsEqual({}, b, false);
  if (!isJsonObject(b)) return !strictKeys && isZero(b) && fieldsEqual(a, {}, false);
  return fieldsEqual(a, b, strictKeys);
}

function fieldsEqual(
  a: { readonly [key: string]: unknown },
  b: { readonly [key: string]: unknown },
  strictKeys: boolean,
): boolean {
  for (const key of Object.keys(a)) {
    const other = Object.hasOwn(b, key) ? b[key] : undefined;
    if (strictKeys && other === undefined && a[key] !== undefined && !isEmptyContainer(a[key])) return false;
    if (!semanticallyEqual(a[key], other, freeKeyed.has(key))) return false;
  }
  for (const key of Object.keys(b)) {
    if (Object.hasOwn(a, key)) continue;
    if (strictKeys && !isEmptyContainer(b[key])) return false;
    if (!semanticallyEqual(undefined, b[key], freeKeyed.has(key))) return false;
  }
  return true;
}

function isZero(value: unknown): boolean {
  return value === "" || value === 0 || value === false || isEmptyContainer(value);
}

/** Absent, [] or {}. */
function isEmptyContainer(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isJsonObject(value) && Object.keys(value).length === 0;
}
