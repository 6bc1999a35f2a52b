import { isDeepStrictEqual } from "node:util";
import { duplicate, type FieldError, forbidden, invalid, notSupported, required, tooLong } from "../../field-error.js";
import type { StorageClass, TopologySelectorTerm, VolumeAttributesClass } from "../../gen/types.js";
import { checkImmutable, checkOptionalEnum, checkQualifiedName, checkRequired, type Errors } from "../checks.js";
import { semanticallyEqual } from "../equality.js";
import { type Dictionary, entriesOf, type Loose } from "../loose.js";

const maxParameters = 512;
const maxParameterBytes = 256 * 1024;

export function validateStorageClass(storageClass: Loose<StorageClass>): readonly FieldError[] {
  const errors: Errors = [];
  checkProvisioner(errors, "provisioner", storageClass.provisioner);
  checkParameters(errors, "parameters", storageClass.parameters, true);
  const policy = storageClass.reclaimPolicy ?? "";
  if (policy !== "" && policy !== "Delete" && policy !== "Retain") {
    errors.push(notSupported("reclaimPolicy", policy, ["Delete", "Retain"]));
  }
  const mode = storageClass.volumeBindingMode;
  if (mode === undefined) errors.push(required("volumeBindingMode"));
  else checkOptionalEnum(errors, "volumeBindingMode", mode, ["Immediate", "WaitForFirstConsumer"]);
  checkTopologies(errors, "allowedTopologies", storageClass.allowedTopologies ?? []);
  return errors;
}

function checkTopologies(errors: Errors, path: string, terms: readonly Loose<TopologySelectorTerm>[]): void {
  const known: Map<string, readonly string[]>[] = [];
  terms.forEach(({ matchLabelExpressions = [] }, index) => {
    const at = `${path}[${index}].matchLabelExpressions`;
    const term = new Map<string, readonly string[]>();
    matchLabelExpressions.forEach(({ key = "", values = [] }, position) => {
      if (values.length === 0) errors.push(required(`${at}[${position}].values`));
      values.forEach((value, place) => {
        if (values.indexOf(value) < place) errors.push(duplicate(`${at}[${position}].values[${place}]`, value));
      });
      checkQualifiedName(errors, `${at}[${position}].key`, key);
      if (term.has(key)) errors.push(duplicate(`${at}[${position}].key`, key));
      term.set(key, [...new Set(values)].sort());
    });
    for (const other of known) if (isDeepStrictEqual(other, term)) errors.push(duplicate(at, ""));
    known.push(term);
  });
}

function checkProvisioner(errors: Errors, path: string, provisioner: string | undefined): void {
  if (checkRequired(errors, path, provisioner)) checkQualifiedName(errors, path, provisioner.toLowerCase());
}

function checkParameters(errors: Errors, path: string, parameters: Dictionary | undefined, mayBeEmpty: boolean): void {
  const entries = entriesOf(parameters);
  if (entries.length > maxParameters) {
    errors.push(tooLong(path, maxParameters));
    return;
  }
  let bytes = 0;
  for (const [key, value] of entries) {
    if (key === "") errors.push(invalid(path, key, "field can not be empty."));
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > maxParameterBytes) errors.push(tooLong(path, maxParameterBytes));
  if (!mayBeEmpty && entries.length === 0) errors.push(required(path, "must contain at least one key/value pair"));
}

export function validateStorageClassUpdate(
  storageClass: Loose<StorageClass>,
  old: Loose<StorageClass>,
): readonly FieldError[] {
  const errors: Errors = [];
  if (!semanticallyEqual(storageClass.parameters, old.parameters, true)) {
    errors.push(forbidden("parameters", "updates to parameters are forbidden."));
  }
  if (storageClass.provisioner !== old.provisioner) {
    errors.push(forbidden("provisioner", "updates to provisioner are forbidden."));
  }
  if (storageClass.reclaimPolicy !== old.reclaimPolicy) {
    errors.push(forbidden("reclaimPolicy", "updates to reclaimPolicy are forbidden."));
  }
  checkImmutable(errors, "volumeBindingMode", storageClass.volumeBindingMode, old.volumeBindingMode);
  return errors;
}

export function validateVolumeAttributesClass(attributes: Loose<VolumeAttributesClass>): readonly FieldError[] {
  const errors: Errors = [];
  checkProvisioner(errors, "driverName", attributes.driverName);
  checkParameters(errors, "parameters", attributes.parameters, false);
  return errors;
}

export function validateVolumeAttributesClassUpdate(
  attributes: Loose<VolumeAttributesClass>,
  old: Loose<VolumeAttributesClass>,
): readonly FieldError[] {
  const errors: Errors = [];
  if (attributes.driverName !== old.driverName) {
    errors.push(forbidden("driverName", "updates to driverName are forbidden."));
  }
  if (!semanticallyEqual(attributes.parameters, old.parameters, true)) {
    errors.push(forbidden("parameters", "updates to parameters are forbidden."));
  }
  return errors;
}
