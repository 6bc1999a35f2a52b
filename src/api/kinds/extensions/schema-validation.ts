import { compileJsonPath, JsonPathError } from "../../columns/json-path.js";
import { compileRules } from "../../custom/cel/rules.js";
import { noOld } from "../../custom/correlate.js";
import { additionalOf, itemsOf, type JsonSchema, propertiesOf } from "../../custom/json-schema.js";
import { PatternError } from "../../custom/regex.js";
import { structuralErrors } from "../../custom/structural.js";
import { compileCheck } from "../../custom/validator.js";
import { duplicate, type FieldError, invalid, required, tooMany } from "../../field-error.js";
import type { CustomResourceDefinition } from "../../gen/types.js";
import { jsonEqual } from "../../json-value.js";
import { checkRequired, type Errors } from "../checks.js";
import type { Loose } from "../loose.js";

type Definition = Loose<CustomResourceDefinition>;
type Version = NonNullable<NonNullable<NonNullable<Definition["spec"]>["versions"]>[number]>;
type Scale = NonNullable<NonNullable<Version["subresources"]>["scale"]>;

const simplePath = "must be a simple json path starting with .";
const columnTypes: readonly string[] = ["boolean", "date", "integer", "number", "string"];
const columnFormats: readonly string[] = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
const maxSelectableFields = 8;

/**
 * What is wrong with the schemas, columns and selectable fields of a definition. What all versions have in common upstream keeps, and
 * shows, in one place.
 */
export function validateSchemas(definition: Definition): readonly FieldError[] {
  const errors: Errors = [];
  if (definition.spec?.preserveUnknownFields === true) {
    const why =
      "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
    errors.push(invalid("spec.preserveUnknownFields", true, why));
  }
  const versions = definition.spec?.versions ?? [];
  each(versions, "schema", (version, path) => {
    const schema = version.schema?.openAPIV3Schema;
    if (schema === undefined) return;
    checkSchema(schema as JsonSchema, path("spec.validation", "schema", ".openAPIV3Schema"), errors);
  });
  each(versions, "subresources", ({ subresources }, path) => {
    checkScale(errors, path("spec.subresources", "subresources", ".scale"), subresources?.scale);
  });
  each(versions, "additionalPrinterColumns", (version, path) => {
    checkColumns(version, path("spec.additionalPrinterColumns", "additionalPrinterColumns", ""), errors);
  });
  each(versions, "selectableFields", (version, path) => {
    checkSelectableFields(version, path("spec.selectableFields", "selectableFields", ""), errors);
  });
  return errors;
}

type PathOf = (shared: string, field: string, below: string) => string;

function each(
  versions: readonly Version[],
  field: keyof Version,
  visit: (version: Version, path: PathOf) => void,
): void {
  const [first] = versions;
  if (first === undefined) return;
  if (versions.every((version) => jsonEqual(version[field], first[field]))) {
    visit(first, (shared, _, below) => `${shared}${below}`);
    return;
  }
  versions.forEach((version, index) => {
    visit(version, (_, own, below) => `spec.versions[${index}].${own}${below}`);
  });
}

function checkSchema(schema: JsonSchema, path: string, errors: Errors): void {
  const structure = structuralErrors(schema, path);
  errors.push(...structure);
  if (structure.length > 0) return;
  try {
    checkDefaults(schema, path, errors);
  } catch (error) {
    // Said above, with its path.
    if (!(error instanceof PatternError)) throw error;
  }
  errors.push(...compileRules(schema, path).errors);
}

/** Every default must be what its schema allows. */
function checkDefaults(schema: JsonSchema, path: string, errors: Errors): void {
  if (schema.default !== undefined) {
    const found: FieldError[] = [];
    compileCheck(schema)(schema.default, { path: "", errors: found, old: noOld, putOff: undefined });
    for (const error of found) {
      errors.push({ ...error, path: error.path === "" ? `${path}.default` : `${path}.default.${error.path}` });
    }
  }
  for (const [name, property] of propertiesOf(schema)) checkDefaults(property, `${path}.properties[${name}]`, errors);
  const items = itemsOf(schema);
  if (items !== undefined) checkDefaults(items, `${path}.items`, errors);
  const additional = additionalOf(schema);
  if (additional !== undefined) checkDefaults(additional, `${path}.additionalProperties`, errors);
}

