import { messageToJson, misplacedMessages } from "../../../api/admission-cel/messages.js";
import { checkApplied } from "../../../api/apply/check-applied.js";
import { mergeApplied } from "../../../api/apply/merge.js";
import { fieldSchema } from "../../../api/apply/shape.js";
import type { JsonObject, Schema } from "../../../api/index.js";
import { isJsonObject } from "../../../api/json-value.js";
import { EvaluationError } from "./evaluation.js";

/**
 * Lays what an expression made over the object, as server-side apply does, but without owners. Lists and maps that can only be set as a whole are
 * refused: whoever sets one rarely means to remove the rest. Throws EvaluationError.
 */
export function applyConfiguration(value: unknown, object: JsonObject, schema: Schema): JsonObject {
  const misplaced = misplacedMessages(value, "Object");
  if (misplaced.length > 0) throw new EvaluationError(`type mismatch: ${misplaced.join("\n")}`);
  const made = messageToJson(value);
  if (!isJsonObject(made)) throw new EvaluationError("invalid return type");
  const applied: JsonObject = { ...made, apiVersion: object["apiVersion"], kind: object["kind"] };
  const errors = checkApplied(schema, applied);
  if (errors.length > 0) {
    const why = errors.length === 1 ? errors[0] : `errors:\n${errors.map((error) => `  ${error}`).join("\n")}`;
    throw new EvaluationError(`error applying patch: failed to convert patch object to typed object: ${why}`);
  }
  const atomics = atomicPaths(schema, applied, "");
  if (atomics.length > 0) {
    const which = atomics.join(", ");
    throw new EvaluationError(
      `error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${which}`,
    );
  }
  const merged = mergeApplied(schema, object, applied);
  return isJsonObject(merged) ? merged : object;
}

function atomicPaths(schema: Schema, value: unknown, path: string): readonly string[] {
  if (Array.isArray(value) && schema.type === "array") {
    const { items, listType } = schema;
    const here = listType === "map" || listType === "set" ? [] : [path];
    if (items === undefined) return here;
    return [...here, ...value.flatMap((item, index) => atomicPaths(items, item, `${path}[${index}]`))];
  }
  if (!isJsonObject(value) || schema.type !== "object") return [];
  const here = schema.mapType === "atomic" ? [path] : [];
  const below = Object.entries(value).flatMap(([key, inner]) => {
    const field = schema.properties?.has(key) ? fieldSchema(schema, key) : undefined;
    return field === undefined ? [] : atomicPaths(field, inner, `${path}.${key}`);
  });
  return [...here, ...below];
}
