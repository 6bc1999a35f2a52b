import { type FieldError, required } from "../field-error.js";
import { getOwn, isJsonObject } from "../json-value.js";
import { validateObjectMeta } from "../kinds/object-meta.js";
import { additionalOf, itemsOf, type JsonSchema, propertiesOf } from "./json-schema.js";
import { join } from "./validator.js";

/** What is wrong with whole objects inside of an object. */
export type EmbeddedCheck = (value: unknown, path: string, errors: FieldError[]) => void;

/** Undefined where the schema embeds nothing. */
export function compileEmbeddedCheck(schema: JsonSchema): EmbeddedCheck | undefined {
  const own = schema["x-kubernetes-embedded-resource"] === true;
  const fields = new Map<string, EmbeddedCheck>();
  for (const [name, property] of propertiesOf(schema)) {
    const check = compileEmbeddedCheck(property);
    if (check !== undefined) fields.set(name, check);
  }
  const additional = additionalOf(schema);
  const others = additional && compileEmbeddedCheck(additional);
  const items = itemsOf(schema);
  const each = items && compileEmbeddedCheck(items);
  if (!own && fields.size === 0 && others === undefined && each === undefined) return undefined;
  return (value, path, errors) => {
    if (Array.isArray(value)) for (const [index, item] of value.entries()) each?.(item, `${path}[${index}]`, errors);
    if (!isJsonObject(value)) return;
    if (own) checkIdentity(value, path, errors);
    for (const key of Object.keys(value)) (fields.get(key) ?? others)?.(getOwn(value, key), join(path, key), errors);
  };
}

function checkIdentity(object: { readonly [key: string]: unknown }, path: string, errors: FieldError[]): void {
  for (const field of ["apiVersion", "kind"]) {
    const value = getOwn(object, field);
    if (typeof value !== "string" || value === "") errors.push(required(join(path, field), "must not be empty"));
  }
  const metadata = getOwn(object, "metadata");
  if (!isJsonObject(metadata)) return;
  // Namespace and name are not this server's to judge: what is embedded may be a template without.
  const name = typeof metadata["name"] === "string" && metadata["name"] !== "" ? metadata["name"] : "unnamed";
  const { namespace: _, ...rest } = metadata;
  const found = validateObjectMeta({ metadata: { ...rest, name } }, { namespaced: false, anyFinalizer: true });
  for (const error of found) errors.push({ ...error, path: join(path, error.path) });
}
