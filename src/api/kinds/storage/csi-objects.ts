import { duplicate, type FieldError, forbidden, invalid, notSupported, required, tooLong } from "../../field-error.js";
import type { CSIDriver, CSINode, CSIStorageCapacity, VolumeAttachment, VolumeError } from "../../gen/types.js";
import { tryParseQuantity } from "../../quantity.js";
import {
  checkImmutable,
  checkNonNegative,
  checkOptionalEnum,
  checkQualifiedName,
  checkRange,
  checkSubdomain,
  type Errors,
  negativeMessage,
} from "../checks.js";
import { checkCsiDriverName } from "../core/csi-validation.js";
import { semanticallyEqual } from "../equality.js";
import { checkLabelSelector } from "../label-selector.js";
import { entriesOf, type Loose } from "../loose.js";
import { checkTokenSeconds } from "../token-seconds.js";

const minUpdatePeriodSeconds = 10;

export function validateCsiDriver(driver: Loose<CSIDriver>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = driver.spec ?? {};
  // The names of these paths are upstream's.
  checkCsiDriverName(errors, "name", driver.metadata?.name ?? "");
  if (spec.attachRequired === undefined) errors.push(required("spec.attachedRequired"));
  if (spec.podInfoOnMount === undefined) errors.push(required("spec.podInfoOnMount"));
  if (spec.storageCapacity === undefined) errors.push(required("spec.storageCapacity"));
  checkOptionalEnum(errors, "spec.fsGroupPolicy", spec.fsGroupPolicy, ["File", "None", "ReadWriteOnceWithFSType"]);
  const audiences = new Set<string>();
  spec.tokenRequests?.forEach(({ audience = "", expirationSeconds }, index) => {
    const at = `spec.tokenRequests[${index}]`;
    if (audiences.has(audience)) errors.push(duplicate(`${at}.audience`, audience));
    else if (expirationSeconds !== undefined) checkTokenSeconds(errors, `${at}.expirationSeconds`, expirationSeconds);
    audiences.add(audience);
  });
  for (const mode of spec.volumeLifecycleModes ?? []) {
    if (mode === "Persistent" || mode === "Ephemeral") continue;
    errors.push(notSupported("spec.volumeLifecycleModes", mode, ["Persistent", "Ephemeral"]));
  }
  if (spec.seLinuxMount === undefined) errors.push(required("spec.seLinuxMount"));
  const period = spec.nodeAllocatableUpdatePeriodSeconds;
  if (period !== undefined && period < minUpdatePeriodSeconds) {
    const why = `must be greater than or equal to ${minUpdatePeriodSeconds} seconds`;
    errors.push(invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, why));
  }
  const { serviceAccountTokenInSecrets: inSecrets, tokenRequests = [] } = spec;
  if (inSecrets !== undefined && tokenRequests.length === 0) {
    const why = "serviceAccountTokenInSecrets is set but no tokenRequests are specified";
    errors.push(invalid("spec.serviceAccountTokenInSecrets", inSecrets, why));
  }
  return errors;
}

export function validateCsiDriverUpdate(driver: Loose<CSIDriver>, old: Loose<CSIDriver>): readonly FieldError[] {
  const errors: Errors = [];
  checkImmutable(errors, "spec.attachedRequired", driver.spec?.attachRequired, old.spec?.attachRequired);
  const field = "volumeLifecycleModes";
  checkImmutable(errors, `spec.${field}`, driver.spec?.[field], old.spec?.[field]);
  return errors;
}

const maxNodeId = 192;

