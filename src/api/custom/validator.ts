import { type FieldError, invalid, required, tooLong, tooMany, typeInvalid } from "../field-error.js";
import { getOwn, isJsonObject, jsonEqual } from "../json-value.js";
import { correlatesFields, noOld, type Old, oldField, oldItems, unchanged } from "./correlate.js";
import { formatCheck } from "./formats.js";
import { additionalOf, itemsOf, type JsonSchema, propertiesOf } from "./json-schema.js";
import { junctors } from "./junctors.js";
import type { PutOff } from "./put-off.js";
import { compilePattern } from "./regex.js";

/** Enough to see what is wrong; an object can break a schema in a million places. */
export const maxErrors = 1000;

export interface Place {
  /** Dotted, empty at the root: `spec.list[0].name`. */
  readonly path: string;
  readonly errors: FieldError[];
  readonly old: Old;
  /** Who takes the checks of what is long. Absent: nobody, all is checked at once. */
  readonly putOff: PutOff | undefined;
}

/** Longer lists and maps are put off. */
const longest = 50;

/**
 * Adds what is wrong with a value to `place.errors` and gives the number of checks that it took part in, by which the best of several
 * alternatives is found.
 */
export type Check = (value: unknown, place: Place) => number;

/**
 * Compiles a schema into a check of values against all its JSON schema keywords, with the messages of upstream's validator. Where there is an
 * old value that equals the new one nothing is wrong (ratcheting). Throws PatternError for a pattern that cannot be compiled.
 */
export function compileCheck(schema: JsonSchema): Check {
  const own = [
    ...junctors(schema, compileCheck),
    ...textChecks(schema),
    ...numberChecks(schema),
    ...listChecks(schema),
    ...enumCheck(schema),
    ...objectChecks(schema),
  ];
  const type = typeCheck(schema);
  return (value, place) => {
    if (place.errors.length >= maxErrors || unchanged(value, place.old)) return 1;
    if (value === null) return type(value, place);
    let count = type(value, place);
    for (const check of own) count += check(value, place);
    return count;
  };
}

export function typeNameOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

/** Upstream's errors know a value by the name of the field in the request's body. */
export function inBody(path: string, text: string): string {
  return `${path} in body ${text}`;
}

function typeCheck(schema: JsonSchema): Check {
  const types =
    schema["x-kubernetes-int-or-string"] === true ? ["integer", "string"] : schema.type ? [schema.type] : [];
  const wanted = new Set(types);
  const nullable = schema.nullable === true;
  return (value, { path, errors }) => {
    if (types.length === 0) return 0;
    const actual = typeNameOf(value);
    if (value === null ? nullable : wanted.has(actual) || (actual === "integer" && wanted.has("number"))) return 1;
    errors.push(typeInvalid(path, actual, inBody(path, `must be of type ${types.join(",")}: "${actual}"`)));
    return 1;
  };
}

function* textChecks(schema: JsonSchema): Generator<Check> {
  const { minLength, maxLength, pattern, format } = schema;
  const matches = pattern === undefined ? undefined : compilePattern(pattern);
  if (minLength !== undefined || maxLength !== undefined || matches !== undefined) {
    yield (value, { path, errors }) => {
      if (typeof value !== "string") return 0;
      const length = maxLength !== undefined || minLength !== undefined ? countRunes(value) : 0;
      if (maxLength !== undefined && length > maxLength) errors.push(tooLong(path, maxLength));
      else if (minLength !== undefined && length < minLength) {
        errors.push(invalid(path, value, inBody(path, `should be at least ${minLength} chars long`)));
      } else if (matches !== undefined && !matches(value)) {
        errors.push(invalid(path, value, inBody(path, `should match '${pattern}'`)));
      }
      return 1;
    };
  }
  const hasFormat = format === undefined ? undefined : formatCheck(format);
  if (hasFormat !== undefined) {
    yield (value, { path, errors }) => {
      if (typeof value !== "string") return 0;
      if (!hasFormat(value)) {
        errors.push(typeInvalid(path, value, inBody(path, `must be of type ${format}: ${JSON.stringify(value)}`)));
      }
      return 1;
    };
  }
}

