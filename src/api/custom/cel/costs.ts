import { SchemaObject } from "./schema-object.js";

/** Upstream's figures: a character costs a tenth of a step, one of a regular expression a quarter. */
const perCharacter = 0.1;
const perRegexCharacter = 0.25;
/** Of ours: what a list costs, for each item, that is made of two others. */
const perJoinedItem = 0.01;

/** How big a value is: the characters of a text, the items of a list or map; 1 for everything else. */
export function sizeOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 1;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length;
  return value instanceof Map ? value.size : 1;
}

/** To go through a text some times. */
function traversal(value: unknown, times = 1): number {
  return Math.ceil(sizeOf(value) * times * perCharacter);
}

/** To go through a text with a regular expression. */
function regexTraversal(text: unknown, pattern: unknown): number {
  return Math.ceil((1 + sizeOf(text)) * perCharacter) * Math.ceil(sizeOf(pattern) * perRegexCharacter);
}

/** Of `==` and `<`. Upstream counts the length of the shorter; that of what is within is ours, because somebody must look at it. */
export function comparisonCost(a: unknown, b: unknown, most: number): number {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null || a === b) {
    return Math.ceil(Math.min(sizeOf(a), sizeOf(b)) * perCharacter);
  }
  return Math.ceil(deepSize(a, most / perCharacter) * perCharacter);
}

/** How many values there are in one, but not much more than `most`. */
function deepSize(value: unknown, most: number): number {
  let size = 0;
  const open: unknown[] = [value];
  while (open.length > 0 && size <= most) {
    const next = open.pop();
    size += typeof next === "string" ? next.length : 1;
    if (typeof next !== "object" || next === null) continue;
    if (next instanceof Uint8Array) size += next.length;
    else for (const inner of innerOf(next)) open.push(inner);
  }
  return size;
}

function innerOf(value: object): Iterable<unknown> {
  if (value instanceof SchemaObject) return SchemaObject.jsonValues(value);
  return Array.isArray(value) ? value : value instanceof Map ? value.values() : Object.values(value);
}

/** Of `in`. */
export function membershipCost(range: unknown): number {
  return Array.isArray(range) ? range.length : 1;
}

/** Of `+`. */
export function concatenationCost(a: unknown, b: unknown): number {
  if (typeof a === "string" || a instanceof Uint8Array) return Math.ceil((sizeOf(a) + sizeOf(b)) * perCharacter);
  return Array.isArray(a) ? 1 + Math.floor((a.length + sizeOf(b)) * perJoinedItem) : 1;
}

/** To go through everything in a list once: one for each item, or a tenth of each character. */
function listTraversal(value: unknown): number {
  if (typeof value === "string") return Math.floor(value.length * perCharacter);
  if (typeof value !== "object" || value === null) return 1;
  let cost = 0;
  for (const inner of innerOf(value)) cost += listTraversal(inner);
  return cost;
}

/** To compare every item of one list with every item of another. */
function product(a: unknown, b: unknown): number {
  return 1 + sizeOf(a) * sizeOf(b) * weightOf(Array.isArray(a) ? a[0] : undefined);
}

/** What comparing one item may take, by the first. Upstream counts one, whatever it is. */
function weightOf(first: unknown): number {
  return Math.max(
    1,
    typeof first === "object" && first !== null ? deepSize(first, 1e6) * perCharacter : traversal(first),
  );
}

const addressBytes = 16;

/** What a call costs, by the function's name; the receiver comes first. One for everything that has no figure of its own. */
export function callCost(name: string, values: readonly unknown[]): number {
  const [first, second, third] = values;
  switch (name) {
    case "optionalElement":
      return 0;
    case "isSorted":
    case "sum":
    case "max":
    case "min":
    case "indexOf":
    case "lastIndexOf":
      return listTraversal(first);
    case "startsWith":
    case "endsWith":
    case "quote":
      return traversal(second);
    case "bytes":
    case "string":
    case "format":
    case "charAt":
    case "url":
    case "lowerAscii":
    case "upperAscii":
    case "substring":
    case "trim":
    case "cidr":
    case "isIP":
    case "isCIDR":
    case "quantity":
    case "isQuantity":
    case "semver":
    case "isSemver":
      return Math.max(1, typeof first === "string" ? traversal(first) : Array.isArray(first) ? first.length : 1);
    case "ip":
      return typeof first === "string" ? traversal(first) : 1;
    case "isCanonical":
      return traversal(second, 2);
    case "validate":
      return Math.max(1, traversal(second));
    case "replace":
    case "split":
      return traversal(first, 2);
    case "join":
      return joinCost(first, second);
    case "matches":
    case "matchesRe2":
    case "find":
    case "findAll":
      return regexTraversal(first, second);
    case "containsIP":
      return Math.ceil(2 * addressBytes * perCharacter) + textTraversal(second);
    case "containsCIDR":
      return (
        Math.ceil(2 * addressBytes * perCharacter) + Math.ceil(addressBytes * perCharacter) + 1 + textTraversal(second)
      );
    default:
      return listCallCost(name, first, second, third);
  }
}

function listCallCost(name: string, first: unknown, second: unknown, third: unknown): number {
  switch (name) {
    // Of texts; those of lists and maps have no traversal.
    case "contains":
      return typeof first === "string" ? traversal(first) * traversal(second) : product(second, third);
    case "intersects":
      return product(second, third);
    case "equivalent":
      return 2 * product(second, third);
    case "distinct":
    case "sort":
      return selfComparison(first);
    case "flatten":
      return madeList(Number(second ?? 1) * sizeOf(first));
    case "reverse":
      return madeList(sizeOf(first));
    case "slice":
      return madeList(Math.max(0, Number(third) - Number(second)));
    case "range":
      return madeList(Math.max(0, Number(second)));
    default:
      return 1;
  }
}

/** To compare every item of a list with every other one. */
export function selfComparison(list: unknown): number {
  const [first]: readonly unknown[] = Array.isArray(list) ? list : [];
  const weight = typeof first === "string" ? 2 + perCharacter : Math.max(2, weightOf(first));
  return madeList(Math.floor(sizeOf(list) ** 2 * weight));
}

/** A call that makes a list of that size. */
function madeList(size: number): number {
  return 1 + 10 + size;
}

function textTraversal(value: unknown): number {
  return typeof value === "string" ? traversal(value) : 0;
}

function joinCost(list: unknown, separator: unknown): number {
  if (!Array.isArray(list)) return 1;
  let size = Math.max(0, list.length - 1) * (typeof separator === "string" ? separator.length : 0);
  for (const item of list) size += sizeOf(item);
  return Math.ceil(size * 2 * perCharacter);
}
