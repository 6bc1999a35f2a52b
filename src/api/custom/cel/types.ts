import type { Environment } from "@marcbachmann/cel-js";
import { Duration } from "@marcbachmann/cel-js/evaluator";
import { isJsonObject } from "../../json-value.js";
import { additionalOf, itemsOf, type JsonSchema, propertiesOf } from "../json-schema.js";
import { dynamicValue } from "./dynamic.js";
import { celEqual } from "./equal.js";
import { escapeFieldName } from "./names.js";
import { type FieldOfType, objectType } from "./schema-object.js";

/** How the values of one schema look to expressions. */
export interface CelType {
  /** The type's name in the environment: `int`, `list<string>`, `object_3`. */
  readonly name: string;
  /** The value as the engine wants it. Values that do not fit the schema must not get here. */
  readonly convert: (value: unknown) => unknown;
  /** Nobody knows what there may be: a field of it is none for expressions. */
  readonly unknown?: true;
}

const timestamp = "google.protobuf.Timestamp";
const identityFields: readonly (readonly [string, JsonSchema])[] = [
  ["apiVersion", { type: "string" }],
  ["kind", { type: "string" }],
  ["metadata", { type: "object", properties: { name: { type: "string" }, generateName: { type: "string" } } }],
];

/** Declares the types of a schema in an environment; each object with properties is a type of its own, so that names of fields are checked. */
export class CelTypes {
  readonly #environment: Environment;
  readonly #known = new Map<JsonSchema, CelType>();
  readonly #anything: CelType;
  #objects = 0;

  /** Where schemas do not say what there may be, expressions may look at anything, or at nothing. */
  constructor(environment: Environment, { unknown }: { readonly unknown: "dynamic" | "hidden" }) {
    this.#environment = environment;
    const dynamic = { name: "dyn", convert: dynamicValue };
    this.#anything = unknown === "hidden" ? { ...dynamic, unknown: true } : dynamic;
  }

  typeOf(schema: JsonSchema, isRoot = false): CelType {
    const known = this.#known.get(schema);
    if (known !== undefined) return known;
    const type = this.#declare(schema, isRoot);
    this.#known.set(schema, type);
    return type;
  }

  #declare(schema: JsonSchema, isRoot: boolean): CelType {
    if (schema["x-kubernetes-int-or-string"] === true) return { name: "dyn", convert: dynamicValue };
    switch (schema.type) {
      case "string":
        return textType(schema.format);
      case "integer":
        return { name: "int", convert: (value) => (typeof value === "number" ? BigInt(Math.trunc(value)) : value) };
      case "number":
        return { name: "double", convert: asItIs };
      case "boolean":
        return { name: "bool", convert: asItIs };
      case "array": {
        const items = itemsOf(schema);
        const item = items === undefined ? this.#anything : this.typeOf(items);
        if (item.unknown) return this.#anything;
        const { name, convert } = item;
        if (convert === asItIs) return { name: `list<${name}>`, convert: asItIs };
        return { name: `list<${name}>`, convert: (value) => (Array.isArray(value) ? value.map(convert) : value) };
      }
      case "object":
        return this.#object(schema, isRoot);
      default:
        return this.#anything;
    }
  }

  #object(schema: JsonSchema, isRoot: boolean): CelType {
    const additional = additionalOf(schema);
    if (additional !== undefined) {
      const type = this.typeOf(additional);
      return type.unknown ? this.#anything : this.#map(type);
    }
    const embedded = isRoot || schema["x-kubernetes-embedded-resource"] === true;
    const properties = new Map([...propertiesOf(schema), ...(embedded ? identityFields : [])]);
    if (properties.size === 0 && !this.#anything.unknown) return this.#anything;
    const fields: FieldOfType[] = [];
    const declared: { [escaped: string]: string } = {};
    for (const [name, property] of properties) {
      const escaped = escapeFieldName(name);
      if (escaped === undefined) continue;
      const { name: type, convert, unknown } = this.typeOf(property);
      if (unknown) continue;
      fields.push({ name, escaped, convert });
      declared[escaped] = type;
    }
    const Type = objectType(fields);
    const name = `object_${this.#objects++}`;
    this.#environment.registerType(name, { ctor: Type, fields: declared });
    this.#environment.registerOperator(`${name} == ${name}`, celEqual);
    this.#environment.registerOperator(`${name} == null`, () => false);
    return { name, convert: (value) => (isJsonObject(value) ? new Type(value) : value) };
  }

  #map({ name, convert }: CelType): CelType {
    return {
      name: `map<string, ${name}>`,
      convert: (value) => {
        if (!isJsonObject(value)) return value;
        return new Map(
          Object.entries(value)
            .filter(([, inner]) => inner !== null)
            .map(([key, inner]) => [key, convert(inner)]),
        );
      },
    };
  }
}

function asItIs(value: unknown): unknown {
  return value;
}

function textType(format: string | undefined): CelType {
  switch (format) {
    case "date":
    case "date-time":
      return { name: timestamp, convert: (value) => (typeof value === "string" ? new Date(value) : value) };
    case "duration":
      return {
        name: "google.protobuf.Duration",
        convert: (value) => (typeof value === "string" ? durationOf(value) : value),
      };
    case "byte":
      return { name: "bytes", convert: (value) => (typeof value === "string" ? bytesOf(value) : value) };
    default:
      return { name: "string", convert: asItIs };
  }
}

function bytesOf(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, "base64"));
}

const unitMs: ReadonlyMap<string, number> = new Map([
  ["ns", 1e-6],
  ["us", 1e-3],
  ["µs", 1e-3],
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
  ["w", 604_800_000],
]);

function durationOf(text: string): Duration {
  let ms = 0;
  for (const [, number = "0", unit = ""] of text.matchAll(/([\d.]+)\s*(ns|us|µs|ms|[smhdw])/g)) {
    ms += Number(number) * (unitMs.get(unit) ?? 0);
  }
  return Duration.fromMilliseconds(text.startsWith("-") ? -ms : ms);
}
