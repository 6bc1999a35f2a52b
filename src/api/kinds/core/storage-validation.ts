import { type FieldError, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from "../../gen/types.js";
import { tryParseQuantity } from "../../quantity.js";
import { checkImmutable, checkQualifiedName, type Errors } from "../checks.js";
import { semanticallyEqual } from "../equality.js";
import { entriesOf, type Loose, ownValue } from "../loose.js";
import { checkClaimSpec } from "./claim-spec-validation.js";
import { checkResourceQuantity } from "./resource-names.js";

const classAnnotation = "volume.beta.kubernetes.io/storage-class";

export function validateClaim(claim: Loose<PersistentVolumeClaim>): readonly FieldError[] {
  const errors: Errors = [];
  checkClaimSpec(errors, "spec", claim.spec ?? {});
  return errors;
}

/** Only a bound claim may ask for more, and an unbound one may get its volume and its class. */
export function validateClaimUpdate(
  claim: Loose<PersistentVolumeClaim>,
  old: Loose<PersistentVolumeClaim>,
): readonly FieldError[] {
  const errors: Errors = [];
  const spec = claim.spec ?? {};
  const before = old.spec ?? {};
  checkClassUpdate(errors, claim, old);
  if (!semanticallyEqual(comparableSpec(claim, old), before)) {
    const fields = "resources.requests and volumeAttributesClassName for bound claims";
    errors.push(forbidden("spec", `spec is immutable after creation except ${fields}\n`));
  }
  const wanted = tryParseQuantity(ownValue(spec.resources?.requests, "storage") ?? "0");
  const had = tryParseQuantity(ownValue(before.resources?.requests, "storage") ?? "0");
  const capacity = tryParseQuantity(ownValue(old.status?.capacity, "storage") ?? "0");
  // An expansion that failed may be asked for less, but never less than there is.
  if (wanted && had && capacity && wanted.compare(had) < 0 && wanted.compare(capacity) <= 0) {
    errors.push(forbidden("spec.resources.requests.storage", "field can not be less than status.capacity"));
  }
  checkImmutable(errors, "volumeMode", spec.volumeMode, before.volumeMode);
  const path = "spec.volumeAttributesClassName";
  if (before.volumeAttributesClassName === undefined) return errors;
  if (spec.volumeAttributesClassName === undefined) {
    errors.push(forbidden(path, "update from non-nil value to nil is forbidden"));
  } else if (spec.volumeAttributesClassName === "" && before.volumeAttributesClassName !== "") {
    errors.push(forbidden(path, "update from non-nil value to an empty string is forbidden"));
  }
  return errors;
}

/** The new spec with what may change as it was. */
function comparableSpec(
  claim: Loose<PersistentVolumeClaim>,
  old: Loose<PersistentVolumeClaim>,
): Loose<PersistentVolumeClaimSpec> {
  const spec = claim.spec ?? {};
  const before = old.spec ?? {};
  let result = spec;
  if (!before.volumeName) result = { ...result, volumeName: before.volumeName };
  if (mayGetClass(claim, old)) result = { ...result, storageClassName: before.storageClassName };
  if (claim.status?.phase !== "Bound") return result;
  if (result.volumeAttributesClassName !== undefined) {
    result = { ...result, volumeAttributesClassName: before.volumeAttributesClassName };
  }
  const requests = result.resources?.requests;
  if (requests === undefined) return result;
  const storage = ownValue(before.resources?.requests, "storage");
  return { ...result, resources: { ...result.resources, requests: { ...requests, storage } } };
}

/** A claim that has none may get a class: the one that its annotation names, or any where there is no annotation. */
function mayGetClass(claim: Loose<PersistentVolumeClaim>, old: Loose<PersistentVolumeClaim>): boolean {
  const name = claim.spec?.storageClassName;
  const annotated = ownValue(old.metadata?.annotations, classAnnotation);
  if (old.spec?.storageClassName !== undefined || name === undefined) return false;
  return annotated === undefined || annotated === name;
}

function checkClassUpdate(
  errors: Errors,
  claim: Loose<PersistentVolumeClaim>,
  old: Loose<PersistentVolumeClaim>,
): void {
  const now = ownValue(claim.metadata?.annotations, classAnnotation);
  const then = ownValue(old.metadata?.annotations, classAnnotation);
  const becomesField = then !== undefined && now === undefined && mayGetClass(claim, old);
  if (now === then || becomesField) return;
  errors.push(invalid(`metadata.annotations.${classAnnotation}`, now ?? "", "field is immutable"));
}

const resizeStates = [
  "ControllerResizeInProgress",
  "ControllerResizeInfeasible",
  "NodeResizeInProgress",
  "NodeResizeInfeasible",
  "NodeResizePending",
];

export function validateClaimStatusUpdate(claim: Loose<PersistentVolumeClaim>): readonly FieldError[] {
  const errors: Errors = [];
  const { capacity, allocatedResources, allocatedResourceStatuses } = claim.status ?? {};
  if ((claim.spec?.accessModes?.length ?? 0) === 0) errors.push(required("Spec.accessModes"));
  for (const [name, value] of entriesOf(capacity)) checkCapacity(errors, `status.capacity[${name}]`, value);
  for (const [name, state] of entriesOf(allocatedResourceStatuses)) {
    const path = "status.allocatedResourceStatus";
    checkResizedResource(errors, path, name);
    if (!resizeStates.includes(state)) errors.push(notSupported(path, name, resizeStates));
  }
  for (const [name, value] of entriesOf(allocatedResources)) {
    const path = "status.allocatedResources";
    if (!checkResizedResource(errors, path, name)) continue;
    if (checkCapacity(errors, `${path}[${name}]`, value)) {
      checkResourceQuantity(errors, `${path}[${name}]`, "storage", value);
    }
  }
  return errors;
}

function checkResizedResource(errors: Errors, path: string, name: string): boolean {
  const before = errors.length;
  checkQualifiedName(errors, path, name);
  const native = !name.includes("/") || name.includes("kubernetes.io/");
  if (errors.length === before && native && name !== "storage") errors.push(notSupported(path, name, ["storage"]));
  return errors.length === before;
}

/** An amount that there is cannot be less than none. */
export function checkCapacity(errors: Errors, path: string, value: string): boolean {
  const quantity = tryParseQuantity(value);
  if (quantity !== undefined && quantity.sign >= 0) return true;
  errors.push(invalid(path, quantity?.value() ?? value, "must be a valid resource quantity"));
  return false;
}

const classAnnotationWarning = `deprecated since v1.8; use "storageClassName" attribute instead`;

export function claimWarnings(
  claim: Loose<PersistentVolumeClaim>,
  old: Loose<PersistentVolumeClaim> | undefined,
): readonly string[] {
  const warnings: string[] = [];
  if (ownValue(claim.metadata?.annotations, classAnnotation) !== undefined) {
    warnings.push(`metadata.annotations[${classAnnotation}]: ${classAnnotationWarning}`);
  }
  // A stored amount is as it is.
  if (old === undefined || !semanticallyEqual(claim.spec?.resources, old.spec?.resources)) {
    warnings.push(...claimSpecWarnings("spec", claim.spec ?? {}));
  }
  return warnings;
}

export function claimSpecWarnings(path: string, spec: Loose<PersistentVolumeClaimSpec>): readonly string[] {
  return (["requests", "limits"] as const).flatMap((list) => {
    const quantity = tryParseQuantity(ownValue(spec.resources?.[list], "storage"));
    if (quantity === undefined || quantity.milliValue() % 1000 === 0) return [];
    return [`${path}.resources.${list}[storage]: fractional byte value "${quantity}" is invalid, must be an integer`];
  });
}
