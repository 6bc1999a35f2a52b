import { describeObject, serverSideApply } from "../../api/apply/server-side-apply.js";
import { checkCustomResource } from "../../api/custom/check.js";
import { checkFields } from "../../api/decode/check-fields.js";
import { DecodeError } from "../../api/decode/decode-error.js";
import { warnOf } from "../../api/decode/decode-into.js";
import { goUnmarshalError } from "../../api/decode/go-errors.js";
import { required } from "../../api/field-error.js";
import { type JsonObject, statusErrors } from "../../api/index.js";
import { isJsonObject } from "../../api/kinds/strategy.js";
import { isBuiltinKind } from "../../api/schema-table.js";
import type { ServerRequest, ServerResult } from "../request.js";
import { defaulted, fieldValidationOf, placedObject } from "./body.js";
import { type RegistryContext, strategyContext } from "./context.js";
import type { Endpoint } from "./endpoint.js";
import { managerOf, resetFieldsOf } from "./managed-fields.js";
import { metadataOf, text } from "./metadata.js";
import { modify, withinSubresource } from "./update.js";

/** PATCH with an apply configuration: creates the object, or lays what it says over what is there. */
export async function apply(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
): Promise<ServerResult> {
  requireManager(request);
  const applied = applyConfiguration(request);
  const lay = async (live: JsonObject | undefined): Promise<JsonObject> => {
    const object = layOver(context, endpoint, request, { live, applied });
    checkText(request);
    if (live === undefined) refuseUid(endpoint, request, object);
    return placedObject(endpoint, request, object);
  };
  return modify(context, endpoint, request, lay, {
    creates: !request.subresource,
    absent: () => lay(undefined),
    recordsManagers: true,
  });
}

export function requireManager({ options }: ServerRequest): void {
  if (options?.fieldManager) return;
  throw statusErrors.invalid("meta.k8s.io", "PatchOptions", "", [
    required("fieldManager", "is required for apply patch"),
  ]);
}

/** The body of an apply, as it was written. Errors: BadRequest. */
export function applyConfiguration({ body }: ServerRequest): JsonObject {
  if (body === null || body === undefined) return {};
  if (isJsonObject(body)) return body;
  const why = goUnmarshalError(body, "map[string]interface {}");
  throw statusErrors.badRequest(`error decoding YAML: error unmarshaling JSON: while decoding JSON: ${why}`);
}

/** What server-side apply makes of a live object, in the form of its kind. Errors: those of `serverSideApply`. */
export function layOver(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
  { live, applied }: { readonly live: JsonObject | undefined; readonly applied: JsonObject },
): JsonObject {
  return serverSideApply({
    schema: endpoint.description.schema,
    live,
    applied: ofKind(endpoint, applied),
    settle: (merged) => {
      const object = defaulted(endpoint, settled(endpoint, applied, merged));
      return live === undefined ? object : withinSubresource(endpoint, request, object, live);
    },
    manager: managerOf(request),
    force: request.options?.force === true,
    apiVersion: endpoint.apiVersion,
    subresource: request.subresource,
    now: strategyContext(context, request).now,
    resetFields: resetFieldsOf(endpoint, request),
  });
}

/** Errors: an apply configuration of another kind, which upstream has no code for. Its version is for `serverSideApply` to judge. */
function ofKind({ description, apiVersion }: Endpoint, applied: JsonObject): JsonObject {
  const kind = text(applied["kind"]);
  if (kind === description.kind || applied["apiVersion"] !== apiVersion) return applied;
  const what = describeObject(applied);
  const { group, version } = description;
  throw statusErrors.unclassified(
    isBuiltinKind(apiVersion, kind)
      ? `failed to merge config: expected objects of the same type, but got ${description.kind} and ${kind}`
      : `failed to create typed patch object (${what}): no corresponding type for ${group}/${version}, Kind=${kind}`,
  );
}

function settled({ description, apiVersion }: Endpoint, applied: JsonObject, merged: JsonObject): JsonObject {
  const { schema, custom, group, version, kind } = description;
  const object = { ...merged, apiVersion, kind };
  try {
    return (custom === true ? checkCustomResource(schema, object) : checkFields(schema, object, "converter")).object;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    const why = `unable to convert unstructured object to ${group}/${version}, Kind=${kind}: ${error.message}`;
    throw statusErrors.unclassified(
      `failed to convert new object (${describeObject(applied)}) to proper version: ${why}`,
      { cause: error },
    );
  }
}

/** Keys that come twice: unlike in an object, no field can be unknown here. */
export function checkText(request: ServerRequest): void {
  const duplicates = request.decoded?.duplicates ?? [];
  const validation = fieldValidationOf(request);
  if (duplicates.length === 0 || validation === "Ignore") return;
  const why = `error converting YAML to JSON: ${duplicates.join(", ")}`;
  if (validation === "Strict") throw statusErrors.badRequest(`error strict decoding YAML: ${why}`);
  warnOf([why], request.warn);
}

/** A uid means an object that is there. */
function refuseUid({ description }: Endpoint, { name = "" }: ServerRequest, object: JsonObject): void {
  const uid = text(metadataOf(object)["uid"]);
  if (uid === "") return;
  throw statusErrors.conflict(
    description,
    name,
    `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
  );
}
