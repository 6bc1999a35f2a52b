import type { PersistentVolume, Pod, Volume } from "../../api/index.js";
import type { ClusterListers } from "../framework/listers.js";
import { type SchedulingPolicy, unresolvable } from "../framework/policy.js";
import { labelOf } from "./node-selector.js";
import { claimNames, classOf, hasClaims } from "./volume-claims.js";

const zoneKeys = [
  "topology.kubernetes.io/zone",
  "topology.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "failure-domain.beta.kubernetes.io/region",
];
const wrongZone = unresolvable("node(s) had no available volume zone");

/** Keeps pods in the zones of their bound volumes. */
export function volumeZone(): SchedulingPolicy {
  return {
    name: "VolumeZone",
    preFilter: (pod) => (hasClaims(pod) ? undefined : { skip: true }),
    filter(pod, { node }, { snapshot }) {
      // A cluster without zones has no wrong ones.
      if (zoneKeys.every((key) => labelOf(node, key) === undefined)) return undefined;
      for (const volume of volumesOf(pod, snapshot.listers)) {
        for (const key of zoneKeys) {
          const zones = volume.metadata.labels?.[key];
          if (zones !== undefined && !zones.split("__").includes(labelOf(node, key) ?? "")) return wrongZone;
        }
      }
      return undefined;
    },
    requeueWhen: [
      { resource: "StorageClass", actions: ["Add"] },
      { resource: "Node", actions: ["Add", "UpdateNodeLabel"] },
      { resource: "PersistentVolumeClaim", actions: ["Add", "Update"] },
      { resource: "PersistentVolume", actions: ["Add", "Update"] },
    ],
    vector: { key: ({ pod }) => (hasClaims(pod) ? undefined : ""), compile: () => undefined },
  };
}

const diskTaken = { reasons: ["node(s) had no available disk"] };
const claimTaken = {
  reasons: ["node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"],
};

/** Keeps pods apart that cannot share a disk, or a claim that one pod may use at a time. */
export function volumeRestrictions(): SchedulingPolicy {
  const relevant = (pod: Pod): boolean => hasClaims(pod) || (pod.spec?.volumes ?? []).some(isDisk);
  return {
    name: "VolumeRestrictions",
    preFilter: (pod) => (relevant(pod) ? undefined : { skip: true }),
    filter(pod, node, { snapshot }) {
      const disks = (pod.spec?.volumes ?? []).filter(isDisk);
      const clash = node.pods.some((other) =>
        other.spec?.volumes?.some((theirs) => disks.some((own) => disksClash(own, theirs))),
      );
      if (clash) return diskTaken;
      const exclusive = claimNames(pod)
        .map(({ key }) => key)
        .filter((key) =>
          snapshot.listers.persistentVolumeClaims.get(key)?.spec?.accessModes?.includes("ReadWriteOncePod"),
        );
      if (exclusive.length === 0) return undefined;
      const used = snapshot.nodes.some(({ pods }) =>
        pods.some((other) => claimNames(other).some(({ key }) => exclusive.includes(key))),
      );
      return used ? claimTaken : undefined;
    },
    requeueWhen: [
      { resource: "AssignedPod", actions: ["Delete"] },
      { resource: "Node", actions: ["Add"] },
      { resource: "PersistentVolumeClaim", actions: ["Add", "Update"] },
    ],
    vector: { key: ({ pod }) => (relevant(pod) ? undefined : ""), compile: () => undefined },
  };
}

function isDisk({ gcePersistentDisk, awsElasticBlockStore, iscsi, rbd }: Volume): boolean {
  return (gcePersistentDisk ?? awsElasticBlockStore ?? iscsi ?? rbd) !== undefined;
}

function disksClash(a: Volume, b: Volume): boolean {
  if (a.gcePersistentDisk !== undefined && a.gcePersistentDisk.pdName === b.gcePersistentDisk?.pdName) {
    return !(a.gcePersistentDisk.readOnly === true && b.gcePersistentDisk.readOnly === true);
  }
  if (a.awsElasticBlockStore !== undefined && a.awsElasticBlockStore.volumeID === b.awsElasticBlockStore?.volumeID) {
    return true;
  }
  if (a.iscsi !== undefined && a.iscsi.iqn === b.iscsi?.iqn) {
    return !(a.iscsi.readOnly === true && b.iscsi.readOnly === true);
  }
  const [x, y] = [a.rbd, b.rbd];
  if (x === undefined || y === undefined) return false;
  const shared = x.monitors.some((monitor) => y.monitors.includes(monitor));
  const sameImage = (x.pool ?? "rbd") === (y.pool ?? "rbd") && x.image === y.image;
  return shared && sameImage && !(x.readOnly === true && y.readOnly === true);
}

const tooMany = { reasons: ["node(s) exceed max volume count"] };

/** Keeps the volumes on a node within what its CSI drivers can attach. */
export function nodeVolumeLimits(): SchedulingPolicy {
  return {
    name: "NodeVolumeLimits",
    preFilter: (pod) => (hasClaims(pod) ? undefined : { skip: true }),
    filter(pod, node, { snapshot }) {
      const { listers } = snapshot;
      const wanted = driverVolumes(pod, listers);
      if (wanted.size === 0) return undefined;
      const limits = new Map<string, number>();
      for (const { name, allocatable } of listers.csiNodes.get(node.name)?.spec.drivers ?? []) {
        if (allocatable?.count !== undefined) limits.set(name, allocatable.count);
      }
      if (limits.size === 0) return undefined;
      const present = new Map<string, string>(node.pods.flatMap((other) => [...driverVolumes(other, listers)]));
      for (const [driver, limit] of limits) {
        const has = (volumes: ReadonlyMap<string, string>): string[] =>
          [...volumes].filter(([, own]) => own === driver).map(([volume]) => volume);
        const added = has(wanted).filter((volume) => !present.has(volume));
        if (added.length > 0 && has(present).length + added.length > limit) return tooMany;
      }
      return undefined;
    },
    requeueWhen: [
      { resource: "CSINode" },
      { resource: "AssignedPod", actions: ["Delete"] },
      { resource: "PersistentVolume" },
      { resource: "PersistentVolumeClaim", actions: ["Add", "Update"] },
    ],
    vector: { key: ({ pod }) => (hasClaims(pod) ? undefined : ""), compile: () => undefined },
  };
}

/** Volume handle to driver; a claim without a volume yet stands for itself. */
function driverVolumes(pod: Pod, listers: ClusterListers): Map<string, string> {
  const volumes = new Map<string, string>();
  for (const { key } of claimNames(pod)) {
    const claim = listers.persistentVolumeClaims.get(key);
    if (claim === undefined) continue;
    const csi = listers.persistentVolumes.get(claim.spec?.volumeName ?? "")?.spec?.csi;
    const driver = csi?.driver ?? (claim.spec?.volumeName ? undefined : classOf(claim, listers)?.provisioner);
    if (driver !== undefined) volumes.set(`${driver}/${csi?.volumeHandle ?? key}`, driver);
  }
  return volumes;
}

function volumesOf(pod: Pod, listers: ClusterListers): PersistentVolume[] {
  return claimNames(pod).flatMap(({ key }) => {
    const name = listers.persistentVolumeClaims.get(key)?.spec?.volumeName;
    return name ? (listers.persistentVolumes.get(name) ?? []) : [];
  });
}