export function validateCsiNode(node: Loose<CSINode>): readonly FieldError[] {
  const errors: Errors = [];
  const names = new Set<string>();
  node.spec?.drivers?.forEach(({ name = "", nodeID = "", allocatable, topologyKeys = [] }, index) => {
    const at = `spec.drivers[${index}]`;
    checkCsiDriverName(errors, `${at}.name`, name);
    if (nodeID === "") errors.push(required(`${at}.nodeID`));
    if (nodeID.length > maxNodeId) {
      errors.push(invalid(`${at}.nodeID`, nodeID, `must be ${maxNodeId} characters or less`));
    }
    checkNonNegative(errors, `${at}.allocatable.count`, allocatable?.count);
    if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
    names.add(name);
    topologyKeys.forEach((key, position) => {
      if (key === "") errors.push(required(at));
      if (topologyKeys.indexOf(key) < position) errors.push(duplicate(at, key));
      checkQualifiedName(errors, at, key);
    });
  });
  return errors;
}

/** A driver that is on the node already stays what it is; only how many volumes it takes may change. */
export function validateCsiNodeUpdate(node: Loose<CSINode>, old: Loose<CSINode>): readonly FieldError[] {
  const errors: Errors = [];
  for (const { allocatable: _before, ...before } of old.spec?.drivers ?? []) {
    for (const { allocatable: _now, ...now } of node.spec?.drivers ?? []) {
      if (now.name === before.name) checkImmutable(errors, "spec.drivers", now, before);
    }
  }
  return errors;
}

export function validateStorageCapacity(capacity: Loose<CSIStorageCapacity>): readonly FieldError[] {
  const errors: Errors = [];
  checkLabelSelector(errors, "nodeTopology", capacity.nodeTopology);
  checkSubdomain(errors, "storageClassName", capacity.storageClassName ?? "");
  const { capacity: free } = capacity;
  if (free !== undefined && (tryParseQuantity(free)?.sign ?? 0) < 0) {
    errors.push(invalid("capacity", free, negativeMessage));
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

const maxMetadataBytes = 256 * 1024;
const maxErrorBytes = 1024;

export function validateVolumeAttachment(attachment: Loose<VolumeAttachment>): readonly FieldError[] {
  const errors: Errors = [];
  const { attacher = "", nodeName = "", source } = attachment.spec ?? {};
  const { inlineVolumeSpec, persistentVolumeName } = source ?? {};
  const path = "spec.source";
  if (inlineVolumeSpec === undefined && persistentVolumeName === undefined) {
    errors.push(required(path, "must specify exactly one of inlineVolumeSpec and persistentVolumeName"));
  } else if (inlineVolumeSpec !== undefined && persistentVolumeName !== undefined) {
    errors.push(forbidden(path, "must specify exactly one of inlineVolumeSpec and persistentVolumeName"));
  } else if (persistentVolumeName === "") {
    errors.push(required(`${path}.persistentVolumeName`, "must specify non empty persistentVolumeName"));
  }
  checkSubdomain(errors, "spec.nodeName", nodeName);
  errors.push(...validateAttachmentStatus(attachment));
  checkCsiDriverName(errors, "spec.attacher", attacher);
  if (persistentVolumeName !== undefined) checkSubdomain(errors, `${path}.persistentVolumeName`, persistentVolumeName);
  return errors;
}

export function validateAttachmentStatus({ status = {} }: Loose<VolumeAttachment>): readonly FieldError[] {
  const errors: Errors = [];
  const bytes = entriesOf(status.attachmentMetadata).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  if (bytes > maxMetadataBytes) errors.push(tooLong("status.attachmentMetadata", maxMetadataBytes));
  checkError(errors, "status.attachError", status.attachError);
  checkError(errors, "status.detachError", status.detachError);
  return errors;
}

function checkError(errors: Errors, path: string, error: Loose<VolumeError> | undefined): void {
  // The limit that upstream names is not the one that it applies.
  if ((error?.message?.length ?? 0) > maxErrorBytes) errors.push(tooLong(`${path}.message`, maxMetadataBytes));
  checkRange(errors, `${path}.errorCode`, error?.errorCode, 0, 2147483647);
}

export function validateVolumeAttachmentUpdate(
  attachment: Loose<VolumeAttachment>,
  old: Loose<VolumeAttachment>,
): readonly FieldError[] {
  if (semanticallyEqual(attachment.spec, old.spec)) return [];
  return [invalid("spec", attachment.spec, "field is immutable")];
}
