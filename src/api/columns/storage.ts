import type { PrinterColumn } from "../description.js";
import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
  VolumeAttachment,
  VolumeAttributesClass,
} from "../gen/types.js";
import { ageColumn, type ColumnOf, columns, flag, integer, name, orNone, text, wide } from "./column.js";

const unset = "<unset>";

const accessModes: readonly (readonly [mode: string, short: string])[] = [
  ["ReadWriteOnce", "RWO"],
  ["ReadOnlyMany", "ROX"],
  ["ReadWriteMany", "RWX"],
  ["ReadWriteOncePod", "RWOP"],
];

function accessText(modes: readonly string[] | undefined): string {
  return accessModes
    .filter(([mode]) => modes?.includes(mode))
    .map(([, short]) => short)
    .join(",");
}

/** The class; the annotation is from before there was a field. */
function classOf(object: PersistentVolume | PersistentVolumeClaim): string {
  return (
    object.metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? object.spec?.storageClassName ?? ""
  );
}

function phaseOf(object: PersistentVolume | PersistentVolumeClaim): string {
  return object.metadata.deletionTimestamp === undefined ? (object.status?.phase ?? "") : "Terminating";
}

export const persistentVolumeColumns: readonly PrinterColumn[] = columns<PersistentVolume>(
  name,
  text("Capacity", "The size of the volume.", (volume) => volume.spec?.capacity?.storage ?? "0"),
  text("Access Modes", "How it can be mounted.", (volume) => accessText(volume.spec?.accessModes)),
  text(
    "Reclaim Policy",
    "What becomes of it after its claim.",
    (volume) => volume.spec?.persistentVolumeReclaimPolicy ?? "",
  ),
  text("Status", "Whether it is bound to a claim.", phaseOf),
  text("Claim", "The claim that has it.", ({ spec }) =>
    spec?.claimRef === undefined ? "" : `${spec.claimRef.namespace ?? ""}/${spec.claimRef.name ?? ""}`,
  ),
  text("StorageClass", "Its storage class.", classOf),
  text(
    "VolumeAttributesClass",
    "Its class of attributes.",
    (volume) => volume.spec?.volumeAttributesClassName ?? unset,
  ),
  text("Reason", "Why it is in that status.", (volume) => volume.status?.reason ?? ""),
  ageColumn,
  wide("VolumeMode", "File system or block device.", (volume) => volume.spec?.volumeMode ?? unset),
);

const isBound = (claim: PersistentVolumeClaim): boolean => Boolean(claim.spec?.volumeName);

export const persistentVolumeClaimColumns: readonly PrinterColumn[] = columns<PersistentVolumeClaim>(
  name,
  text("Status", "Whether it is bound to a volume.", phaseOf),
  text("Volume", "The volume that it has.", (claim) => claim.spec?.volumeName ?? ""),
  text("Capacity", "The size of that volume.", (claim) =>
    isBound(claim) ? (claim.status?.capacity?.storage ?? "0") : "",
  ),
  text("Access Modes", "How it can be mounted.", (claim) =>
    isBound(claim) ? accessText(claim.status?.accessModes) : "",
  ),
  text("StorageClass", "The storage class that it asks for.", classOf),
  text(
    "VolumeAttributesClass",
    "The class of attributes that it asks for.",
    (claim) => claim.spec?.volumeAttributesClassName ?? unset,
  ),
  ageColumn,
  wide("VolumeMode", "File system or block device.", (claim) => claim.spec?.volumeMode ?? unset),
);

/** The name, marked when one of `annotations` makes the class the default. */
function nameWithDefault<T extends StorageClass | VolumeAttributesClass>(annotations: readonly string[]): ColumnOf<T> {
  return {
    ...name,
    cell: ({ metadata }) =>
      annotations.some((key) => metadata.annotations?.[key] === "true") ? `${metadata.name} (default)` : metadata.name,
  };
}

export const storageClassColumns: readonly PrinterColumn[] = columns<StorageClass>(
  nameWithDefault(["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"]),
  text("Provisioner", "Who makes its volumes.", (storageClass) => storageClass.provisioner),
  text("ReclaimPolicy", "What becomes of volumes.", (storageClass) => storageClass.reclaimPolicy ?? "Delete"),
  text("VolumeBindingMode", "When volumes are bound.", (storageClass) => storageClass.volumeBindingMode ?? "Immediate"),
  text(
    "AllowVolumeExpansion",
    "Whether volumes may grow.",
    (storageClass) => storageClass.allowVolumeExpansion ?? false,
  ),
  ageColumn,
);

export const volumeAttributesClassColumns: readonly PrinterColumn[] = columns<VolumeAttributesClass>(
  nameWithDefault(["volumeattributesclass.alpha.kubernetes.io/is-default-class"]),
  text("DriverName", "The driver that knows the attributes.", (attributes) => attributes.driverName),
  ageColumn,
);

export const volumeAttachmentColumns: readonly PrinterColumn[] = columns<VolumeAttachment>(
  name,
  { ...text<VolumeAttachment>("Attacher", "The driver.", (attachment) => attachment.spec.attacher), format: "name" },
  text("PV", "The volume.", (attachment) => attachment.spec.source.persistentVolumeName ?? ""),
  text("Node", "The node.", (attachment) => attachment.spec.nodeName),
  flag("Attached", "Whether it is done.", (attachment) => attachment.status?.attached ?? false),
  ageColumn,
);

export const csiNodeColumns: readonly PrinterColumn[] = columns<CSINode>(
  name,
  integer("Drivers", "How many drivers the node has.", (node) => node.spec.drivers.length),
  ageColumn,
);

export const csiDriverColumns: readonly PrinterColumn[] = columns<CSIDriver>(
  name,
  flag("AttachRequired", "Whether volumes are attached before use.", ({ spec }) => spec.attachRequired ?? true),
  flag("PodInfoOnMount", "Whether it is told of the pod.", ({ spec }) => spec.podInfoOnMount ?? false),
  flag("StorageCapacity", "Whether it publishes capacity.", ({ spec }) => spec.storageCapacity ?? false),
  text("TokenRequests", "The audiences of the tokens that it gets.", ({ spec }) =>
    spec.tokenRequests === undefined ? unset : spec.tokenRequests.map((request) => request.audience).join(","),
  ),
  flag("RequiresRepublish", "Whether mounts are refreshed.", ({ spec }) => spec.requiresRepublish ?? false),
  text("Modes", "Persistent, ephemeral or both.", ({ spec }) => orNone((spec.volumeLifecycleModes ?? []).join(","))),
  ageColumn,
);

export const csiStorageCapacityColumns: readonly PrinterColumn[] = columns<CSIStorageCapacity>(
  name,
  text("StorageClassName", "The storage class.", (capacity) => capacity.storageClassName),
  text("Capacity", "What is left.", (capacity) => capacity.capacity ?? unset),
);
