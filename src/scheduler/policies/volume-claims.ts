import type { Node, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from "../../api/index.js";
import type { ClusterListers } from "../framework/listers.js";
import { anyTerm } from "./node-selector.js";

/** The claims that a pod uses: named ones, and those that are made for its ephemeral volumes. */
export interface ClaimName {
  readonly key: string;
  readonly name: string;
  readonly ephemeral: boolean;
}

export function claimNames(pod: Pod): readonly ClaimName[] {
  const { namespace = "", name } = pod.metadata;
  return (pod.spec?.volumes ?? []).flatMap((volume): ClaimName[] => {
    if (volume.persistentVolumeClaim !== undefined) {
      const { claimName } = volume.persistentVolumeClaim;
      return [{ key: `${namespace}/${claimName}`, name: claimName, ephemeral: false }];
    }
    if (volume.ephemeral === undefined) return [];
    const claim = `${name}-${volume.name}`;
    return [{ key: `${namespace}/${claim}`, name: claim, ephemeral: true }];
  });
}

export function hasClaims(pod: Pod): boolean {
  return (
    pod.spec?.volumes?.some(({ persistentVolumeClaim, ephemeral }) => persistentVolumeClaim ?? ephemeral) !==
      undefined && claimNames(pod).length > 0
  );
}

/** A claim is bound once the volume controller has said so, not when it merely names a volume. */
export function isBound({ metadata, spec }: PersistentVolumeClaim): boolean {
  const { annotations } = metadata;
  return (
    Boolean(spec?.volumeName) &&
    annotations !== undefined &&
    Object.hasOwn(annotations, "pv.kubernetes.io/bind-completed")
  );
}

export function classOf(claim: PersistentVolumeClaim, listers: ClusterListers): StorageClass | undefined {
  const name = claim.spec?.storageClassName ?? claim.metadata.annotations?.["volume.beta.kubernetes.io/storage-class"];
  return name ? listers.storageClasses.get(name) : undefined;
}

/** Whether the claim waits for the scheduler to choose a node. */
export function isDelayed(claim: PersistentVolumeClaim, listers: ClusterListers): boolean {
  return classOf(claim, listers)?.volumeBindingMode === "WaitForFirstConsumer";
}

export function volumeFitsNode({ spec }: PersistentVolume, node: Node): boolean {
  const required = spec?.nodeAffinity?.required;
  return required === undefined || anyTerm(required.nodeSelectorTerms)(node);
}
