import type { FieldsV1 } from "../../api/apply/fields-v1.js";
import { updateManagedFields } from "../../api/apply/update.js";
import type { JsonObject } from "../../api/index.js";
import type { ServerRequest } from "../request.js";
import { type RegistryContext, strategyContext } from "./context.js";
import type { Endpoint } from "./endpoint.js";

const status: FieldsV1 = { "f:status": {} };
const spec: FieldsV1 = { "f:spec": {} };
const allButStatus: FieldsV1 = { "f:metadata": {}, "f:spec": {} };

/** What a writer through this endpoint can never own, because the endpoint does not write it. */
export function resetFieldsOf(endpoint: Endpoint, request: ServerRequest): FieldsV1 | undefined {
  if (request.subresource === "status") return endpoint.description.custom === true ? allButStatus : spec;
  return endpoint.description.subresources.has("status") ? status : undefined;
}

export function managerOf(request: ServerRequest): string {
  return request.options?.fieldManager || (request.userAgent ?? "").split("/", 1)[0] || "unknown";
}

/** The object with it written down who changed what; for all writes but apply, which does so itself. */
export function recordManager(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
  object: JsonObject,
  old: JsonObject | undefined,
): JsonObject {
  return updateManagedFields({
    schema: endpoint.description.schema,
    old,
    object,
    manager: managerOf(request),
    apiVersion: endpoint.apiVersion,
    subresource: request.subresource,
    now: strategyContext(context, request).now,
    resetFields: resetFieldsOf(endpoint, request),
  });
}
