import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from "../field-error.js";
import { isJsonObject } from "../json-value.js";
import { itemsOf, type JsonSchema } from "./json-schema.js";
import { compilePattern, PatternError } from "./regex.js";

const types: readonly string[] = ["array", "boolean", "integer", "number", "object", "string"];
const unsupported: readonly (keyof JsonSchema)[] = [
  "$ref",
  "additionalItems",
  "definitions",
  "dependencies",
  "patternProperties",
];

/** What is wrong with the keywords of one schema, without what is below it. */
export function keywordErrors(schema: JsonSchema, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (schema.type === "null") {
    errors.push(forbidden(`${path}.type`, "type cannot be set to null, use nullable as an alternative"));
  } else if (schema.type !== undefined && schema.type !== "" && !types.includes(schema.type)) {
    errors.push(notSupported(`${path}.type`, schema.type, types));
  }
  for (const keyword of unsupported) {
    if (schema[keyword] !== undefined) errors.push(forbidden(`${path}.${keyword}`, `${keyword} is not supported`));
  }
  if (schema.uniqueItems === true) {
    const why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
    errors.push(forbidden(`${path}.uniqueItems`, why));
  }
  if (schema.items !== undefined && !isJsonObject(schema.items)) {
    errors.push(forbidden(`${path}.items`, "items must be a schema object and not an array"));
  }
  checkAdditional(schema, path, errors);
  checkPattern(schema, path, errors);
  if (schema["x-kubernetes-preserve-unknown-fields"] === false) {
    errors.push(invalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, "must be true or undefined"));
  }
  checkMapType(schema, path, errors);
  checkListType(schema, path, errors);
  return errors;
}

function checkAdditional(schema: JsonSchema, path: string, errors: FieldError[]): void {
  if (schema.additionalProperties === undefined) return;
  const at = `${path}.additionalProperties`;
  if (schema.additionalProperties === false) {
    errors.push(forbidden(at, "additionalProperties cannot be set to false"));
  }
  if (Object.keys(schema.properties ?? {}).length > 0) {
    errors.push(forbidden(at, "additionalProperties and properties are mutual exclusive"));
  }
}

function checkPattern({ pattern }: JsonSchema, path: string, errors: FieldError[]): void {
  if (pattern === undefined) return;
  try {
    compilePattern(pattern);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    const why = `must be a valid regular expression, but isn't: ${error.message}`;
    errors.push(invalid(`${path}.pattern`, pattern, why));
  }
}

function checkIsType(schema: JsonSchema, type: string, path: string, why: string, errors: FieldError[]): void {
  if (schema.type === type) return;
  if (!schema.type) errors.push(required(`${path}.type`, why));
  else errors.push(invalid(`${path}.type`, schema.type, why));
}

function checkMapType(schema: JsonSchema, path: string, errors: FieldError[]): void {
  const mapType = schema["x-kubernetes-map-type"];
  if (mapType === undefined) return;
  checkIsType(schema, "object", path, "must be object if x-kubernetes-map-type is specified", errors);
  if (mapType !== "atomic" && mapType !== "granular") {
    errors.push(notSupported(`${path}.x-kubernetes-map-type`, mapType, ["atomic", "granular"]));
  }
}

function checkListType(schema: JsonSchema, path: string, errors: FieldError[]): void {
  const listType = schema["x-kubernetes-list-type"];
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  const typePath = `${path}.x-kubernetes-list-type`;
  if (keys.length > 0 && listType !== "map") {
    const why = "must be map if x-kubernetes-list-map-keys is non-empty";
    errors.push(listType === undefined ? required(typePath, why) : invalid(typePath, listType, why));
  }
  if (listType === undefined) return;
  checkIsType(schema, "array", path, "must be array if x-kubernetes-list-type is specified", errors);
  if (listType === "map") checkListMap(schema, keys, path, errors);
  else if (listType === "set") checkSet(schema, path, errors);
  else if (listType !== "atomic") errors.push(notSupported(typePath, listType, ["atomic", "map", "set"]));
}

function checkListMap(schema: JsonSchema, keys: readonly string[], path: string, errors: FieldError[]): void {
  const at = `${path}.x-kubernetes-list-map-keys`;
  if (keys.length === 0) errors.push(required(at, "must not be empty if x-kubernetes-list-type is map"));
  const items = itemsOf(schema);
  if (items === undefined) {
    errors.push(required(`${path}.items`, "must have a schema if x-kubernetes-list-type is map"));
    return;
  }
  if (items.type !== "object") {
    const why = "must be object if parent array's x-kubernetes-list-type is map";
    errors.push(invalid(`${path}.items.type`, items.type ?? "", why));
  }
  keys.forEach((key, index) => {
    const property = Object.hasOwn(items.properties ?? {}, key) ? items.properties?.[key] : undefined;
    const propertyPath = `${path}.items.properties[${key}]`;
    if (keys.indexOf(key) !== index) errors.push(duplicate(`${at}[${index}]`, key));
    else if (property === undefined) {
      errors.push(invalid(`${at}[${index}]`, key, "entries must all be names of item properties"));
    } else {
      if (property.type === "object" || property.type === "array") {
        const why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
        errors.push(invalid(`${propertyPath}.type`, property.type, why));
      }
      if (property.default === undefined && items.required?.includes(key) !== true) {
        const why =
          "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
        errors.push(required(`${propertyPath}.default`, why));
      }
      if (property.nullable === true) {
        const why = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
        errors.push(forbidden(`${propertyPath}.nullable`, why));
      }
    }
  });
}

function checkSet(schema: JsonSchema, path: string, errors: FieldError[]): void {
  const items = itemsOf(schema);
  if (items === undefined) {
    errors.push(required(`${path}.items`, "must have a schema if x-kubernetes-list-type is set"));
    return;
  }
  if (items.nullable === true) {
    const why = "cannot be nullable when x-kubernetes-list-type is set";
    errors.push(forbidden(`${path}.items.nullable`, why));
  }
  if (items.type === "object" && items["x-kubernetes-map-type"] !== "atomic") {
    const why = "must be atomic as item of a list with x-kubernetes-list-type=set";
    const at = `${path}.items.x-kubernetes-map-type`;
    const given = items["x-kubernetes-map-type"];
    errors.push(given === undefined ? required(at, why) : invalid(at, given, why));
  }
  if (items.type === "array" && (items["x-kubernetes-list-type"] ?? "atomic") !== "atomic") {
    const why = "must be atomic as item of a list with x-kubernetes-list-type=set";
    errors.push(invalid(`${path}.items.x-kubernetes-list-type`, items["x-kubernetes-list-type"], why));
  }
}
