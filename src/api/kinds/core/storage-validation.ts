import { type FieldError, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type { PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimSpec } from "../../gen/types.js";
import { compareQuantities, tryParseQuantity } from "../../quantity.js";
import { checkImmutable, checkSubdomain, type Errors } from "../checks.js";
import { semanticallyEqual } from "../equality.js";
import { entriesOf, type Loose, ownValue } from "../loose.js";
import { checkAccessModes, checkClaimSpec, volumeModes } from "./claim-spec-validation.js";
import { checkNodeSelectorTerms } from "./scheduling-validation.js";
import { checkNoBacksteps, checkSharedSource } from "./volume-validation.js";

/** The fields of a PersistentVolume's spec that are not its source. */
const otherFields: ReadonlySet<string> = new Set([
  "accessModes",
  "capacity",
  "claimRef",
  "mountOptions",
  "nodeAffinity",
  "persistentVolumeReclaimPolicy",
  "storageClassName",
  "volumeAttributesClassName",
  "volumeMode",
]);

export function validatePersistentVolume(volume: Loose<PersistentVolume>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = volume.spec ?? {};
  checkAccessModes(errors, "spec.accessModes", spec.accessModes);
  const capacity = entriesOf(spec.capacity);
  if (capacity.length === 0) errors.push(required("spec.capacity"));
  else if (capacity.length > 1 || ownValue(spec.capacity, "storage") === undefined) {
    errors.push(notSupported("spec.capacity", spec.capacity, ["storage"]));
  }
  for (const [name, value] of capacity) {
    const quantity = tryParseQuantity(value);
    if (quantity === undefined || quantity.sign <= 0) {
      errors.push(invalid(`spec.capacity[${name}]`, quantity?.toString() ?? value, "must be greater than zero"));
    }
  }
  const policies = ["Delete", "Recycle", "Retain"];
  const policy = spec.persistentVolumeReclaimPolicy ?? "";
  if (policy !== "" && !policies.includes(policy)) {
    errors.push(notSupported("spec.persistentVolumeReclaimPolicy", policy, policies));
  }
  if (spec.nodeAffinity !== undefined) {
    if (spec.nodeAffinity.required === undefined) {
      errors.push(required("spec.nodeAffinity.required", "must specify required node constraints"));
    } else {
      checkNodeSelectorTerms(errors, "spec.nodeAffinity.required", spec.nodeAffinity.required);
    }
  }
  checkVolumeSource(errors, volume);
  if (spec.storageClassName) checkSubdomain(errors, "spec.storageClassName", spec.storageClassName);
  if (spec.volumeMode !== undefined && !volumeModes.includes(spec.volumeMode)) {
    errors.push(notSupported("spec.volumeMode", spec.volumeMode, volumeModes));
  }
  return errors;
}

function checkVolumeSource(errors: Errors, volume: Loose<PersistentVolume>): void {
  const spec = volume.spec ?? {};
  let found = false;
  for (const [source, value] of Object.entries(spec)) {
    if (otherFields.has(source) || value === undefined) continue;
    if (found) {
      errors.push(forbidden(`spec.${source}`, "may not specify more than 1 volume type"));
      continue;
    }
    found = true;
    checkSharedSource(errors, `spec.${source}`, source, spec);
  }
  if (!found) errors.push(required("spec", "must specify a volume type"));
  if (spec.local !== undefined) {
    if (!spec.local.path) errors.push(required("spec.local.path"));
    else checkNoBacksteps(errors, "spec.local.path", spec.local.path);
    if (spec.nodeAffinity === undefined) {
      errors.push(required("spec.nodeAffinity", "Local volume requires node affinity"));
    }
  }
  if (spec.csi !== undefined) {
    if (!spec.csi.driver) errors.push(required("spec.csi.driver"));
    if (!spec.csi.volumeHandle) errors.push(required("spec.csi.volumeHandle"));
  }
  if (spec.hostPath?.path === "/" && spec.persistentVolumeReclaimPolicy === "Recycle") {
    errors.push(forbidden("spec.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'"));
  }
}

export function validatePersistentVolumeUpdate(
  volume: Loose<PersistentVolume>,
  old: Loose<PersistentVolume>,
): readonly FieldError[] {
  const errors: Errors = [];
  const sourceOf = (object: Loose<PersistentVolume>): unknown =>
    Object.fromEntries(Object.entries(object.spec ?? {}).filter(([field]) => !otherFields.has(field)));
  if (!semanticallyEqual(sourceOf(volume), sourceOf(old))) {
    errors.push(forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation"));
  }
  checkImmutable(errors, "spec.volumeMode", volume.spec?.volumeMode, old.spec?.volumeMode);
  if (old.spec?.nodeAffinity?.required !== undefined) {
    checkImmutable(
      errors,
      "spec.nodeAffinity.required",
      volume.spec?.nodeAffinity?.required,
      old.spec.nodeAffinity.required,
    );
  }
  return errors;
}

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
  const bound = old.status?.phase === "Bound";
  let munged: Loose<PersistentVolumeClaimSpec> = spec;
  if (!before.volumeName) munged = { ...munged, volumeName: before.volumeName };
  if (before.storageClassName === undefined) munged = { ...munged, storageClassName: before.storageClassName };
  munged = { ...munged, volumeAttributesClassName: before.volumeAttributesClassName };
  const wanted = ownValue(spec.resources?.requests, "storage");
  const had = ownValue(before.resources?.requests, "storage");
  if (bound && wanted !== had) {
    munged = { ...munged, resources: { ...munged.resources, requests: before.resources?.requests } };
    const asked = wanted === undefined ? undefined : tryParseQuantity(wanted);
    const capacity = ownValue(old.status?.capacity, "storage");
    if (asked !== undefined && had !== undefined && wanted !== undefined && compareQuantities(wanted, had) < 0) {
      const recovers = capacity !== undefined && compareQuantities(wanted, capacity) > 0;
      if (!recovers) {
        errors.push(forbidden("spec.resources.requests.storage", "field can not be less than previous value"));
      }
    }
  }
  if (!semanticallyEqual(munged, before)) {
    const fields = "resources.requests and volumeAttributesClassName for bound claims";
    errors.push(forbidden("spec", `spec is immutable after creation except ${fields}\n`));
  }
  return errors;
}

export function claimWarnings(claim: Loose<PersistentVolumeClaim>, old: unknown): readonly string[] {
  if (old !== undefined) return [];
  const warnings: string[] = [];
  for (const list of ["requests", "limits"] as const) {
    const value = ownValue(claim.spec?.resources?.[list], "storage");
    const quantity = tryParseQuantity(value);
    if (quantity !== undefined && quantity.nanos % 1_000_000_000n !== 0n) {
      const shown = JSON.stringify(quantity.toString());
      warnings.push(`spec.resources.${list}[storage]: fractional byte value ${shown} is invalid, must be an integer`);
    }
  }
  return warnings;
}
