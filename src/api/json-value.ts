/**
 * How deep a JSON value may nest anywhere in the API. Every recursive walk is safe below it, and upstream's own kinds stay
 * far below. Values deeper than this are refused where they come in.
 */
export const maxDepth = 512;

export type MutableJsonObject = { [key: string]: unknown };

export function isJsonObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Sets an own property whatever its name: assigning `__proto__` would change the prototype. */
export function setOwn(target: MutableJsonObject, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  } else target[key] = value;
}

/** An own property: what was inherited is not there. */
export function getOwn(source: { readonly [key: string]: unknown }, key: string): unknown {
  return Object.hasOwn(source, key) ? source[key] : undefined;
}

/** Whether two JSON values are equal; the order of keys does not count. Undefined equals an absent field. Never throws. */
export function jsonEqual(a: unknown, b: unknown, depth = 0): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null || depth > maxDepth) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    for (let index = 0; index < a.length; index++) if (!jsonEqual(a[index], b[index], depth + 1)) return false;
    return true;
  }
  const left = a as MutableJsonObject;
  const right = b as MutableJsonObject;
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  for (const key of keys) {
    if (!Object.hasOwn(right, key) || !jsonEqual(left[key], right[key], depth + 1)) return false;
  }
  return true;
}

/** Whether a value nests deeper than `max` containers. */
export function exceedsDepth(value: unknown, max: number = maxDepth): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (max <= 0) return true;
  if (Array.isArray(value)) {
    for (const item of value) if (exceedsDepth(item, max - 1)) return true;
    return false;
  }
  const object = value as MutableJsonObject;
  for (const key of Object.keys(object)) if (exceedsDepth(object[key], max - 1)) return true;
  return false;
}
