import { isJsonObject, type MutableJsonObject, maxDepth, setOwn } from "../json-value.js";
import { canonicalQuantity, QuantityError, quantityFormatMessage } from "../quantity.js";
import type { Schema } from "../schema.js";
import { canonicalMicroTimeText, canonicalTimeText } from "../time.js";
import { DecodeError, joinPath } from "./decode-error.js";
import { converterMismatch, goStruct, goType, goValue } from "./go-types.js";

export interface CheckedFields {
  /** The object as its kind has it; the very object that was given when there was nothing to change. */
  readonly object: { readonly [key: string]: unknown };
  /** Paths of fields that the kind does not have, and that were dropped: `spec.containers[0].foo`. At most 100. */
  readonly unknown: readonly string[];
}

const maxUnknown = 100;

/**
 * Makes of a decoded object what upstream's typed decoder would: unknown fields, nulls and empty optional lists and maps are
 * gone, quantities and times are in canonical form. Never changes the object; copies only what differs.
 * Throws DecodeError for a value of the wrong type, with Go's message: that of its JSON decoder, or that of upstream's converter of
 * objects that were no text, as after a strategic merge.
 */
export function checkFields(
  schema: Schema,
  object: { readonly [key: string]: unknown },
  words: "decoder" | "converter" = "decoder",
): CheckedFields {
  const checker = new FieldChecker("typed", words);
  return { object: checker.object(schema, object), unknown: checker.unknown };
}

/**
 * Drops the fields of a custom resource that its schema does not specify; nulls and wrong types are left for validation to
 * judge. Never changes the object; copies only what differs.
 */
export function pruneFields(schema: Schema, object: { readonly [key: string]: unknown }): CheckedFields {
  const checker = new FieldChecker("structural");
  return { object: checker.object(schema, object), unknown: checker.unknown };
}

type Fields = { readonly [key: string]: unknown };

// Values that take the place of what was given.
const absent = Symbol("absent");

class FieldChecker {
  readonly unknown: string[] = [];
  readonly #typed: boolean;
  readonly #words: "decoder" | "converter";
  /** The way to the value at hand; index i of each belongs together. */
  readonly #keys: (string | number)[] = [];
  readonly #owners: Schema[] = [];

  constructor(mode: "typed" | "structural", words: "decoder" | "converter" = "decoder") {
    this.#typed = mode === "typed";
    this.#words = words;
  }

  object(schema: Schema, object: Fields): Fields {
    if (this.#keys.length > maxDepth) throw new DecodeError("malformed", "exceeded max depth");
    const { properties, additional } = schema;
    if (properties === undefined && additional === undefined) {
      if (schema.preserveUnknown || schema.type === "any") return object;
    }
    const depth = this.#keys.length;
    let result: MutableJsonObject | undefined;
    for (const key in object) {
      const value = object[key];
      const child = properties?.get(key) ?? additional;
      let kept: unknown;
      if (child === undefined) kept = this.#unknownField(schema, key, value, depth);
      else {
        this.#keys[depth] = key;
        this.#owners[depth] = schema;
        kept = this.#value(child, value);
        if (this.#typed && kept !== absent && isEmptyContainer(child, kept) && isOptional(schema, key)) kept = absent;
      }
      if (kept === value) continue;
      result ??= { ...object };
      if (kept === absent) delete result[key];
      else setOwn(result, key, kept);
    }
    this.#keys.length = depth;
    this.#owners.length = depth;
    return result ?? object;
  }

  #unknownField(schema: Schema, key: string, value: unknown, depth: number): unknown {
    if (schema.preserveUnknown) return value;
    if (schema.embedded && (key === "apiVersion" || key === "kind" || key === "metadata")) return value;
    if (this.unknown.length < maxUnknown)
      this.unknown.push(joinPath(this.#keys.slice(0, depth).reduce<string>(joinPath, ""), key));
    return absent;
  }

  #value(schema: Schema, value: unknown): unknown {
    if (value === null || value === undefined) return this.#typed ? this.#zero(schema) : value;
    switch (schema.type) {
      case "any":
        return value;
      case "object":
        if (isJsonObject(value)) return this.object(schema, value);
        return this.#mismatch(schema, value);
      case "array":
        return Array.isArray(value) ? this.#list(schema, value) : this.#mismatch(schema, value);
      default:
        return this.#typed ? this.#scalar(schema, value) : value;
    }
  }

  /** Null is the zero value where Go has no room for nothing: in lists, and in maps of scalars. */
  #zero(schema: Schema): unknown {
    const owner = this.#owners.at(-1);
    if (owner?.type === "object" && owner.properties !== undefined) return absent;
    if (schema.type === "string") return "";
    if (schema.type === "integer" || schema.type === "number" || schema.type === "intOrString") return 0;
    if (schema.type === "boolean") return false;
    if (schema.type === "quantity") return "0";
    return schema.type === "object" ? {} : null;
  }

