import { type FieldError, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type { PersistentVolume, PersistentVolumeSpec } from "../../gen/types.js";
import { tryParseQuantity } from "../../quantity.js";
import { checkImmutable, checkOptionalEnum, checkRequired, checkSubdomain, type Errors } from "../checks.js";
import { semanticallyEqual } from "../equality.js";
import { entriesOf, type Loose, ownValue } from "../loose.js";
import { checkAccessModes, volumeModes } from "./claim-spec-validation.js";
import { checkCsiPersistentSource } from "./csi-validation.js";
import type { VolumeContext } from "./iscsi-validation.js";
import { checkNoBacksteps } from "./path-validation.js";
import { checkNodeSelectorTerms } from "./scheduling-validation.js";
import { checkCapacity } from "./storage-validation.js";
import { oneSourceOnly, sharedSourceChecks, sourcePathNames, surplusPathNames } from "./volume-sources.js";

type Spec = Loose<PersistentVolumeSpec>;
type OtherField =
  | "accessModes"
  | "capacity"
  | "claimRef"
  | "mountOptions"
  | "nodeAffinity"
  | "persistentVolumeReclaimPolicy"
  | "storageClassName"
  | "volumeAttributesClassName"
  | "volumeMode";
type Source = Exclude<keyof PersistentVolumeSpec, OtherField>;
type Checks = {
  readonly [Key in Source]: (
    errors: Errors,
    path: string,
    source: NonNullable<Spec[Key]>,
    volume: VolumeContext,
  ) => void;
};

/** In upstream's order: of two sources the later one is the surplus. */
const checks: Checks = {
  hostPath: sharedSourceChecks.hostPath,
  gcePersistentDisk: sharedSourceChecks.gcePersistentDisk,
  awsElasticBlockStore: sharedSourceChecks.awsElasticBlockStore,
  glusterfs: sharedSourceChecks.glusterfs,
  flocker: sharedSourceChecks.flocker,
  nfs: sharedSourceChecks.nfs,
  rbd: sharedSourceChecks.rbd,
  quobyte: sharedSourceChecks.quobyte,
  cephfs: sharedSourceChecks.cephfs,
  iscsi: sharedSourceChecks.iscsi,
  cinder: sharedSourceChecks.cinder,
  fc: sharedSourceChecks.fc,
  flexVolume: sharedSourceChecks.flexVolume,
  azureFile: sharedSourceChecks.azureFile,
  vsphereVolume: sharedSourceChecks.vsphereVolume,
  photonPersistentDisk: sharedSourceChecks.photonPersistentDisk,
  portworxVolume: sharedSourceChecks.portworxVolume,
  azureDisk: sharedSourceChecks.azureDisk,
  scaleIO: sharedSourceChecks.scaleIO,
  local: (errors, path, source) => {
    if (checkRequired(errors, `${path}.path`, source.path)) checkNoBacksteps(errors, `${path}.path`, source.path);
  },
  storageos: sharedSourceChecks.storageos,
  csi: checkCsiPersistentSource,
};

const sources = Object.keys(checks) as readonly Source[];

export function validatePersistentVolume(volume: Loose<PersistentVolume>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = volume.spec ?? {};
  if ((spec.accessModes?.length ?? 0) === 0) errors.push(required("spec.accessModes"));
  checkAccessModes(errors, "spec.accessModes", spec.accessModes);
  checkAmount(errors, "spec.capacity", spec.capacity);
  if (spec.persistentVolumeReclaimPolicy !== "") {
    checkOptionalEnum(errors, "spec.persistentVolumeReclaimPolicy", spec.persistentVolumeReclaimPolicy, [
      "Delete",
      "Recycle",
      "Retain",
    ]);
  }
  if (spec.nodeAffinity !== undefined) {
    const { required: terms } = spec.nodeAffinity;
    const at = "spec.nodeAffinity.required";
    if (terms === undefined) errors.push(required(at, "must specify required node constraints"));
    else checkNodeSelectorTerms(errors, at, terms);
  }
  checkSources(errors, spec, { name: volume.metadata?.name ?? "", persistent: true });
  if (isRoot(spec.hostPath?.path) && spec.persistentVolumeReclaimPolicy === "Recycle") {
    errors.push(forbidden("spec.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'"));
  }
  if (spec.storageClassName) checkSubdomain(errors, "spec.storageClassName", spec.storageClassName);
  checkOptionalEnum(errors, "spec.volumeMode", spec.volumeMode, volumeModes);
  if (spec.volumeAttributesClassName === undefined) return errors;
  const at = "spec.volumeAttributesClassName";
  if (checkRequired(errors, at, spec.volumeAttributesClassName, "an empty string is disallowed")) {
    checkSubdomain(errors, at, spec.volumeAttributesClassName);
  }
  if (spec.csi === undefined) {
    errors.push(required("spec.csi", "has to be specified when using volumeAttributesClassName"));
  }
  return errors;
}

function isRoot(path: string | undefined): boolean {
  if (!path?.startsWith("/")) return false;
  return path.split("/").every((part) => part === "" || part === ".");
}

function checkAmount(errors: Errors, path: string, capacity: Spec["capacity"]): void {
  const amounts = entriesOf(capacity);
  if (amounts.length === 0) errors.push(required(path));
  if (ownValue(capacity, "storage") === undefined || amounts.length > 1) {
    errors.push(notSupported(path, capacity ?? null, ["storage"]));
  }
  for (const [name, value] of amounts) {
    const at = `${path}[${name}]`;
    checkCapacity(errors, at, value);
    const quantity = tryParseQuantity(value);
    if (quantity === undefined || quantity.sign > 0) continue;
    errors.push(invalid(at, quantity.toString(), "must be greater than zero"));
  }
}

function checkSources(errors: Errors, spec: Spec, volume: VolumeContext): void {
  let found = false;
  for (const source of sources) {
    if (spec[source] === undefined) continue;
    // Upstream does not look what is before a flexVolume.
    if (found && source !== "flexVolume") {
      errors.push(forbidden(`spec.${surplusPathNames.get(source) ?? source}`, oneSourceOnly));
    } else {
      checkSource(errors, `spec.${sourcePathNames.get(source) ?? source}`, source, spec, volume);
      if (source === "local" && spec.nodeAffinity === undefined) {
        errors.push(required("spec.nodeAffinity", "Local volume requires node affinity"));
      }
    }
    found = true;
  }
  if (!found) errors.push(required("spec", "must specify a volume type"));
}

function checkSource<Key extends Source>(
  errors: Errors,
  path: string,
  key: Key,
  spec: Spec,
  volume: VolumeContext,
): void {
  const source = spec[key];
  if (source !== undefined && source !== null) checks[key](errors, path, source, volume);
}

export function validatePersistentVolumeUpdate(
  volume: Loose<PersistentVolume>,
  old: Loose<PersistentVolume>,
): readonly FieldError[] {
  const errors: Errors = [];
  const { nodeAffinity, volumeMode, volumeAttributesClassName } = volume.spec ?? {};
  const before = old.spec ?? {};
  if (!semanticallyEqual(sourceOf(volume.spec ?? {}, before), sourceOf(before, before))) {
    errors.push(forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation\n"));
  }
  checkImmutable(errors, "volumeMode", volumeMode, before.volumeMode);
  if (before.nodeAffinity !== undefined && !semanticallyEqual(nodeAffinity, withStableLabels(before, nodeAffinity))) {
    const why = "field is immutable, except for updating from beta label to GA";
    errors.push(invalid("nodeAffinity", nodeAffinity, why));
  }
  if (before.volumeAttributesClassName !== undefined && volumeAttributesClassName === undefined) {
    errors.push(forbidden("spec.volumeAttributesClassName", "update from non-nil value to nil is forbidden"));
  }
  return errors;
}

/** The source, without a secret for expansion that it had not before. */
function sourceOf(spec: Spec, before: Spec): unknown {
  const source = Object.fromEntries(sources.map((key) => [key, spec[key]]));
  if (spec.csi === undefined || before.csi?.controllerExpandSecretRef !== undefined) return source;
  return { ...source, csi: { ...spec.csi, controllerExpandSecretRef: undefined } };
}

const stableLabels: ReadonlyMap<string, string> = new Map([
  ["failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"],
  ["failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"],
  ["beta.kubernetes.io/os", "kubernetes.io/os"],
  ["beta.kubernetes.io/arch", "kubernetes.io/arch"],
  ["beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type"],
]);

/** The old affinity, with the new name of each label that the new affinity calls by it. */
function withStableLabels(old: Spec, now: Spec["nodeAffinity"]): Spec["nodeAffinity"] {
  const terms = old.nodeAffinity?.required?.nodeSelectorTerms?.map((term, index) => {
    const next = now?.required?.nodeSelectorTerms?.[index];
    const matchExpressions = term.matchExpressions?.map((expression, position) => {
      const key = next?.matchExpressions?.[position]?.key;
      return key !== undefined && stableLabels.get(expression.key ?? "") === key ? { ...expression, key } : expression;
    });
    return matchExpressions === undefined ? term : { ...term, matchExpressions };
  });
  return terms === undefined ? old.nodeAffinity : { required: { nodeSelectorTerms: terms } };
}
