import { formatCheck } from "../../custom/formats.js";
import { additionalOf, itemsOf, type JsonSchema, propertiesOf } from "../../custom/json-schema.js";
import type { CustomResourceDefinition } from "../../gen/types.js";
import type { Loose } from "../loose.js";

type Definition = Loose<CustomResourceDefinition>;

/** Warns of formats that nobody checks; of those only once that the old definition does not have. */
export function definitionWarnings(definition: Definition, old: Definition | undefined): readonly string[] {
  const before = formatsOf(old);
  return [...formatsOf(definition)]
    .filter((format) => !before.has(format))
    .map((format) => `unrecognized format ${JSON.stringify(format)}`);
}

function formatsOf(definition: Definition | undefined): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { schema } of definition?.spec?.versions ?? []) {
    if (schema?.openAPIV3Schema !== undefined) collect(schema.openAPIV3Schema as JsonSchema, found);
  }
  return found;
}

function collect(schema: JsonSchema, found: Set<string>): void {
  if (schema.format && !isKnown(schema.type ?? "", schema.format)) found.add(schema.format);
  for (const below of schemasBelow(schema)) collect(below, found);
}

function isKnown(type: string, format: string): boolean {
  switch (type) {
    case "":
    case "string":
      return format === "quantity" || formatCheck(format) !== undefined;
    case "integer":
      return format === "int32" || format === "int64";
    case "number":
      return format === "float" || format === "double";
    default:
      return false;
  }
}

function schemasBelow(schema: JsonSchema): readonly JsonSchema[] {
  const single = [itemsOf(schema), additionalOf(schema), schema.not].filter((one) => one !== undefined);
  const lists = [schema.allOf, schema.anyOf, schema.oneOf].flatMap((list) => list ?? []);
  return [...single, ...lists, ...propertiesOf(schema).values()];
}
