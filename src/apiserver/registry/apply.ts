import { serverSideApply } from "../../api/apply/server-side-apply.js";
import { required } from "../../api/field-error.js";
import { type JsonObject, statusErrors } from "../../api/index.js";
import type { ServerRequest, ServerResult } from "../request.js";
import { decodeObject, defaulted } from "./body.js";
import { type RegistryContext, strategyContext } from "./context.js";
import type { Endpoint } from "./endpoint.js";
import { managerOf, resetFieldsOf } from "./managed-fields.js";
import { metadataOf, text, withMetadata } from "./metadata.js";
import { modify } from "./update.js";

/** PATCH with an apply configuration: creates the object, or lays what it says over what is there. */
export async function apply(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
): Promise<ServerResult> {
  if (!request.options?.fieldManager) {
    throw statusErrors.invalid("meta.k8s.io", "PatchOptions", "", [
      required("fieldManager", "is required for apply patch"),
    ]);
  }
  const applied = named(request, decodeObject(endpoint, request, request.body));
  const lay = async (live: JsonObject | undefined): Promise<JsonObject> =>
    defaulted(
      endpoint,
      serverSideApply({
        schema: endpoint.description.schema,
        live,
        applied,
        manager: managerOf(request),
        force: request.options?.force === true,
        apiVersion: endpoint.apiVersion,
        subresource: request.subresource,
        now: strategyContext(context, request).now,
        resetFields: resetFieldsOf(endpoint, request),
      }),
    );
  return modify(context, endpoint, request, lay, {
    creates: !request.subresource,
    absent: () => lay(undefined),
    recordsManagers: true,
  });
}

function named(request: ServerRequest, object: JsonObject): JsonObject {
  const metadata = metadataOf(object);
  if (text(metadata["name"]) !== "" || request.name === undefined) return object;
  return withMetadata(object, { ...metadata, name: request.name });
}
