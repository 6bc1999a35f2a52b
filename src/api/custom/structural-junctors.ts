import { type FieldError, forbidden, required } from "../field-error.js";
import { isJsonObject } from "../json-value.js";
import { itemsOf, type JsonSchema, propertiesOf } from "./json-schema.js";

/** What the schemas in allOf, anyOf, oneOf and not may not say, because they only judge values and have no say in their structure. */
const structureOnly: readonly (keyof JsonSchema)[] = [
  "type",
  "title",
  "description",
  "default",
  "additionalProperties",
  "nullable",
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-embedded-resource",
  "x-kubernetes-int-or-string",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-list-type",
  "x-kubernetes-map-type",
  "x-kubernetes-validations",
];

const maxDepth = 64;

interface Junctor {
  readonly schema: JsonSchema;
  readonly path: string;
}

/** What is wrong with the logical part of a schema: with what it has in allOf, anyOf, oneOf and not. */
export function junctorErrors(schema: JsonSchema, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  for (const junctor of junctorsOf(schema, path)) {
    if (isIntOrString(schema, junctor, path)) continue;
    visit(junctor, schema, path, errors, 0);
  }
  return errors;
}

function junctorsOf(schema: JsonSchema, path: string): readonly Junctor[] {
  const lists = (["allOf", "anyOf", "oneOf"] as const).flatMap((name) =>
    (schema[name] ?? []).map((inner, index) => ({ schema: inner, path: `${path}.${name}[${index}]` })),
  );
  const all = schema.not === undefined ? lists : [...lists, { schema: schema.not, path: `${path}.not` }];
  return all.filter((junctor) => isJsonObject(junctor.schema));
}

/** `anyOf: [{type: integer}, {type: string}]`, alone or as the first of allOf, may stand beside x-kubernetes-int-or-string. */
function isIntOrString(schema: JsonSchema, junctor: Junctor, path: string): boolean {
  if (schema["x-kubernetes-int-or-string"] !== true) return false;
  const both = (list: readonly JsonSchema[] | undefined): boolean =>
    JSON.stringify(list) === '[{"type":"integer"},{"type":"string"}]';
  if (junctor.path.startsWith(`${path}.anyOf[`)) return both(schema.anyOf);
  return junctor.path === `${path}.allOf[0]` && both(schema.allOf?.[0]?.anyOf);
}

/** `outer` is the structure of the same value, that everything named here has to be in. */
function visit(
  { schema, path }: Junctor,
  outer: JsonSchema | undefined,
  outerPath: string,
  errors: FieldError[],
  depth: number,
): void {
  if (depth > maxDepth) return;
  for (const keyword of structureOnly) {
    if (isSet(schema[keyword])) errors.push(forbidden(`${path}.${keyword}`, "must be empty to be structural"));
  }
  for (const [name, property] of propertiesOf(schema)) {
    const inner = outer && propertiesOf(outer).get(name);
    const at = `${path}.properties[${name}]`;
    const outerAt = `${outerPath}.properties[${name}]`;
    if (inner === undefined && !takesAnyField(outer)) errors.push(required(outerAt, `because it is defined in ${at}`));
    visit({ schema: property, path: at }, inner, outerAt, errors, depth + 1);
  }
  const items = itemsOf(schema);
  if (items !== undefined) {
    const inner = outer && itemsOf(outer);
    if (inner === undefined) errors.push(required(`${outerPath}.items`, `because it is defined in ${path}.items`));
    visit({ schema: items, path: `${path}.items` }, inner, `${outerPath}.items`, errors, depth + 1);
  }
  for (const junctor of junctorsOf(schema, path)) visit(junctor, outer, outerPath, errors, depth + 1);
}

/** Below what is missing already there is nothing more to complain about. */
function takesAnyField(outer: JsonSchema | undefined): boolean {
  return outer === undefined;
}

function isSet(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== undefined && value !== false && value !== "";
}
