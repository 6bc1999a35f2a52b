import { isJsonObject, maxDepth } from "../json-value.js";

/**
 * A set of field paths in the very form of metadata.managedFields: keys are path elements (`f:name`, `k:{"name":"x"}`,
 * `v:"x"`, `i:0`), `{}` is a member, a member with members below has `.`. The outermost object is the set and no member itself.
 * Immutable: operations share what does not change and give back their first operand when nothing does.
 */
export interface FieldsV1 {
  readonly [element: string]: FieldsV1;
}

export type MutableFields = { [element: string]: MutableFields };

export const noFields: FieldsV1 = Object.freeze({});
const self = ".";

export function hasFields(set: FieldsV1): boolean {
  for (const element in set) if (element !== "") return true;
  return false;
}

/** Whether a node below the root is itself in the set. */
export function isMember(node: FieldsV1): boolean {
  return Object.hasOwn(node, self) || !hasFields(node);
}

export function unionFields(a: FieldsV1, b: FieldsV1): FieldsV1 {
  return a === b || !hasFields(b) ? a : !hasFields(a) ? b : unite(a, b, false);
}

function unite(a: FieldsV1, b: FieldsV1, member: boolean): FieldsV1 {
  if (a === b) return a;
  let result: MutableFields | undefined;
  for (const element in b) {
    const theirs = b[element];
    if (element === self || theirs === undefined) continue;
    const ours = a[element];
    const child = ours === undefined ? theirs : unite(ours, theirs, isMember(ours) || isMember(theirs));
    if (child === ours) continue;
    result ??= { ...a };
    result[element] = child as MutableFields;
  }
  const base = result ?? a;
  if (!member || Object.hasOwn(base, self) || !hasFields(base)) return base;
  return { [self]: {}, ...base };
}

/** What is in `a` and not in `b`, member by member: taking away a member leaves those below it. */
export function differenceFields(a: FieldsV1, b: FieldsV1): FieldsV1 {
  return a === b ? noFields : (subtract(a, b, false, false) ?? noFields);
}

function subtract(a: FieldsV1, b: FieldsV1, member: boolean, removed: boolean): FieldsV1 | undefined {
  let result: MutableFields | undefined;
  for (const element in b) {
    const ours = a[element];
    const theirs = b[element];
    if (element === self || ours === undefined || theirs === undefined) continue;
    const child = subtract(ours, theirs, isMember(ours), isMember(theirs));
    if (child === ours) continue;
    result ??= { ...a };
    if (child === undefined) delete result[element];
    else result[element] = child as MutableFields;
  }
  const keep = member && !removed;
  if (result === undefined && keep === member) return a;
  result ??= { ...a };
  delete result[self];
  if (!hasFields(result)) return keep ? {} : undefined;
  return keep ? { [self]: {}, ...result } : result;
}

/** What is in `a` and neither in `b` nor below a member of it. */
export function recursiveDifferenceFields(a: FieldsV1, b: FieldsV1): FieldsV1 {
  return subtractTrees(a, b, false) ?? noFields;
}

function subtractTrees(a: FieldsV1, b: FieldsV1, member: boolean): FieldsV1 | undefined {
  let result: MutableFields | undefined;
  for (const element in b) {
    const ours = a[element];
    const theirs = b[element];
    if (element === self || ours === undefined || theirs === undefined) continue;
    const child = isMember(theirs) ? undefined : subtractTrees(ours, theirs, isMember(ours));
    if (child === ours) continue;
    result ??= { ...a };
    if (child === undefined) delete result[element];
    else result[element] = child as MutableFields;
  }
  if (result === undefined) return a;
  const below = Object.keys(result).some((element) => element !== self);
  return below ? result : member ? {} : undefined;
}

export function intersectFields(a: FieldsV1, b: FieldsV1): FieldsV1 {
  return a === b ? a : (intersect(a, b, false) ?? noFields);
}

