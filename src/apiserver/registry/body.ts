import { checkCustomResource } from "../../api/custom/check.js";
import { decodeInto, type FieldValidation } from "../../api/decode/decode-into.js";
import { type JsonObject, statusErrors } from "../../api/index.js";
import { isJsonObject } from "../../api/kinds/strategy.js";
import type { ServerRequest } from "../request.js";
import type { Endpoint } from "./endpoint.js";
import { metadataOf, text, withMetadata } from "./metadata.js";

/**
 * The object that a client sent, brought to the form that the rest works with: of the right kind and place, without unknown fields,
 * with defaults. Errors: BadRequest.
 */
export function acceptObject(endpoint: Endpoint, request: ServerRequest, body: unknown): JsonObject {
  return defaulted(endpoint, decodeObject(endpoint, request, body));
}

export function defaulted({ description }: Endpoint, object: JsonObject): JsonObject {
  return description.strategy.defaults?.(object) ?? object;
}

/** The same without defaults: what an apply configuration says is only what is written in it. */
export function decodeObject(endpoint: Endpoint, request: ServerRequest, body: unknown): JsonObject {
  const typed = typedObject(endpoint, body);
  const { schema, kind, version, custom } = endpoint.description;
  const decoded = { ...request.decoded, duplicates: request.decoded?.duplicates ?? [], value: typed };
  const clean = decodeInto(schema, decoded, {
    kind,
    version,
    fieldValidation: fieldValidationOf(request),
    warn: request.warn,
    ...(custom === true ? { check: checkCustomResource } : {}),
  });
  return placeObject(endpoint, request, clean["metadata"] === undefined ? { ...clean, metadata: {} } : clean);
}

function fieldValidationOf(request: ServerRequest): FieldValidation | undefined {
  const asked = request.options?.fieldValidation;
  return asked === "Strict" || asked === "Warn" || asked === "Ignore" ? asked : undefined;
}

/** Checks apiVersion and kind and fills them in where they are missing. */
export function typedObject(endpoint: Endpoint, body: unknown): JsonObject {
  const { kind } = endpoint.description;
  if (!isJsonObject(body)) {
    throw statusErrors.badRequest(
      `the object provided is unrecognized (must be of type ${kind}): a JSON object is required`,
    );
  }
  const givenVersion = text(body["apiVersion"]) || endpoint.apiVersion;
  const givenKind = text(body["kind"]) || kind;
  if (givenKind !== kind) {
    throw statusErrors.badRequest(
      `${givenKind} in version ${JSON.stringify(versionOf(givenVersion))} cannot be handled as a ${kind}: no kind "${givenKind}" is registered for version "${givenVersion}" at this path`,
    );
  }
  if (givenVersion !== endpoint.apiVersion) {
    throw statusErrors.badRequest(
      `the API version in the data (${givenVersion}) does not match the expected API version (${endpoint.apiVersion})`,
    );
  }
  const metadata = body["metadata"];
  if (metadata !== undefined && metadata !== null && !isJsonObject(metadata)) {
    throw statusErrors.badRequest(
      `${kind} in version ${JSON.stringify(versionOf(givenVersion))} cannot be handled as a ${kind}: metadata must be an object`,
    );
  }
  return { ...body, apiVersion: endpoint.apiVersion, kind, metadata: metadata ?? {} };
}

function versionOf(apiVersion: string): string {
  return apiVersion.slice(apiVersion.indexOf("/") + 1);
}

/** The namespace and name of path and body must agree. */
function placeObject(endpoint: Endpoint, request: ServerRequest, object: JsonObject): JsonObject {
  const metadata = metadataOf(object);
  const namespace = text(metadata["namespace"]);
  const name = text(metadata["name"]);
  const wanted = endpoint.description.namespaced ? (request.namespace ?? "") : "";
  if (namespace !== "" && namespace !== wanted) {
    throw statusErrors.badRequest(
      "the namespace of the provided object does not match the namespace sent on the request",
    );
  }
  if (request.name !== undefined && request.verb !== "create" && name !== "" && name !== request.name) {
    throw statusErrors.badRequest(
      `the name of the object (${name}) does not match the name on the URL (${request.name})`,
    );
  }
  const placedName = name === "" && request.verb !== "create" ? request.name : undefined;
  if (namespace === wanted && placedName === undefined) return object;
  return withMetadata(object, {
    ...metadata,
    ...(wanted === "" ? {} : { namespace: wanted }),
    ...(placedName === undefined ? {} : { name: placedName }),
  });
}
