import { Optional } from "@marcbachmann/cel-js";
import { fieldValues, SchemaObject, sameUnknown } from "./schema-object.js";

/** Whether two values of expressions are equal: numbers across their types, lists in order, maps and objects by their fields. */
export function celEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (isNumber(a) && isNumber(b)) return Number(a) === Number(b);
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => celEqual(item, b[index]));
  }
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime();
  if (a instanceof Map) {
    if (!(b instanceof Map) || a.size !== b.size) return false;
    return [...a].every(([key, value]) => b.has(key) && celEqual(value, b.get(key)));
  }
  if (a.constructor !== b.constructor) return false;
  if (a instanceof Optional) {
    const other = b as Optional;
    return a.hasValue() === other.hasValue() && (!a.hasValue() || celEqual(a.value(), other.value()));
  }
  if (a instanceof SchemaObject) {
    const theirs = fieldValues(b as SchemaObject);
    return fieldValues(a).every((value, index) => celEqual(value, theirs[index])) && sameUnknown(a, b as SchemaObject);
  }
  if (a instanceof Uint8Array) return Buffer.compare(a, b as Uint8Array) === 0;
  const left = Object.entries(a);
  const right = new Map(Object.entries(b));
  if (left.length === 0 && right.size === 0) return a.valueOf() === b.valueOf() || a.constructor !== undefined;
  return left.length === right.size && left.every(([key, value]) => right.has(key) && celEqual(value, right.get(key)));
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}
