import {
  type PersistentVolume,
  type PersistentVolumeClaim,
  quantityValue,
  type StorageClass,
  selectorFromLabelSelector,
} from "../../api/index.js";

const classAnnotation = "volume.beta.kubernetes.io/storage-class";

export function classNameOf({ metadata, spec }: PersistentVolumeClaim | PersistentVolume): string {
  return metadata.annotations?.[classAnnotation] ?? spec?.storageClassName ?? "";
}

/** Whether the volume says that it is for the claim, of whichever uid that has. */
export function isReservedFor({ spec }: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean {
  const { claimRef } = spec ?? {};
  if (claimRef?.name !== metadata.name || claimRef.namespace !== metadata.namespace) return false;
  return !claimRef.uid || claimRef.uid === metadata.uid;
}

/** Why the volume does not do for the claim, in upstream's words; undefined: it does. */
export function mismatch(volume: PersistentVolume, claim: PersistentVolumeClaim): string | undefined {
  if (modeOf(volume) !== modeOf(claim)) return "incompatible volumeMode";
  if (storageOf(volume.spec?.capacity) < storageOf(claim.spec?.resources?.requests)) return "requested PV is too small";
  if (classNameOf(volume) !== classNameOf(claim)) return "storageClassName does not match";
  if ((volume.spec?.volumeAttributesClassName ?? "") !== (claim.spec?.volumeAttributesClassName ?? "")) {
    return "volumeAttributesClassName does not match";
  }
  return hasModes(volume, claim) ? undefined : "incompatible accessMode";
}

/** The volume for a claim: one that is reserved for it, else the smallest that is free, if any may be taken without a node. */
export function findVolume(
  claim: PersistentVolumeClaim,
  volumes: Iterable<PersistentVolume>,
  waitsForNode: boolean,
): PersistentVolume | undefined {
  const selector = claim.spec?.selector === undefined ? undefined : selectorFromLabelSelector(claim.spec.selector);
  let best: PersistentVolume | undefined;
  for (const volume of volumes) {
    if (volume.metadata.deletionTimestamp !== undefined || mismatch(volume, claim) !== undefined) continue;
    if (isReservedFor(volume, claim)) return volume;
    if (waitsForNode || volume.spec?.claimRef !== undefined || volume.status?.phase !== "Available") continue;
    if (selector !== undefined && !selector.matches(volume.metadata.labels)) continue;
    if (best === undefined || isCloser(volume, best)) best = volume;
  }
  return best;
}

/** Fewer access modes that nobody asked for, then less room. */
function isCloser(a: PersistentVolume, b: PersistentVolume): boolean {
  const [modesA, modesB] = [a.spec?.accessModes?.length ?? 0, b.spec?.accessModes?.length ?? 0];
  if (modesA !== modesB) return modesA < modesB;
  return storageOf(a.spec?.capacity) < storageOf(b.spec?.capacity);
}

function modeOf({ spec }: PersistentVolume | PersistentVolumeClaim): string {
  return spec?.volumeMode ?? "Filesystem";
}

function hasModes({ spec }: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  return (claim.spec?.accessModes ?? []).every((mode) => spec?.accessModes?.includes(mode));
}

function storageOf(amounts: { readonly [name: string]: string } | undefined): number {
  return quantityValue(amounts?.["storage"] ?? "0");
}

/** The newest of the classes that say they are the default. */
export function defaultClass(classes: Iterable<StorageClass>): StorageClass | undefined {
  const isDefault = ({ metadata: { annotations } }: StorageClass): boolean =>
    annotations?.["storageclass.kubernetes.io/is-default-class"] === "true" ||
    annotations?.["storageclass.beta.kubernetes.io/is-default-class"] === "true";
  const time = ({ metadata }: StorageClass): string => metadata.creationTimestamp ?? "";
  return [...classes]
    .filter(isDefault)
    .sort((a, b) =>
      time(a) === time(b) ? (a.metadata.name < b.metadata.name ? -1 : 1) : time(a) > time(b) ? -1 : 1,
    )[0];
}
