import { checkCustomResource } from "../../api/custom/check.js";
import { decodeInto, type FieldValidation } from "../../api/decode/decode-into.js";
import { goUnmarshalError, summarize } from "../../api/decode/go-errors.js";
import { type FieldError, invalid } from "../../api/field-error.js";
import { type JsonObject, parseApiVersion, statusErrors } from "../../api/index.js";
import { isJsonObject } from "../../api/kinds/strategy.js";
import { isBuiltinKind } from "../../api/schema-table.js";
import type { ServerRequest } from "../request.js";
import type { Endpoint } from "./endpoint.js";
import { metadataOf, text, withMetadata } from "./metadata.js";

/**
 * The object that a client sent, brought to the form that the rest works with: of the right kind and place, without unknown fields,
 * with defaults. Errors: BadRequest.
 */
export function acceptObject(endpoint: Endpoint, request: ServerRequest, body: unknown): JsonObject {
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
  return defaulted(endpoint, placedObject(endpoint, request, clean));
}

export function defaulted({ description }: Endpoint, object: JsonObject): JsonObject {
  return description.strategy.defaults?.(object) ?? object;
}

export function fieldValidationOf(request: ServerRequest): FieldValidation | undefined {
  const asked = request.options?.fieldValidation;
  return asked === "Strict" || asked === "Warn" || asked === "Ignore" ? asked : undefined;
}

/** What is wrong with the kind of an object that should be one of the endpoint's; built-in kinds that name none are of the right one. */
export function kindProblem({ description, apiVersion }: Endpoint, object: JsonObject): string | undefined {
  if (description.custom === true) return undefined;
  const kind = text(object["kind"]) || description.kind;
  const given = text(object["apiVersion"]) || apiVersion;
  if (!isBuiltinKind(given, kind)) {
    return `no kind "${kind}" is registered for version "${given}" in scheme "pkg/api/legacyscheme/scheme.go:30"`;
  }
  if (kind === description.kind) return undefined;
  const internal = description.group.split(".", 1)[0] || "core";
  return `converting (${parseApiVersion(given).version}.${kind}) to (${internal}.${description.kind}): unknown conversion`;
}

/** Checks apiVersion and kind and fills them in where a built-in kind lacks them. */
function typedObject(endpoint: Endpoint, body: unknown): JsonObject {
  const { kind, custom } = endpoint.description;
  const unrecognized = (why: string): Error =>
    statusErrors.badRequest(
      `the object provided is unrecognized (must be of type ${kind}): ${why} (${summarize(Buffer.from(JSON.stringify(body) ?? ""))})`,
    );
  const object = body === null ? {} : body;
  if (!isJsonObject(object))
    throw unrecognized(`couldn't get version/kind; json parse error: ${findKindError(object)}`);
  const givenKind = text(object["kind"]);
  if (custom === true && givenKind === "") {
    throw statusErrors.badRequest("Object 'Kind' is missing in 'unstructured object has no kind'");
  }
  const givenVersion = text(object["apiVersion"]) || (custom === true ? "" : endpoint.apiVersion);
  const problem = kindProblem(endpoint, object);
  if (problem !== undefined) {
    const { version } = parseApiVersion(givenVersion);
    throw statusErrors.badRequest(
      `${givenKind || kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: ${problem}`,
    );
  }
  if (givenVersion !== endpoint.apiVersion) {
    throw statusErrors.badRequest(
      `the API version in the data (${givenVersion}) does not match the expected API version (${endpoint.apiVersion})`,
    );
  }
  checkCustomType(endpoint, object);
  return { ...object, apiVersion: endpoint.apiVersion, kind: givenKind || kind };
}

/** Custom resources say what they are, and are judged by it only when they are validated. Errors: Invalid. */
export function checkCustomType({ description, apiVersion }: Endpoint, object: JsonObject): void {
  const { custom, group, kind } = description;
  if (custom !== true) return;
  const errors: FieldError[] = [];
  if (object["kind"] !== kind) errors.push(invalid("kind", object["kind"] ?? "", `must be ${kind}`));
  if (object["apiVersion"] !== apiVersion) {
    errors.push(invalid("apiVersion", object["apiVersion"] ?? "", `must be ${apiVersion}`));
  }
  if (errors.length === 0) return;
  throw statusErrors.invalid(group, text(object["kind"]), text(metadataOf(object)["name"]), errors);
}

function findKindError(body: unknown): string {
  return goUnmarshalError(
    body,
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }',
  );
}

/**
 * An object where its request is: in the namespace of the path, and of the name there, but for a new object, which brings its own.
 * Errors: BadRequest.
 */
export function placedObject(endpoint: Endpoint, request: ServerRequest, object: JsonObject): JsonObject {
  const metadata = metadataOf(object);
  const given = text(metadata["namespace"]);
  const namespace = endpoint.description.namespaced ? (request.namespace ?? "") : "";
  if (given !== "" && namespace !== "" && given !== namespace) {
    throw statusErrors.badRequest(
      "the namespace of the provided object does not match the namespace sent on the request",
    );
  }
  if (request.verb !== "create") checkName(request, text(metadata["name"]));
  if (given === namespace && isJsonObject(object["metadata"])) return object;
  const { namespace: _, ...kept } = metadata;
  return withMetadata(object, namespace === "" ? kept : { ...kept, namespace });
}

function checkName(request: ServerRequest, name: string): void {
  const { name: wanted = "" } = request;
  if (name === "") {
    throw statusErrors.badRequest(
      `the name of the object (${wanted} based on URL) was undeterminable: name must be provided`,
    );
  }
  if (name !== wanted) {
    throw statusErrors.badRequest(`the name of the object (${name}) does not match the name on the URL (${wanted})`);
  }
}
