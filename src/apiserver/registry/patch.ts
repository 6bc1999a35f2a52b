import { goUnmarshalError } from "../../api/decode/go-errors.js";
import { type JsonObject, statusErrors } from "../../api/index.js";
import { isJsonObject } from "../../api/kinds/strategy.js";
import { applyJsonPatch } from "../../api/patch/json-patch.js";
import { applyMergePatch } from "../../api/patch/merge-patch.js";
import { PatchError } from "../../api/patch/patch-error.js";
import { applyStrategicMergePatch } from "../../api/patch/strategic-merge.js";
import type { Schema } from "../../api/schema.js";
import type { ServerRequest, ServerResult } from "../request.js";
import { defaulted, placedObject } from "./body.js";
import type { RegistryContext } from "./context.js";
import type { Endpoint } from "./endpoint.js";
import { decodePatched } from "./patched.js";
import { modify } from "./update.js";

/** PATCH in its three classic forms; apply is in apply.ts. */
export async function patch(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
): Promise<ServerResult> {
  const { schema, custom } = endpoint.description;
  // What a strategic merge needs to know only built-in kinds say.
  const strategic = custom === true ? undefined : schema;
  const next = async (old: JsonObject): Promise<JsonObject> => {
    const decoded = decodePatched(endpoint, request, applyPatch(request, old, strategic));
    return defaulted(endpoint, placedObject(endpoint, request, decoded));
  };
  return modify(context, endpoint, request, next, { creates: false });
}

/**
 * Applies the patch of a request to any document; without a schema there is no strategic merge. Errors: BadRequest, Invalid,
 * RequestEntityTooLarge, UnsupportedMediaType.
 */
export function applyPatch(request: ServerRequest, old: JsonObject, schema: Schema | undefined): unknown {
  const { patchType } = request;
  const body = request.body ?? null;
  try {
    if (patchType === "json") return applyJsonPatch(old, checkedOperations(request, body));
    if (patchType === "merge") return applyMergePatch(old, checkedDocument(request, body));
    if (patchType === "strategic" && schema !== undefined) {
      return applyStrategicMergePatch(schema, old, body === null ? {} : checkedDocument(request, body));
    }
  } catch (error) {
    throw error instanceof PatchError ? error.toStatusError() : error;
  }
  throw statusErrors.unsupportedMediaType([
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
  ]);
}

function checkedDocument({ patchType, options }: ServerRequest, body: unknown): JsonObject {
  if (isJsonObject(body)) return body;
  const why = goUnmarshalError(body, "map[string]interface {}");
  if (patchType === "strategic") throw statusErrors.badRequest(why);
  const decodes = body !== null && options?.fieldValidation !== "Ignore";
  throw statusErrors.badRequest(decodes ? `error decoding patch: ${why}` : "Invalid JSON Patch");
}

const textFields = ["op", "path", "from"] as const;

/** Upstream decodes operations twice, and the first time only to find what is odd about them. */
function checkedOperations({ options }: ServerRequest, body: unknown): unknown {
  if (options?.fieldValidation === "Ignore") return body;
  const problem = operationsProblem(body);
  if (problem !== undefined) throw statusErrors.badRequest(`error decoding patch: ${problem}`);
  return body ?? [];
}

function operationsProblem(body: unknown): string | undefined {
  if (body === null) return undefined;
  if (!Array.isArray(body)) return goUnmarshalError(body, "[]handlers.jsonPatchOp");
  for (const operation of body as readonly unknown[]) {
    if (operation === null) continue;
    if (!isJsonObject(operation)) return goUnmarshalError(operation, "handlers.jsonPatchOp");
    for (const field of textFields) {
      const value = Object.hasOwn(operation, field) ? operation[field] : undefined;
      if (value === undefined || value === null || typeof value === "string") continue;
      return goUnmarshalError(value, "string").replace(
        "Go value of type",
        `Go struct field jsonPatchOp.${field} of type`,
      );
    }
  }
  return undefined;
}
