import { DurationError, parseDurationMs } from "./duration.js";
import { type FieldError, typeInvalid } from "./field-error.js";

/** What a part of a configuration looks like. `any`: somebody else knows. */
export type Shape =
  | "any"
  | "string"
  | "integer"
  | "boolean"
  | "duration"
  | { readonly list: Shape }
  | { readonly fields: Readonly<Record<string, Shape>> };

const described = {
  string: "a string",
  integer: "an integer",
  boolean: "a boolean",
  duration: "a duration such as 15s",
};

/** Everything that is not as described, fields that nobody knows included. `null` stands for absent. */
export function shapeErrors(value: unknown, shape: Shape, path: string): FieldError[] {
  if (value === undefined || value === null || shape === "any") return [];
  if (typeof shape === "string")
    return fits(value, shape) ? [] : [typeInvalid(path, value, `want ${described[shape]}`)];
  if ("list" in shape) {
    if (!Array.isArray(value)) return [typeInvalid(path, value, "want a list")];
    return value.flatMap((item, index) => shapeErrors(item, shape.list, `${path}[${index}]`));
  }
  if (typeof value !== "object" || Array.isArray(value)) return [typeInvalid(path, value, "want an object")];
  return Object.entries(value).flatMap(([name, inner]) => {
    const at = path === "" ? name : `${path}.${name}`;
    const own = Object.hasOwn(shape.fields, name) ? shape.fields[name] : undefined;
    return own === undefined ? [unknownField(at)] : shapeErrors(inner, own, at);
  });
}

function unknownField(path: string): FieldError {
  return {
    path: "",
    reason: "FieldValueInvalid",
    message: `strict decoding error: unknown field ${JSON.stringify(path)}`,
  };
}

function fits(value: unknown, shape: keyof typeof described): boolean {
  if (shape === "integer") return Number.isSafeInteger(value);
  if (shape !== "duration") return typeof value === shape;
  if (typeof value !== "string") return false;
  try {
    parseDurationMs(value);
    return true;
  } catch (error) {
    if (error instanceof DurationError) return false;
    throw error;
  }
}

/** In YAML an empty field is null, which means that it is not there. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => (inner === null ? [] : [[key, withoutNulls(inner)]])),
  );
}

/** A configuration that cannot be used; the message says where and why, for each problem. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
}

/** Throws ConfigurationError unless there are none. */
export function refuse(errors: readonly FieldError[]): void {
  if (errors.length === 0) return;
  const texts = errors.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  throw new ConfigurationError(texts.length === 1 ? (texts[0] ?? "") : `[${texts.join(", ")}]`);
}
