import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  StorageClass,
  VolumeAttachment,
  VolumeAttributesClass,
} from "../../gen/types.js";
import {
  checkImmutable,
  checkOptionalEnum,
  checkQualifiedName,
  checkRequired,
  checkSubdomain,
  type Errors,
} from "../checks.js";
import { semanticallyEqual } from "../equality.js";
import { checkLabelSelector } from "../label-selector.js";
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
  storageClass.allowedTopologies?.forEach((term, index) => {
    term.matchLabelExpressions?.forEach((requirement, position) => {
      const at = `allowedTopologies[${index}].matchLabelExpressions[${position}]`;
      checkQualifiedName(errors, `${at}.key`, requirement.key ?? "");
      if ((requirement.values?.length ?? 0) === 0) errors.push(required(`${at}.values`));
    });
  });
  return errors;
}

function checkProvisioner(errors: Errors, path: string, provisioner: string | undefined): void {
  if (checkRequired(errors, path, provisioner)) checkQualifiedName(errors, path, provisioner.toLowerCase());
}

function checkParameters(errors: Errors, path: string, parameters: Dictionary | undefined, mayBeEmpty: boolean): void {
  const entries = entriesOf(parameters);
  if (entries.length > maxParameters) {
    errors.push({
      path: "Provisioner Parameters",
      reason: "FieldValueTooLong",
      message: `Too long: may not be more than ${maxParameters} bytes`,
    });
    return;
  }
  if (!mayBeEmpty && entries.length === 0) errors.push(required(path, "must contain at least one key/value pair"));
  let bytes = 0;
  for (const [key, value] of entries) {
    if (key === "") errors.push(invalid(path, key, "field can not be empty."));
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > maxParameterBytes) {
    errors.push({
      path,
      reason: "FieldValueTooLong",
      message: `Too long: may not be more than ${maxParameterBytes} bytes`,
    });
  }
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

export function validateCsiDriver(driver: Loose<CSIDriver>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = driver.spec ?? {};
  for (const field of ["attachRequired", "podInfoOnMount", "storageCapacity"] as const) {
    if (spec[field] === undefined) errors.push(required(`spec.${field}`));
  }
  checkOptionalEnum(errors, "spec.fsGroupPolicy", spec.fsGroupPolicy, ["File", "None", "ReadWriteOnceWithFSType"]);
  const audiences = new Set<string>();
  spec.tokenRequests?.forEach((request, index) => {
    const at = `spec.tokenRequests[${index}]`;
    const audience = request.audience ?? "";
    if (audiences.has(audience)) errors.push(duplicate(`${at}.audience`, audience));
    audiences.add(audience);
    const seconds = request.expirationSeconds;
    if (seconds === undefined) return;
    if (seconds < 600) {
      errors.push(invalid(`${at}.expirationSeconds`, seconds, "may not specify a duration less than 10 minutes"));
    }
    if (seconds > 2 ** 32) {
      errors.push(invalid(`${at}.expirationSeconds`, seconds, "may not specify a duration larger than 2^32 seconds"));
    }
  });
  for (const mode of spec.volumeLifecycleModes ?? []) {
    checkOptionalEnum(errors, "spec.volumeLifecycleModes", mode, ["Ephemeral", "Persistent"]);
  }
  return errors;
}

export function validateCsiDriverUpdate(driver: Loose<CSIDriver>, old: Loose<CSIDriver>): readonly FieldError[] {
  const errors: Errors = [];
  for (const field of ["attachRequired", "fsGroupPolicy", "volumeLifecycleModes"] as const) {
    checkImmutable(errors, `spec.${field}`, driver.spec?.[field], old.spec?.[field]);
  }
  return errors;
}

export function validateCsiNode(node: Loose<CSINode>): readonly FieldError[] {
  const errors: Errors = [];
  const names = new Set<string>();
  node.spec?.drivers?.forEach((driver, index) => {
    const at = `spec.drivers[${index}]`;
    if (checkRequired(errors, `${at}.name`, driver.name)) {
      checkSubdomain(errors, `${at}.name`, driver.name.toLowerCase());
      if (names.has(driver.name)) errors.push(duplicate(`${at}.name`, driver.name));
      names.add(driver.name);
    }
    checkRequired(errors, `${at}.nodeID`, driver.nodeID);
    const keys = new Set<string>();
    for (const key of driver.topologyKeys ?? []) {
      if (key === "") errors.push(required(at));
      if (keys.has(key)) errors.push(duplicate(at, key));
      keys.add(key);
      checkQualifiedName(errors, at, key);
    }
  });
  return errors;
}

export function validateStorageCapacity(capacity: Loose<CSIStorageCapacity>): readonly FieldError[] {
  const errors: Errors = [];
  checkLabelSelector(errors, "nodeTopology", capacity.nodeTopology);
  if (checkRequired(errors, "storageClassName", capacity.storageClassName)) {
    checkSubdomain(errors, "storageClassName", capacity.storageClassName);
  }
  return errors;
}

export function validateStorageCapacityUpdate(
  capacity: Loose<CSIStorageCapacity>,
  old: Loose<CSIStorageCapacity>,
): readonly FieldError[] {
  const errors: Errors = [];
  checkImmutable(errors, "nodeTopology", capacity.nodeTopology, old.nodeTopology);
  checkImmutable(errors, "storageClassName", capacity.storageClassName, old.storageClassName);
  return errors;
}

export function validateVolumeAttachment(attachment: Loose<VolumeAttachment>): readonly FieldError[] {
  const errors: Errors = [];
  const { attacher, nodeName, source } = attachment.spec ?? {};
  if (checkRequired(errors, "spec.attacher", attacher))
    checkQualifiedName(errors, "spec.attacher", attacher.toLowerCase());
  if (checkRequired(errors, "spec.nodeName", nodeName)) checkSubdomain(errors, "spec.nodeName", nodeName);
  const { inlineVolumeSpec, persistentVolumeName } = source ?? {};
  if (inlineVolumeSpec === undefined && persistentVolumeName === undefined) {
    errors.push(required("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName"));
  } else if (inlineVolumeSpec !== undefined && persistentVolumeName !== undefined) {
    errors.push(forbidden("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName"));
  }
  return errors;
}

export function validateVolumeAttachmentUpdate(
  attachment: Loose<VolumeAttachment>,
  old: Loose<VolumeAttachment>,
): readonly FieldError[] {
  if (semanticallyEqual(attachment.spec, old.spec)) return [];
  return [invalid("spec", attachment.spec, "field is immutable")];
}
