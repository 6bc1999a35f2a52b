import { type MutableJsonObject, setOwn } from "./json-value.js";
import type { Schema } from "./schema.js";

/** For tests: a small generator, so that a failing case can be replayed from its printed seed. */
export function seeded(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

type Next = (bound: number) => number;

const words = ["a", "b", "c", "d", "x.y/z", "é", "__proto__", "constructor"];

/** Any JSON value, with awkward keys. */
export function randomJson(next: Next, depth: number, withNull = true): unknown {
  switch (next(depth > 0 ? 7 : 4)) {
    case 0:
      return next(5);
    case 1:
      return words[next(words.length)];
    case 2:
      return next(2) === 0;
    case 3:
      return withNull ? null : "";
    case 4:
      return Array.from({ length: next(4) }, () => randomJson(next, depth - 1, withNull));
    default: {
      const object: MutableJsonObject = {};
      for (let count = next(4); count > 0; count--) {
        setOwn(object, words[next(words.length)] ?? "", randomJson(next, depth - 1, withNull));
      }
      return object;
    }
  }
}

/** A value that fits a schema. Keys of list-maps and items of sets are unique, as a valid object's are. */
export function randomValue(next: Next, schema: Schema, depth: number): unknown {
  switch (schema.type) {
    case "string":
      if (schema.format === "date-time") return `2024-01-0${1 + next(9)}T00:00:00Z`;
      if (schema.format === "microtime") return `2024-01-0${1 + next(9)}T00:00:00.000000Z`;
      if (schema.format === "byte") return ["", "YQ=="][next(2)];
      return ["a", "b", "c", "d"][next(4)];
    case "integer":
    case "number":
    case "intOrString":
      return next(4);
    case "quantity":
      return ["1", "500m", "1Gi", "2k"][next(4)];
    case "boolean":
      return next(2) === 0;
    case "any":
      return { any: next(3) };
    case "array":
      return randomList(next, schema, depth);
    case "object":
      return randomObject(next, schema, depth);
  }
}

function randomList(next: Next, schema: Schema, depth: number): unknown[] {
  if (schema.items === undefined || depth <= 0) return [];
  const found = new Map<string, unknown>();
  for (let count = next(4); count > 0; count--) {
    const item = randomValue(next, schema.items, depth - 1);
    const keys = schema.listMapKeys ?? (schema.patchMergeKey === undefined ? undefined : [schema.patchMergeKey]);
    if (keys !== undefined && typeof item === "object" && item !== null) {
      const object = item as MutableJsonObject;
      for (const key of keys)
        object[key] ??= randomValue(next, schema.items.properties?.get(key) ?? { type: "string" }, 0);
      // The merge key alone is unique as well, so that strategic merges can tell items apart.
      found.set(JSON.stringify(object[schema.patchMergeKey ?? keys[0] ?? ""]), object);
    } else found.set(JSON.stringify(item), item);
  }
  return [...found.values()];
}

function randomObject(next: Next, schema: Schema, depth: number): MutableJsonObject {
  const object: MutableJsonObject = {};
  if (depth <= 0) return object;
  if (schema.properties !== undefined) {
    const names = [...schema.properties.keys()];
    for (let count = Math.min(names.length, 1 + next(5)); count > 0; count--) {
      const name = names[next(names.length)] ?? "";
      const child = schema.properties.get(name);
      if (child !== undefined && name !== "managedFields") object[name] = randomValue(next, child, depth - 1);
    }
  } else if (schema.additional !== undefined) {
    for (let count = next(4); count > 0; count--) {
      setOwn(object, words[next(4)] ?? "", randomValue(next, schema.additional, depth - 1));
    }
  }
  return object;
}

/** Freezes all of a value, so that a change in place throws. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) deepFreeze(child);
  }
  return value;
}
