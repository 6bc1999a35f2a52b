import type { Node, PersistentVolume, PersistentVolumeClaim, StorageClass } from "../../api/index.js";
import { safeSelector } from "../cache/affinity-term.js";
import type { ClusterListers } from "../framework/listers.js";
import { amountOf } from "../framework/resources.js";
import { labelOf } from "./node-selector.js";
import { volumeFitsNode } from "./volume-claims.js";

export const selectedNodeAnnotation = "volume.kubernetes.io/selected-node";

/** The smallest volume that would do for the claim on the node and is not `taken`. */
export function findVolume(
  claim: PersistentVolumeClaim,
  node: Node,
  listers: ClusterListers,
  taken: (volumeName: string) => boolean,
): PersistentVolume | undefined {
  const selector = claim.spec?.selector === undefined ? undefined : safeSelector(claim.spec.selector);
  const wanted = storageOf(claim.spec?.resources?.requests);
  const className = claim.spec?.storageClassName ?? "";
  let best: PersistentVolume | undefined;
  for (const volume of listers.persistentVolumes.list()) {
    const { spec, status, metadata } = volume;
    if (spec === undefined || metadata.deletionTimestamp !== undefined || taken(metadata.name)) continue;
    const { claimRef } = spec;
    const reserved = claimRef?.name === claim.metadata.name && claimRef.namespace === claim.metadata.namespace;
    if (claimRef !== undefined && !(reserved && (!claimRef.uid || claimRef.uid === claim.metadata.uid))) continue;
    if (claimRef === undefined && status?.phase !== undefined && status.phase !== "Available") continue;
    if ((spec.storageClassName ?? "") !== className) continue;
    if ((spec.volumeMode ?? "Filesystem") !== (claim.spec?.volumeMode ?? "Filesystem")) continue;
    if (!(claim.spec?.accessModes ?? []).every((mode) => spec.accessModes?.includes(mode))) continue;
    if (storageOf(spec.capacity) < wanted || (selector !== undefined && !selector.matches(metadata.labels))) continue;
    if (!volumeFitsNode(volume, node)) continue;
    if (reserved) return volume;
    if (best === undefined || storageOf(spec.capacity) < storageOf(best.spec?.capacity)) best = volume;
  }
  return best;
}

export type Provisioning = "possible" | "impossible" | "no-capacity";

/** Whether the claim's class could make a volume that the node can use. */
export function canProvision(
  claim: PersistentVolumeClaim,
  storageClass: StorageClass,
  node: Node,
  listers: ClusterListers,
): Provisioning {
  const { provisioner, allowedTopologies } = storageClass;
  if (provisioner === "" || provisioner === "kubernetes.io/no-provisioner") return "impossible";
  const allowed =
    allowedTopologies === undefined ||
    allowedTopologies.length === 0 ||
    allowedTopologies.some(({ matchLabelExpressions = [] }) =>
      matchLabelExpressions.every(({ key, values }) => values.includes(labelOf(node, key) ?? "")),
    );
  if (!allowed) return "impossible";
  if (listers.csiDrivers.get(provisioner)?.spec.storageCapacity !== true) return "possible";
  const wanted = storageOf(claim.spec?.resources?.requests);
  for (const { storageClassName, nodeTopology, capacity, maximumVolumeSize } of listers.csiStorageCapacities.list()) {
    const room = maximumVolumeSize ?? capacity;
    if (storageClassName !== storageClass.metadata.name || room === undefined) continue;
    if (nodeTopology === undefined || !safeSelector(nodeTopology).matches(node.metadata.labels)) continue;
    if (amountOf("storage", room) >= wanted) return "possible";
  }
  return "no-capacity";
}

function storageOf(amounts: { readonly [name: string]: string } | undefined): number {
  return amountOf("storage", amounts?.storage ?? "0");
}
