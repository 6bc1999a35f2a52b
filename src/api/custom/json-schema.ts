import type { JSONSchemaProps } from "../gen/types.js";
import { isJsonObject } from "../json-value.js";
import type { Schema, SchemaType } from "../schema.js";
import { builtinSchema } from "../schema-table.js";

/** A schema as a CustomResourceDefinition has it, after decoding: any field may be missing. */
export type JsonSchema = JSONSchemaProps;

/** What Schema says in fields of its own; every other keyword is kept in `constraints`. */
const ownKeywords: ReadonlySet<string> = new Set([
  "type",
  "format",
  "properties",
  "required",
  "additionalProperties",
  "items",
  "default",
  "enum",
  "nullable",
  "description",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-map-type",
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-embedded-resource",
  "x-kubernetes-int-or-string",
]);

const types: ReadonlySet<string> = new Set(["object", "array", "string", "integer", "number", "boolean"]);
const anything: Schema = Object.freeze({ type: "any", preserveUnknown: true });
const text: Schema = Object.freeze({ type: "string" });

/** The schema of the items of an array; undefined when there is none. */
export function itemsOf(schema: JsonSchema): JsonSchema | undefined {
  return isJsonObject(schema.items) ? schema.items : undefined;
}

/** The schema of the values of a map: `true` takes everything. */
export function additionalOf(schema: JsonSchema): JsonSchema | undefined {
  const { additionalProperties: additional } = schema;
  if (additional === true) return { "x-kubernetes-preserve-unknown-fields": true };
  return isJsonObject(additional) ? additional : undefined;
}

/** The properties by name; a Map because names come from users. */
export function propertiesOf(schema: JsonSchema): ReadonlyMap<string, JsonSchema> {
  return new Map(Object.entries(schema.properties ?? {}));
}

/**
 * The structure of a custom resource, for all code that reads schemas: pruning, apply, OpenAPI, defaulting. What every object has
 * (apiVersion, kind, metadata) is as in built-in kinds, whatever the schema says of it.
 */
export function rootSchema(schema: JsonSchema | undefined): Schema {
  const { default: _default, nullable: _nullable, ...root } = toSchema(schema ?? {});
  const properties = new Map([...(root.properties ?? []), ...identity()]);
  // A schema without properties of its own knows no field, unless it preserves all.
  return { ...root, type: "object", properties };
}

export function toSchema(schema: JsonSchema): Schema {
  const properties = propertiesOf(schema);
  const additional = additionalOf(schema);
  const items = itemsOf(schema);
  const embedded = schema["x-kubernetes-embedded-resource"] === true;
  const preserve = schema["x-kubernetes-preserve-unknown-fields"] === true;
  const type = typeOf(schema);
  if (type === "any" && properties.size === 0 && Object.keys(schema).length <= 1) return anything;
  const converted: { -readonly [K in keyof Schema]?: Schema[K] } = {};
  if (properties.size > 0 || embedded) {
    const own = [...properties].map(([name, property]) => [name, toSchema(property)] as const);
    converted.properties = new Map(embedded ? [...own, ...identity()] : own);
  }
  if (additional !== undefined) converted.additional = toSchema(additional);
  if (items !== undefined) converted.items = toSchema(items);
  if (preserve) converted.preserveUnknown = true;
  if (embedded) converted.embedded = true;
  if (schema.format !== undefined) converted.format = schema.format;
  if (schema.required !== undefined) converted.required = schema.required;
  if (schema.default !== undefined) converted.default = schema.default;
  if (schema.enum !== undefined) converted.enum = schema.enum;
  if (schema.nullable === true) converted.nullable = true;
  if (schema.description !== undefined) converted.description = schema.description;
  addMergeRules(schema, converted);
  const constraints = Object.entries(schema).filter(([keyword]) => !ownKeywords.has(keyword));
  if (constraints.length > 0) converted.constraints = Object.fromEntries(constraints);
  return { ...converted, type };
}

function addMergeRules(schema: JsonSchema, converted: { -readonly [K in keyof Schema]?: Schema[K] }): void {
  const listType = schema["x-kubernetes-list-type"];
  if (listType === "atomic" || listType === "set" || listType === "map") converted.listType = listType;
  const keys = schema["x-kubernetes-list-map-keys"];
  if (keys !== undefined) converted.listMapKeys = keys;
  const mapType = schema["x-kubernetes-map-type"];
  if (mapType === "granular" || mapType === "atomic") converted.mapType = mapType;
}

function typeOf(schema: JsonSchema): SchemaType {
  if (schema["x-kubernetes-int-or-string"] === true) return "intOrString";
  if (schema.type !== undefined && types.has(schema.type)) return schema.type as SchemaType;
  if (schema.properties !== undefined || additionalOf(schema) !== undefined) return "object";
  return itemsOf(schema) === undefined ? "any" : "array";
}

function identity(): readonly (readonly [string, Schema])[] {
  return [
    ["apiVersion", text],
    ["kind", text],
    ["metadata", builtinSchema("meta.v1.ObjectMeta")],
  ];
}
