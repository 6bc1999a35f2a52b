import { forbidden, invalid, notSupported, required } from "../../field-error.js";
import type { PersistentVolumeClaimSpec } from "../../gen/types.js";
import { tryParseQuantity } from "../../quantity.js";
import { checkLabel, checkOptionalEnum, checkSubdomain, type Errors } from "../checks.js";
import { checkLabelSelector } from "../label-selector.js";
import { type Loose, ownValue } from "../loose.js";

const accessModes: readonly string[] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
export const volumeModes: readonly string[] = ["Block", "Filesystem"];

export function checkAccessModes(errors: Errors, path: string, modes: readonly string[] = []): void {
  for (const mode of modes) if (!accessModes.includes(mode)) errors.push(notSupported(path, mode, accessModes));
  const others = modes.some((mode) => mode !== "ReadWriteOncePod" && accessModes.includes(mode));
  if (modes.includes("ReadWriteOncePod") && others) {
    errors.push(forbidden(path, "may not use ReadWriteOncePod with other access modes"));
  }
}

export function checkClaimSpec(errors: Errors, path: string, spec: Loose<PersistentVolumeClaimSpec>): void {
  if ((spec.accessModes?.length ?? 0) === 0) {
    errors.push(required(`${path}.accessModes`, "at least 1 access mode is required"));
  }
  checkLabelSelector(errors, `${path}.selector`, spec.selector);
  checkAccessModes(errors, `${path}.accessModes`, spec.accessModes);
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
  checkOptionalEnum(errors, `${path}.volumeMode`, spec.volumeMode, volumeModes);
  checkDataSource(errors, `${path}.dataSource`, spec.dataSource);
  checkDataSource(errors, `${path}.dataSourceRef`, spec.dataSourceRef);
  checkBothSources(errors, path, spec);
  if (spec.volumeAttributesClassName) {
    checkSubdomain(errors, `${path}.volumeAttributesClassName`, spec.volumeAttributesClassName);
  }
}

interface DataSource {
  readonly apiGroup?: string | undefined;
  readonly kind?: string | undefined;
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
}

function checkDataSource(errors: Errors, path: string, source: DataSource | undefined): void {
  if (source === undefined) return;
  const { apiGroup = "", kind = "", name = "", namespace = "" } = source;
  if (name === "") errors.push(required(`${path}.name`));
  if (kind === "") errors.push(required(`${path}.kind`));
  if (apiGroup !== "") checkSubdomain(errors, `${path}.apiGroup`, apiGroup);
  else if (kind !== "PersistentVolumeClaim") {
    errors.push(invalid(path, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"));
  }
  if (namespace !== "") checkLabel(errors, `${path}.namespace`, namespace);
}

/** The older field can say all but the namespace; where both are given they say the same. */
function checkBothSources(errors: Errors, path: string, spec: Loose<PersistentVolumeClaimSpec>): void {
  const { dataSource: older, dataSourceRef: newer } = spec;
  if (older === undefined || newer === undefined) return;
  // The value in the message is empty: upstream gives a path there, which has no text of its own.
  const shown = {};
  if (newer.namespace) {
    errors.push(invalid(path, shown, "may not be specified when dataSourceRef.namespace is specified"));
  } else if (older.apiGroup !== newer.apiGroup || older.kind !== newer.kind || older.name !== newer.name) {
    errors.push(invalid(path, shown, "must match dataSourceRef"));
  }
}