  #list(schema: Schema, list: readonly unknown[]): unknown {
    const { items } = schema;
    if (items === undefined || items.type === "any") return list;
    const depth = this.#keys.length;
    this.#owners[depth] = schema;
    let result: unknown[] | undefined;
    for (let index = 0; index < list.length; index++) {
      this.#keys[depth] = index;
      const kept = this.#value(items, list[index]);
      if (kept === list[index]) continue;
      result ??= [...list];
      result[index] = kept;
    }
    this.#keys.length = depth;
    this.#owners.length = depth;
    return result ?? list;
  }

  #scalar(schema: Schema, value: unknown): unknown {
    switch (schema.type) {
      case "string":
        if (typeof value !== "string") return this.#mismatch(schema, value);
        return schema.format === undefined ? value : this.#formatted(schema.format, value);
      case "boolean":
        return typeof value === "boolean" ? value : this.#mismatch(schema, value);
      case "integer": {
        if (typeof value !== "number" || !Number.isInteger(value)) return this.#mismatch(schema, value);
        const tooBig = schema.format === "int32" && (value | 0) !== value;
        return tooBig ? this.#mismatch(schema, value) : value;
      }
      case "number":
        return typeof value === "number" ? value : this.#mismatch(schema, value);
      case "intOrString":
        if (typeof value === "string") return value;
        if (typeof value === "number" && (value | 0) === value) return value;
        return this.#mismatch({ type: "integer", format: "int32" }, value);
      case "quantity":
        return this.#quantity(value);
      default:
        return value;
    }
  }

  #quantity(value: unknown): unknown {
    if (typeof value !== "string" && typeof value !== "number") {
      throw new DecodeError("malformed", quantityFormatMessage);
    }
    try {
      return canonicalQuantity(value);
    } catch (error) {
      if (!(error instanceof QuantityError)) throw error;
      throw new DecodeError("malformed", error.message, { cause: error });
    }
  }

  #formatted(format: string, value: string): unknown {
    if (format === "byte") {
      const at = badBase64(value);
      if (at >= 0) throw new DecodeError("malformed", `illegal base64 data at input byte ${at}`);
      return value;
    }
    if (format !== "date-time" && format !== "microtime") return value;
    const text = format === "microtime" ? canonicalMicroTimeText(value) : canonicalTimeText(value);
    if (text !== undefined) return text;
    const layout = format === "microtime" ? "2006-01-02T15:04:05.000000Z07:00" : "2006-01-02T15:04:05Z07:00";
    const quoted = JSON.stringify(value);
    throw new DecodeError("malformed", `parsing time ${quoted} as "${layout}": cannot parse ${quoted} as "2006"`);
  }

  #mismatch(schema: Schema, value: unknown): unknown {
    if (!this.#typed) return value;
    if (this.#words === "converter") throw new DecodeError("malformed", converterMismatch(schema, value));
    const shown = goValue(value, schema.type === "integer" || schema.type === "number");
    const fields: string[] = [];
    let owner = "";
    this.#owners.forEach((candidate, index) => {
      const key = this.#keys[index];
      if (candidate.properties === undefined || typeof key !== "string") return;
      fields.push(key);
      owner = goStruct(candidate);
    });
    const field = `${owner}.${fields.join(".")}`;
    const where = owner === "" ? "Go value" : `Go struct field ${field}`;
    throw new DecodeError("malformed", `json: cannot unmarshal ${shown} into ${where} of type ${goType(schema)}`);
  }
}

function isEmptyContainer(schema: Schema, value: unknown): boolean {
  if (schema.type === "array") return Array.isArray(value) && value.length === 0;
  if (schema.type !== "object" || schema.additional === undefined || schema.properties !== undefined) return false;
  for (const key in value as object) if (key !== undefined) return false;
  return true;
}

// An empty managedFields is a request: to forget them.
function isOptional(schema: Schema, key: string): boolean {
  if (key === "managedFields") return false;
  return schema.properties !== undefined && schema.required?.includes(key) !== true;
}

/** Where standard base64 breaks off, -1 for good text. Line ends are skipped, as Go does. */
function badBase64(text: string): number {
  const clean = text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
  if (clean) return -1;
  const compact = text.replace(/[\r\n]/g, "");
  if (compact.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(compact)) return -1;
  const bad = /[^A-Za-z0-9+/\r\n]/.exec(text);
  return bad === null ? text.length - (compact.length % 4) : bad.index;
}
