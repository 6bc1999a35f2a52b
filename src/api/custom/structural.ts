import { type FieldError, forbidden, invalid, required } from "../field-error.js";
import { isJsonObject } from "../json-value.js";
import { additionalOf, itemsOf, type JsonSchema, propertiesOf } from "./json-schema.js";
import { junctorErrors } from "./structural-junctors.js";
import { keywordErrors } from "./structural-keywords.js";

/** Schemas may nest as deep as bodies; deeper ones are refused before they come here. */
const maxDepth = 200;

type Level = "root" | "item" | "field";

/**
 * Why a schema is not structural, with upstream's paths and messages. `path` is that of the schema itself. Empty: it is structural,
 * and pruning, defaulting and everything else can rely on it.
 */
export function structuralErrors(schema: JsonSchema, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  visit(schema, path, "root", errors, 0);
  return errors;
}

function visit(schema: JsonSchema, path: string, level: Level, errors: FieldError[], depth: number): void {
  if (depth > maxDepth) {
    errors.push(forbidden(path, "the schema is nested too deeply"));
    return;
  }
  errors.push(...keywordErrors(schema, path));
  checkType(schema, path, level, errors);
  errors.push(...junctorErrors(schema, path));
  for (const [name, property] of propertiesOf(schema)) {
    if (!isJsonObject(property)) continue;
    const at = `${path}.properties[${name}]`;
    if (name === "metadata" && (level === "root" || schema["x-kubernetes-embedded-resource"] === true)) {
      checkMetadata(property, at, errors);
    }
    visit(property, at, "field", errors, depth + 1);
  }
  const additional = isJsonObject(schema.additionalProperties) ? additionalOf(schema) : undefined;
  if (additional !== undefined) visit(additional, `${path}.additionalProperties`, "field", errors, depth + 1);
  const items = itemsOf(schema);
  if (items !== undefined) visit(items, `${path}.items`, "item", errors, depth + 1);
}

function checkType(schema: JsonSchema, path: string, level: Level, errors: FieldError[]): void {
  const { type = "" } = schema;
  const preserve = schema["x-kubernetes-preserve-unknown-fields"] === true;
  if (schema["x-kubernetes-int-or-string"] === true) {
    if (type !== "") errors.push(invalid(`${path}.type`, type, "must be empty if x-kubernetes-int-or-string is true"));
    if (preserve) {
      const why = "must be false if x-kubernetes-int-or-string is true";
      errors.push(invalid(`${path}.x-kubernetes-preserve-unknown-fields`, true, why));
    }
    return;
  }
  if (level === "root") checkRootType(schema, path, errors);
  else if (type === "" && !preserve) {
    const what = level === "item" ? "array items" : "object fields";
    errors.push(required(`${path}.type`, `must not be empty for specified ${what}`));
  }
  if (schema["x-kubernetes-embedded-resource"] === true) checkEmbedded(schema, path, errors);
  if (type === "array" && itemsOf(schema) === undefined && schema.items === undefined) {
    errors.push(required(`${path}.items`, "must be specified"));
  }
}

function checkRootType(schema: JsonSchema, path: string, errors: FieldError[]): void {
  const { type = "" } = schema;
  if (type === "") errors.push(required(`${path}.type`, "must not be empty at the root"));
  else if (type !== "object") errors.push(invalid(`${path}.type`, type, "must be object at the root"));
  if (schema.nullable === true) errors.push(forbidden(`${path}.nullable`, "nullable cannot be true at the root"));
}

function checkEmbedded(schema: JsonSchema, path: string, errors: FieldError[]): void {
  const { type = "" } = schema;
  const why = "must be object if x-kubernetes-embedded-resource is true";
  if (type === "") errors.push(required(`${path}.type`, why));
  else if (type !== "object") errors.push(invalid(`${path}.type`, type, why));
  const preserves = schema["x-kubernetes-preserve-unknown-fields"] === true;
  if (!preserves && Object.keys(schema.properties ?? {}).length === 0) {
    const detail =
      "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
    errors.push(required(`${path}.properties`, detail));
  }
}

/** Everybody's metadata is ObjectMeta: a schema may only restrict names. */
function checkMetadata(metadata: JsonSchema, path: string, errors: FieldError[]): void {
  const { type: _t, description: _d, properties, ...rest } = metadata;
  const { name: _n, generateName: _g, ...fields } = properties ?? {};
  if (Object.keys(rest).length === 0 && Object.keys(fields).length === 0) return;
  errors.push(
    forbidden(path, "must not specify anything other than name and generateName, but metadata is implicitly specified"),
  );
}
