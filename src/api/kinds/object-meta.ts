import { type FieldError, forbidden, invalid, required, tooLong } from "../field-error.js";
import type { ObjectMeta, OwnerReference } from "../gen/types.js";
import { validateDns1123Label, validateDns1123Subdomain, validateQualifiedName } from "../names.js";
import { parseApiVersion } from "../resource-type.js";
import { addInvalid, checkLabels, checkNonNegative, type Errors, immutableMessage } from "./checks.js";
import { type Dictionary, entriesOf, type Loose } from "./loose.js";

export interface ObjectMetaRules {
  readonly namespaced: boolean;
  /** Absent: DNS-1123 subdomain. */
  readonly validateName?: ((name: string) => readonly string[]) | undefined;
  /** Custom resources may have finalizers without a domain, built-in kinds only upstream's own. */
  readonly anyFinalizer?: boolean;
}

interface WithMetadata {
  readonly metadata?: Loose<ObjectMeta> | undefined;
}

const maxAnnotationBytes = 256 * 1024;
const standardFinalizers: ReadonlySet<string> = new Set(["kubernetes", "orphan", "foregroundDeletion"]);

/** What is wrong with the metadata of a new object, after its name was generated. */
export function validateObjectMeta(object: WithMetadata, rules: ObjectMetaRules): readonly FieldError[] {
  const errors: Errors = [];
  const meta = object.metadata ?? {};
  const validateName = rules.validateName ?? validateDns1123Subdomain;
  if (meta.generateName) {
    addInvalid(errors, "metadata.generateName", meta.generateName, validateName(maskTrailingDash(meta.generateName)));
  }
  if (meta.name) addInvalid(errors, "metadata.name", meta.name, validateName(meta.name));
  else errors.push(required("metadata.name", "name or generateName is required"));
  if (rules.namespaced) {
    if (meta.namespace) addInvalid(errors, "metadata.namespace", meta.namespace, validateDns1123Label(meta.namespace));
    else errors.push(required("metadata.namespace"));
  } else if (meta.namespace) {
    errors.push(forbidden("metadata.namespace", "not allowed on this type"));
  }
  checkChangeableMeta(errors, meta, rules.anyFinalizer === true);
  return errors;
}

/** What an update may not do to metadata. Fields that the request leaves out count as unchanged. */
export function validateObjectMetaUpdate(
  object: WithMetadata,
  old: WithMetadata,
  rules: Pick<ObjectMetaRules, "anyFinalizer"> = {},
): readonly FieldError[] {
  const errors: Errors = [];
  const meta = object.metadata ?? {};
  const before = old.metadata ?? {};
  if (before.deletionTimestamp !== undefined) {
    const known = new Set(before.finalizers);
    const added = (meta.finalizers ?? []).filter((finalizer) => !known.has(finalizer));
    if (added.length > 0) {
      const list = added.map((finalizer) => JSON.stringify(finalizer)).join(", ");
      errors.push(
        forbidden(
          "metadata.finalizers",
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`,
        ),
      );
    }
  }
  if (meta.generation !== undefined && meta.generation < (before.generation ?? 0)) {
    errors.push(invalid("metadata.generation", meta.generation, "must not be decremented"));
  }
  for (const field of fixedFields) {
    const value = meta[field];
    if (value !== undefined && value !== "" && value !== before[field]) {
      errors.push(invalid(`metadata.${field}`, value, immutableMessage));
    }
  }
  checkChangeableMeta(errors, meta, rules.anyFinalizer === true);
  return errors;
}

const fixedFields = [
  "name",
  "namespace",
  "uid",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
] as const;

function checkChangeableMeta(errors: Errors, meta: Loose<ObjectMeta>, anyFinalizer: boolean): void {
  checkNonNegative(errors, "metadata.generation", meta.generation);
  checkLabels(errors, "metadata.labels", meta.labels);
  checkAnnotations(errors, "metadata.annotations", meta.annotations);
  checkOwnerReferences(errors, "metadata.ownerReferences", meta.ownerReferences ?? []);
  checkFinalizers(errors, "metadata.finalizers", meta.finalizers ?? [], anyFinalizer);
}

export function checkAnnotations(errors: Errors, path: string, annotations: Dictionary | undefined): void {
  let bytes = 0;
  for (const [key, value] of entriesOf(annotations)) {
    // Upper case is allowed in an annotation's prefix too.
    addInvalid(errors, path, key, validateQualifiedName(key.toLowerCase()));
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > maxAnnotationBytes) errors.push(tooLong(path, maxAnnotationBytes));
}

function checkOwnerReferences(errors: Errors, path: string, references: readonly Loose<OwnerReference>[]): void {
  let controller: string | undefined;
  references.forEach((reference, index) => {
    const at = `${path}[${index}]`;
    const { group, version } = parseApiVersion(reference.apiVersion ?? "");
    if (version === "") {
      errors.push(invalid(`${at}.apiVersion`, reference.apiVersion ?? "", "version must not be empty"));
    }
    for (const field of ["kind", "name", "uid"] as const) {
      if (!reference[field]) errors.push(invalid(`${at}.${field}`, reference[field] ?? "", "must not be empty"));
    }
    if (group === "" && version === "v1" && reference.kind === "Event") {
      errors.push(invalid(at, reference, "/v1, Kind=Event is disallowed from being an owner"));
    }
    if (reference.controller !== true) return;
    const name = reference.name ?? "";
    if (controller === undefined) controller = name;
    else {
      const why = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${name}`;
      errors.push(invalid(path, references, why));
    }
  });
}

function checkFinalizers(errors: Errors, path: string, finalizers: readonly string[], any: boolean): void {
  finalizers.forEach((finalizer, index) => {
    addInvalid(errors, path, finalizer, validateQualifiedName(finalizer));
    if (!any) checkFinalizerName(errors, `${path}[${index}]`, finalizer);
  });
  if (finalizers.includes("orphan") && finalizers.includes("foregroundDeletion")) {
    errors.push(invalid(path, finalizers, "finalizers orphan and foregroundDeletion cannot be both set"));
  }
}

/** Without a domain only upstream's own names are taken. */
export function checkFinalizerName(errors: Errors, path: string, finalizer: string): void {
  if (finalizer.includes("/") || standardFinalizers.has(finalizer)) return;
  errors.push(invalid(path, finalizer, "name is neither a standard finalizer name nor is it fully qualified"));
}

/** A prefix may end where a name may not. */
export function maskTrailingDash(prefix: string): string {
  return prefix.length > 1 && prefix.endsWith("-") ? `${prefix.slice(0, -2)}a` : prefix;
}