function intersect(a: FieldsV1, b: FieldsV1, member: boolean): FieldsV1 | undefined {
  const result: MutableFields = {};
  let below = false;
  for (const element in b) {
    const ours = a[element];
    const theirs = b[element];
    if (element === self || ours === undefined || theirs === undefined) continue;
    const child = intersect(ours, theirs, isMember(ours) && isMember(theirs));
    if (child === undefined) continue;
    below = true;
    result[element] = child as MutableFields;
  }
  if (!below) return member ? {} : undefined;
  return member ? { [self]: {}, ...result } : result;
}

/** Whether two sets have the same members; the order of elements does not count. */
export function equalFields(a: FieldsV1, b: FieldsV1): boolean {
  if (a === b) return true;
  let count = 0;
  for (const element in a) {
    const ours = a[element];
    const theirs = Object.hasOwn(b, element) ? b[element] : undefined;
    if (ours === undefined || theirs === undefined || !equalFields(ours, theirs)) return false;
    count++;
  }
  for (const _ in b) count--;
  return count === 0;
}

/** Every member as its path of elements, in canonical order. */
export function* memberPaths(set: FieldsV1, prefix: readonly string[] = []): Generator<readonly string[]> {
  for (const element of Object.keys(set).sort(compareElements)) {
    const child = set[element];
    if (element === self || child === undefined) continue;
    const path = [...prefix, element];
    if (isMember(child)) yield path;
    yield* memberPaths(child, path);
  }
}

/** As conflicts show it: `.spec.containers[name="web"].image`. */
export function pathText(path: readonly string[]): string {
  return path.map(elementText).join("");
}

function elementText(element: string): string {
  const body = element.slice(2);
  switch (element[0]) {
    case "f":
      return `.${body}`;
    case "v":
      return `[=${body}]`;
    case "k": {
      const keys = JSON.parse(body) as Record<string, unknown>;
      return `[${Object.keys(keys)
        .sort()
        .map((key) => `${key}=${JSON.stringify(keys[key])}`)
        .join(",")}]`;
    }
    default:
      return `[${body}]`;
  }
}

const ranks = new Map([
  [".", 0],
  ["f", 1],
  ["k", 2],
  ["v", 3],
  ["i", 4],
]);

function compareElements(a: string, b: string): number {
  const rank = (ranks.get(a[0] ?? "") ?? 5) - (ranks.get(b[0] ?? "") ?? 5);
  return rank !== 0 ? rank : a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Reads what claims to be a FieldsV1, with the keys of list items in canonical form. Undefined for what is none, or nests
 * too deep.
 */
export function parseFields(raw: unknown, depth = 0): FieldsV1 | undefined {
  if (!isJsonObject(raw) || depth > maxDepth) return undefined;
  let result: MutableFields | undefined;
  for (const element of Object.keys(raw)) {
    const canonical = canonicalElement(element);
    if (canonical === undefined) return undefined;
    const child = parseFields(raw[element], depth + 1);
    if (child === undefined) return undefined;
    if (canonical === element && child === raw[element]) continue;
    result ??= { ...raw } as MutableFields;
    if (canonical !== element) delete result[element];
    result[canonical] = child as MutableFields;
  }
  return result ?? (raw as FieldsV1);
}

function canonicalElement(element: string): string | undefined {
  if (element === self) return element;
  if (element[1] !== ":") return undefined;
  switch (element[0]) {
    case "f":
      return element;
    case "i":
      return /^i:[0-9]{1,9}$/.test(element) ? element : undefined;
    case "k":
    case "v":
      return canonicalJsonElement(element);
    default:
      return undefined;
  }
}

function canonicalJsonElement(element: string): string | undefined {
  try {
    const value: unknown = JSON.parse(element.slice(2));
    if (element[0] === "v") return typeof value === "object" && value !== null ? undefined : element;
    return isJsonObject(value) ? keyElement(value) : undefined;
  } catch {
    return undefined;
  }
}

/** The element of a list item by its keys, sorted by name. */
export function keyElement(keys: { readonly [key: string]: unknown }): string {
  const parts = Object.keys(keys)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${JSON.stringify(keys[key])}`);
  return `k:{${parts.join(",")}}`;
}
