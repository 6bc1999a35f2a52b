import type { JsonObject } from "../../api/index.js";
import { semanticallyEqual } from "../../api/kinds/equality.js";
import { metadataOf, text, withMetadata } from "./metadata.js";

/**
 * The object without owner references that it has twice, to the letter; itself when there are none. `warn` is told: in other words
 * when they came after the client's own.
 */
export function withoutDuplicateOwners(
  object: JsonObject,
  warn: ((text: string) => void) | undefined,
  { afterAdmission = false }: { readonly afterAdmission?: boolean } = {},
): JsonObject {
  const metadata = metadataOf(object);
  const references = metadata["ownerReferences"];
  if (!Array.isArray(references) || references.length < 2) return object;
  const kept: JsonObject[] = [];
  const duplicates: string[] = [];
  const seen = new Set<string>();
  for (const reference of references as readonly JsonObject[]) {
    const uid = text(reference["uid"]);
    if (seen.has(uid) && kept.some((other) => semanticallyEqual(other, reference))) duplicates.push(uid);
    else kept.push(reference);
    seen.add(uid);
  }
  if (duplicates.length === 0) return object;
  const when = afterAdmission ? " after mutating admission happens" : "";
  warn?.(
    `.metadata.ownerReferences contains duplicate entries${when}; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${duplicates.join(", ")}`,
  );
  return withMetadata(object, { ...metadata, ownerReferences: kept });
}
