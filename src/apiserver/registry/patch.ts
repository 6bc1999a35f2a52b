import { type JsonObject, statusErrors } from "../../api/index.js";
import { isJsonObject } from "../../api/kinds/strategy.js";
import { applyJsonPatch } from "../../api/patch/json-patch.js";
import { applyMergePatch } from "../../api/patch/merge-patch.js";
import { PatchError } from "../../api/patch/patch-error.js";
import { applyStrategicMergePatch } from "../../api/patch/strategic-merge.js";
import type { ServerRequest, ServerResult } from "../request.js";
import { acceptObject } from "./body.js";
import type { RegistryContext } from "./context.js";
import type { Endpoint } from "./endpoint.js";
import { modify } from "./update.js";

/** PATCH in its three classic forms; apply is in apply.ts. */
export async function patch(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
): Promise<ServerResult> {
  return modify(
    context,
    endpoint,
    request,
    async (old) => acceptObject(endpoint, request, patched(endpoint, request, old)),
    { creates: false },
  );
}

function patched(endpoint: Endpoint, request: ServerRequest, old: JsonObject): unknown {
  const { schema, custom } = endpoint.description;
  // What a strategic merge needs to know only built-in kinds say.
  if (custom === true) return applyPatch(request, old, undefined);
  return applyPatch(request, old, (body) => applyStrategicMergePatch(schema, old, body));
}

/** Applies the patch of a request to any document. Errors: BadRequest, Invalid, UnsupportedMediaType. */
export function applyPatch(
  request: ServerRequest,
  old: JsonObject,
  strategic: ((body: JsonObject) => unknown) | undefined,
): unknown {
  const { body } = request;
  try {
    if (request.patchType === "json") return applyJsonPatch(old, body);
    if (!isJsonObject(body)) throw statusErrors.badRequest("the patch must be a JSON object");
    if (request.patchType === "merge") return applyMergePatch(old, body);
    if (strategic !== undefined) return strategic(body);
  } catch (error) {
    throw error instanceof PatchError ? error.toStatusError() : error;
  }
  throw statusErrors.unsupportedMediaType([
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
  ]);
}
