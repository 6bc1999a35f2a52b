import type { PersistentVolume } from "../../gen/types.js";
import { type Loose, ownValue } from "../loose.js";
import { warnTerm } from "./scheduling-warnings.js";

const goneAnnotations = [
  ["volume.beta.kubernetes.io/storage-class", 'deprecated since v1.8; use "storageClassName" attribute instead'],
  ["volume.beta.kubernetes.io/mount-options", 'deprecated since v1.31; use "mountOptions" attribute instead'],
] as const;

const goneSources = {
  cephfs: "cephfs: deprecated in v1.28, non-functional in v1.31+",
  photonPersistentDisk: "photonPersistentDisk: deprecated in v1.11, non-functional in v1.16+",
  scaleIO: "scaleIO: deprecated in v1.16, non-functional in v1.22+",
  storageos: "storageOS: deprecated in v1.22, non-functional in v1.25+",
  glusterfs: "glusterfs: deprecated in v1.25, non-functional in v1.26+",
  rbd: "rbd: deprecated in v1.28, non-functional in v1.31+",
} as const;

/** What a volume says that has no effect any more, or soon will have none. */
export function volumeObjectWarnings(volume: Loose<PersistentVolume>): readonly string[] {
  const warnings: string[] = [];
  const spec = volume.spec ?? {};
  for (const [key, instead] of goneAnnotations) {
    if (ownValue(volume.metadata?.annotations, key) === undefined) continue;
    warnings.push(`metadata.annotations[${key}]: ${instead}`);
  }
  if (spec.persistentVolumeReclaimPolicy === "Recycle") {
    const instead = "Instead, the recommended approach is to use dynamic provisioning.";
    warnings.push(`spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. ${instead}`);
  }
  spec.nodeAffinity?.required?.nodeSelectorTerms?.forEach((term, index) => {
    warnTerm(warnings, `spec.nodeAffinity.required.nodeSelectorTerms[${index}]`, term, false);
  });
  for (const [source, warning] of Object.entries(goneSources)) {
    if (Reflect.get(spec, source) !== undefined) warnings.push(`spec.${warning}`);
  }
  return warnings;
}