function countRunes(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

function* numberChecks(schema: JsonSchema): Generator<Check> {
  const { minimum, maximum, multipleOf, exclusiveMinimum, exclusiveMaximum } = schema;
  if (minimum === undefined && maximum === undefined && multipleOf === undefined) return;
  yield (value, { path, errors }) => {
    if (typeof value !== "number") return 0;
    const wrong = (text: string): number => errors.push(invalid(path, value, inBody(path, text)));
    if (multipleOf !== undefined && multipleOf > 0 && !Number.isInteger(Number((value / multipleOf).toPrecision(15)))) {
      wrong(`should be a multiple of ${multipleOf}`);
    }
    if (maximum !== undefined && (exclusiveMaximum === true ? value >= maximum : value > maximum)) {
      wrong(`should be less than ${exclusiveMaximum === true ? "" : "or equal to "}${maximum}`);
    }
    if (minimum !== undefined && (exclusiveMinimum === true ? value <= minimum : value < minimum)) {
      wrong(`should be greater than ${exclusiveMinimum === true ? "" : "or equal to "}${minimum}`);
    }
    return 1;
  };
}

function* listChecks(schema: JsonSchema): Generator<Check> {
  const items = itemsOf(schema);
  const { minItems, maxItems } = schema;
  if (items === undefined && minItems === undefined && maxItems === undefined) return;
  const checkItem = items === undefined ? undefined : compileCheck(items);
  yield (value, { path, errors, old, putOff }) => {
    if (!Array.isArray(value)) return 0;
    let count = 1;
    if (checkItem !== undefined) {
      const oldOf = oldItems(schema, old);
      const check = (item: unknown, index: number, into: FieldError[]): number =>
        checkItem(item, { path: `${path}[${index}]`, errors: into, old: oldOf(item), putOff });
      if (putOff !== undefined && value.length > longest) putOff.add(errors, value, check);
      else for (const [index, item] of value.entries()) count += check(item, index, errors);
    }
    if (minItems !== undefined && value.length < minItems) {
      errors.push(invalid(path, value.length, inBody(path, `should have at least ${minItems} items`)));
    }
    if (maxItems !== undefined && value.length > maxItems) errors.push(tooMany(path, value.length, maxItems));
    return count;
  };
}

function* enumCheck(schema: JsonSchema): Generator<Check> {
  const { enum: values } = schema;
  if (values === undefined || values.length === 0) return;
  // In the order of the schema, other than the enumerations of built-in kinds.
  const choices = values.map((value) => JSON.stringify(typeof value === "string" ? value : JSON.stringify(value)));
  const list = choices.join(", ");
  yield (value, { path, errors }) => {
    if (values.some((choice) => jsonEqual(choice, value))) return 1;
    const message = `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`;
    errors.push({ path, reason: "FieldValueNotSupported", message });
    return 1;
  };
}

function* objectChecks(schema: JsonSchema): Generator<Check> {
  const properties = new Map([...propertiesOf(schema)].map(([name, property]) => [name, compileCheck(property)]));
  const additional = additionalOf(schema);
  const checkValue = additional === undefined ? undefined : compileCheck(additional);
  const { required: names = [], minProperties, maxProperties } = schema;
  const counts = minProperties !== undefined || maxProperties !== undefined;
  if (properties.size === 0 && checkValue === undefined && names.length === 0 && !counts) return;
  const correlates = correlatesFields(schema);
  yield (value, { path, errors, old, putOff }) => {
    if (!isJsonObject(value)) return 0;
    if (counts) countFields(schema, path, Object.keys(value).length, errors);
    for (const name of names) if (!Object.hasOwn(value, name)) errors.push(required(join(path, name)));
    const checkField = (key: string, _: number, into: FieldError[]): number => {
      const check = properties.get(key) ?? checkValue;
      const oldValue = correlates ? oldField(old, key) : noOld;
      return check?.(getOwn(value, key), { path: join(path, key), errors: into, old: oldValue, putOff }) ?? 0;
    };
    const keys = Object.keys(value);
    if (putOff !== undefined && keys.length > longest) {
      putOff.add(errors, keys, checkField);
      return 1;
    }
    return keys.reduce((count, key, index) => count + checkField(key, index, errors), 1);
  };
}

function countFields(
  { minProperties, maxProperties }: JsonSchema,
  path: string,
  size: number,
  errors: FieldError[],
): void {
  if (minProperties !== undefined && size < minProperties) {
    errors.push(invalid(path, size, inBody(path, `should have at least ${minProperties} properties`)));
  }
  if (maxProperties !== undefined && size > maxProperties) errors.push(tooMany(path, size, maxProperties));
}

export function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}
