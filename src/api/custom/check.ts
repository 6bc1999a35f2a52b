import { type CheckedFields, checkFields, pruneFields } from "../decode/check-fields.js";
import { DecodeError } from "../decode/decode-error.js";
import { isJsonObject } from "../json-value.js";
import type { JsonObject } from "../object.js";
import type { Schema } from "../schema.js";
import { builtinSchema } from "../schema-table.js";

const metadataOnly: Schema = {
  type: "object",
  preserveUnknown: true,
  get properties() {
    return new Map([["metadata", builtinSchema("meta.v1.ObjectMeta")]]);
  },
};

/**
 * Brings a custom resource from a body to the form that the rest works with: fields that the schema does not specify are gone, and metadata is as
 * strict as that of every other kind. Throws DecodeError for metadata of the wrong type.
 */
export function checkCustomResource(schema: Schema, object: JsonObject): CheckedFields {
  const metadata = object["metadata"];
  if (metadata !== undefined && metadata !== null && !isJsonObject(metadata)) {
    throw new DecodeError("malformed", "metadata must be an object");
  }
  const typed = checkFields(metadataOnly, metadata === undefined ? {} : { metadata });
  const pruned = pruneFields(schema, object);
  const kept = typed.object["metadata"];
  const result =
    kept === undefined || kept === pruned.object["metadata"] ? pruned.object : { ...pruned.object, metadata: kept };
  const unknown = pruned.unknown.filter((path) => !path.startsWith("metadata."));
  return { object: result, unknown: [...typed.unknown, ...[...unknown].sort()] };
}
