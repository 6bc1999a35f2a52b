import { checkFields } from "../../api/decode/check-fields.js";
import { DecodeError } from "../../api/decode/decode-error.js";
import { goUnmarshalError } from "../../api/decode/go-errors.js";
import { dryRunErrors } from "../../api/dry-run.js";
import { type FieldError, invalid, notSupported } from "../../api/field-error.js";
import { type DeleteOptions, type JsonObject, statusErrors } from "../../api/index.js";
import { isJsonObject } from "../../api/kinds/strategy.js";
import { builtinSchema } from "../../api/schema-table.js";
import type { Endpoint } from "./endpoint.js";
import { metadataOf, text } from "./metadata.js";

const policies = ["Foreground", "Background", "Orphan"];

/** Reads what a delete wants. Errors: BadRequest for a body that is no DeleteOptions, Invalid for wishes that make no sense. */
export function readDeleteOptions(body: unknown): DeleteOptions {
  if (body === undefined || body === null) return {};
  const options = decode(body);
  const errors: FieldError[] = [];
  const { propagationPolicy: policy } = options;
  if (policy !== undefined && options.orphanDependents !== undefined) {
    errors.push(invalid("propagationPolicy", policy, "orphanDependents and deletionPropagation cannot be both set"));
  }
  if (policy !== undefined && !policies.includes(policy)) {
    errors.push(notSupported("propagationPolicy", policy, [...policies, "nil"]));
  }
  errors.push(...dryRunErrors(options.dryRun ?? []));
  if (errors.length > 0) throw statusErrors.invalid("meta.k8s.io", "DeleteOptions", "", errors);
  return options;
}

function decode(body: unknown): DeleteOptions {
  if (!isJsonObject(body)) throw statusErrors.badRequest(goUnmarshalError(body, "v1.DeleteOptions"));
  // Each group has a DeleteOptions of its own name.
  if ((body["kind"] ?? "DeleteOptions") !== "DeleteOptions") {
    throw statusErrors.badRequest("decoded object cannot be converted to DeleteOptions");
  }
  try {
    return checkFields(builtinSchema("meta.v1.DeleteOptions"), body).object as DeleteOptions;
  } catch (error) {
    throw error instanceof DecodeError ? statusErrors.badRequest(error.message, { cause: error }) : error;
  }
}

/** Errors: Conflict, which upstream words with the kind where other conflicts have the resource. */
export function checkPreconditions(
  { description }: Endpoint,
  { preconditions }: DeleteOptions,
  object: JsonObject,
  name: string,
): void {
  const conflict = (why: string): Error =>
    statusErrors.conflict({ group: description.group, resource: description.kind }, name, why);
  const metadata = metadataOf(object);
  const uid = text(metadata["uid"]);
  const resourceVersion = text(metadata["resourceVersion"]);
  const wanted = preconditions ?? {};
  if (wanted.uid !== undefined && wanted.uid !== uid) {
    throw conflict(
      `the UID in the precondition (${wanted.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
    );
  }
  if (wanted.resourceVersion !== undefined && wanted.resourceVersion !== resourceVersion) {
    throw conflict(
      `the ResourceVersion in the precondition (${wanted.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`,
    );
  }
}
