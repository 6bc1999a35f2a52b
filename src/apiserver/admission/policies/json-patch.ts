import { Message, messageToJson, misplacedMessages } from "../../../api/admission-cel/messages.js";
import { applyJsonPatch, type JsonObject, PatchError } from "../../../api/index.js";
import { isJsonObject } from "../../../api/json-value.js";
import { EvaluationError } from "./evaluation.js";

/** Applies the JSON patches that an expression made. A test that fails leaves the object as it is. Throws EvaluationError. */
export function applyPatches(value: unknown, object: JsonObject): JsonObject {
  if (!Array.isArray(value))
    throw new EvaluationError("type mismatch: JSONPatchType.expression should evaluate to array");
  const operations = value.map(operationOf);
  try {
    const patched = applyJsonPatch(object, operations);
    if (isJsonObject(patched)) return patched;
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    if (error.message.endsWith("test failed")) return object;
    throw new EvaluationError(`JSONPath: ${error.message}`, { cause: error });
  }
  throw new EvaluationError("JSONPath: the patched object is none");
}

function operationOf(value: unknown): JsonObject {
  if (!(value instanceof Message) || value.type !== "JSONPatch") {
    throw new EvaluationError("type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch");
  }
  const given = value.fields.get("value");
  if (given instanceof Message) {
    const misplaced = misplacedMessages(given, given.type);
    if (misplaced.length > 0) throw new EvaluationError(`type mismatch: ${misplaced.join("\n")}`);
  }
  const from = value.fields.get("from");
  return {
    op: value.fields.get("op") ?? "",
    path: value.fields.get("path") ?? "",
    ...(from === undefined || from === "" ? {} : { from }),
    ...(value.fields.has("value") ? { value: jsonOf(given) } : {}),
  };
}

function jsonOf(value: unknown): unknown {
  try {
    return messageToJson(value);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new EvaluationError(`JSONPath valueExpression evaluated to a type that could not marshal to JSON: ${why}`, {
      cause,
    });
  }
}