function checkScale(errors: Errors, path: string, scale: Scale | undefined): void {
  if (scale === undefined) return;
  for (const [field, root] of [
    ["specReplicasPath", ".spec"],
    ["statusReplicasPath", ".status"],
  ] as const) {
    const value = scale[field];
    if (checkRequired(errors, `${path}.${field}`, value)) {
      checkPathBelow(errors, `${path}.${field}`, value, [root], `should be a json path under ${root}`);
    }
  }
  const { labelSelectorPath: selector = "" } = scale;
  if (selector === "") return;
  const why = "should be a json path under either .spec or .status";
  checkPathBelow(errors, `${path}.labelSelectorPath`, selector, [".spec", ".status"], why);
}

function checkPathBelow(errors: Errors, path: string, value: string, roots: readonly string[], why: string): void {
  if (!value.startsWith(".")) errors.push(invalid(path, value, simplePath));
  else if (!roots.some((root) => value.startsWith(`${root}.`))) errors.push(invalid(path, value, why));
}

function checkColumns({ additionalPrinterColumns = [] }: Version, path: string, errors: Errors): void {
  additionalPrinterColumns.forEach(({ name, type, format, jsonPath }, index) => {
    const at = `${path}[${index}]`;
    if (!name) errors.push(required(`${at}.name`));
    if (!type) errors.push(required(`${at}.type`, `must be one of ${columnTypes.join(",")}`));
    else if (!columnTypes.includes(type)) {
      errors.push(invalid(`${at}.type`, type, `must be one of ${columnTypes.join(",")}`));
    }
    if (format && !columnFormats.includes(format)) {
      errors.push(invalid(`${at}.format`, format, `must be one of ${columnFormats.join(",")}`));
    }
    // Upstream's spelling.
    if (!checkRequired(errors, `${at}.JSONPath`, jsonPath)) return;
    if (!jsonPath.startsWith(".")) {
      errors.push(invalid(`${at}.JSONPath`, jsonPath, simplePath));
      return;
    }
    try {
      compileJsonPath(jsonPath);
    } catch (error) {
      if (!(error instanceof JsonPathError)) throw error;
      errors.push(invalid(`${at}.JSONPath`, jsonPath, error.message));
    }
  });
}

function checkSelectableFields(version: Version, path: string, errors: Errors): void {
  const seen = new Set<string>();
  version.selectableFields?.forEach(({ jsonPath }, index) => {
    const at = `${path}[${index}].jsonPath`;
    if (!checkRequired(errors, at, jsonPath)) return;
    if (/^\.metadata(\.|$)/.test(jsonPath)) {
      errors.push(invalid(at, jsonPath, "must not point to fields in metadata"));
    }
    const schema = schemaAt(version.schema?.openAPIV3Schema as JsonSchema | undefined, jsonPath);
    if (schema === undefined) {
      errors.push(invalid(at, jsonPath, "is an invalid path: does not refer to a valid field"));
      return;
    }
    if (!["string", "boolean", "integer"].includes(schema.type ?? "")) {
      const why =
        "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
      errors.push(invalid(at, jsonPath, why));
    }
    if (seen.has(jsonPath)) errors.push(duplicate(at, jsonPath));
    seen.add(jsonPath);
  });
  if (seen.size > maxSelectableFields) errors.push(tooMany(path, seen.size, maxSelectableFields));
}

function schemaAt(schema: JsonSchema | undefined, path: string): JsonSchema | undefined {
  if (!/^(\.[A-Za-z_][\w-]*)+$/.test(path) || path.startsWith(".metadata")) return undefined;
  let at = schema;
  for (const name of path.slice(1).split(".")) at = at && propertiesOf(at).get(name);
  return at;
}
