import type { JsonObject } from "../../api/index.js";
import { acceptObject } from "../registry/body.js";
import type { ApiServer } from "../server.js";
import type { AdmissionRequest } from "./admission.js";

/** Brings an object that admission has changed to the server's form again: checked against its schema, with defaults. Throws BadRequest. */
export type Settle = (request: AdmissionRequest, object: JsonObject) => JsonObject;

export function settler(server: Pick<ApiServer, "endpointFor">, options: { readonly strict: boolean }): Settle {
  return (request, object) => {
    // What a subresource takes is of another kind.
    if (request.subresource !== "" && request.subresource !== "status") return object;
    const { group, version, resource, namespace, user, warn } = request;
    const endpoint = server.endpointFor(request);
    const place = endpoint.description.namespaced ? { namespace } : {};
    const more = options.strict ? { options: { fieldValidation: "Strict" as const } } : {};
    return acceptObject(endpoint, { verb: "create", group, version, resource, ...place, user, warn, ...more }, object);
  };
}
