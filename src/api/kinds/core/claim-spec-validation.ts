import { forbidden, invalid, notSupported, required } from "../../field-error.js";
import type { PersistentVolumeClaimSpec } from "../../gen/types.js";
import { tryParseQuantity } from "../../quantity.js";
import { checkQualifiedName, checkSubdomain, type Errors } from "../checks.js";
import { checkLabelSelector } from "../label-selector.js";
import { type Loose, ownValue } from "../loose.js";

export const accessModes: readonly string[] = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];
export const volumeModes: readonly string[] = ["Block", "Filesystem"];

export function checkAccessModes(errors: Errors, path: string, modes: readonly string[] | undefined): void {
  if (modes === undefined || modes.length === 0) {
    errors.push(required(path, "at least 1 access mode is required"));
    return;
  }
  for (const mode of modes) if (!accessModes.includes(mode)) errors.push(notSupported(path, mode, accessModes));
  if (modes.includes("ReadWriteOncePod") && modes.length > 1) {
    errors.push(forbidden(path, "may not use ReadWriteOncePod with other access modes"));
  }
}

export function checkClaimSpec(errors: Errors, path: string, spec: Loose<PersistentVolumeClaimSpec>): void {
  checkAccessModes(errors, `${path}.accessModes`, spec.accessModes);
  checkLabelSelector(errors, `${path}.selector`, spec.selector);
  const storage = ownValue(spec.resources?.requests, "storage");
  if (storage === undefined) errors.push(required(`${path}.resources[storage]`));
  else {
    const quantity = tryParseQuantity(storage);
    if (quantity === undefined || quantity.sign <= 0) {
      const shown = quantity?.toString() ?? storage;
      errors.push(invalid(`${path}.resources[storage]`, shown, "must be greater than zero"));
    }
  }
  if (spec.storageClassName) checkSubdomain(errors, `${path}.storageClassName`, spec.storageClassName);
  if (spec.volumeMode !== undefined && !volumeModes.includes(spec.volumeMode)) {
    errors.push(notSupported(`${path}.volumeMode`, spec.volumeMode, volumeModes));
  }
  if (spec.volumeAttributesClassName) {
    checkSubdomain(errors, `${path}.volumeAttributesClassName`, spec.volumeAttributesClassName);
  }
  checkDataSource(errors, `${path}.dataSource`, spec.dataSource);
  checkDataSource(errors, `${path}.dataSourceRef`, spec.dataSourceRef);
}

function checkDataSource(
  errors: Errors,
  path: string,
  source: Loose<PersistentVolumeClaimSpec>["dataSource"] | Loose<PersistentVolumeClaimSpec>["dataSourceRef"],
): void {
  if (source === undefined) return;
  if (!source.name) errors.push(required(`${path}.name`));
  if (!source.kind) errors.push(required(`${path}.kind`));
  if (!source.apiGroup && source.kind !== "PersistentVolumeClaim") {
    const why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
    errors.push(invalid(path, source.kind ?? "", why));
  }
  if (source.apiGroup) checkQualifiedName(errors, `${path}.apiGroup`, source.apiGroup);
}
