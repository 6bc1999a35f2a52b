import { checkCustomResource } from "../../api/custom/check.js";
import { type CheckedFields, checkFields } from "../../api/decode/check-fields.js";
import { DecodeError } from "../../api/decode/decode-error.js";
import { complaintsOf, warnOf } from "../../api/decode/decode-into.js";
import { goUnmarshalError } from "../../api/decode/go-errors.js";
import { goPrint } from "../../api/decode/go-print.js";
import { invalid } from "../../api/field-error.js";
import { type JsonObject, statusErrors } from "../../api/index.js";
import { isJsonObject } from "../../api/kinds/strategy.js";
import type { ServerRequest } from "../request.js";
import { checkCustomType, fieldValidationOf, kindProblem } from "./body.js";
import type { Endpoint } from "./endpoint.js";

/**
 * What a patch made of an object, as its kind has it: unknown fields are gone. Errors: Invalid on the field `patch` for what is no
 * object of the kind, and with Strict for what is odd about patch or result.
 */
export function decodePatched(endpoint: Endpoint, request: ServerRequest, patched: unknown): JsonObject {
  const { description, apiVersion } = endpoint;
  const refuse = (why: string): Error =>
    statusErrors.invalid("", "", "", [invalid("patch", shown(request, patched), why)]);
  if (!isJsonObject(patched)) throw refuse(goUnmarshalError(patched, `v1.${description.kind}`));
  const problem = request.patchType === "strategic" ? undefined : kindProblem(endpoint, patched);
  if (problem !== undefined) throw refuse(problem);
  checkCustomType(endpoint, patched);
  const checked = checkedOf(endpoint, request, { ...patched, apiVersion, kind: description.kind }, refuse);
  const validation = fieldValidationOf(request) ?? "Warn";
  if (validation === "Ignore") return checked.object;
  const complaints = [...oddities(request), ...complaintsOf({ duplicates: [] }, unknownOf(request, checked))];
  if (complaints.length === 0) return checked.object;
  if (validation === "Strict") throw refuse(`strict decoding error: ${complaints.join(", ")}`);
  warnOf(complaints, request.warn);
  return checked.object;
}

function checkedOf(
  { description }: Endpoint,
  { patchType }: ServerRequest,
  object: JsonObject,
  refuse: (why: string) => Error,
): CheckedFields {
  const { schema, custom } = description;
  try {
    if (custom === true) return checkCustomResource(schema, object);
    return checkFields(schema, object, patchType === "strategic" ? "converter" : "decoder");
  } catch (error) {
    throw error instanceof DecodeError ? refuse(error.message) : error;
  }
}

/** Upstream's converter looks at fields in no order, and sorts what it found. */
function unknownOf({ patchType }: ServerRequest, { unknown }: CheckedFields): readonly string[] {
  return patchType === "strategic" ? [...unknown].sort() : unknown;
}

/** What is odd about the text of the patch itself. */
function oddities({ patchType, body, decoded }: ServerRequest): readonly string[] {
  const facts = {
    duplicates: decoded?.duplicates ?? [],
    ...(decoded?.order === undefined ? {} : { order: decoded.order }),
  };
  if (patchType !== "json") return complaintsOf(facts, []);
  return complaintsOf(facts, unknownOperationFields(body)).map((complaint) => `json patch ${complaint}`);
}

const operationFields: ReadonlySet<string> = new Set(["op", "path", "from", "value"]);

function unknownOperationFields(body: unknown): readonly string[] {
  if (!Array.isArray(body)) return [];
  const unknown: string[] = [];
  for (const [index, operation] of (body as readonly unknown[]).entries()) {
    for (const field of isJsonObject(operation) ? Object.keys(operation) : []) {
      if (!operationFields.has(field) && unknown.length < 100) unknown.push(`[${index}].${field}`);
    }
  }
  return unknown;
}

/** The patch of a strategic merge, the patched object of the others. */
function shown({ patchType, body }: ServerRequest, patched: unknown): string {
  if (patchType === "strategic") return goPrint(body);
  if (!isJsonObject(patched)) return JSON.stringify(patched) ?? "null";
  const fields = Object.keys(patched).sort();
  return `{${fields.map((field) => `${JSON.stringify(field)}:${JSON.stringify(patched[field])}`).join(",")}}`;
}
