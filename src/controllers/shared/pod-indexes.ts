import type { Pod } from "../../api/index.js";
import type { Informer } from "../../client/index.js";

// Controllers share informers, and the first index of a name stays: there is one function for each name.
const nodeIndex = "node";
const claimIndex = "claim";

export function indexByNode(informer: Informer<Pod>): void {
  informer.addIndex(nodeIndex, (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []));
}

export function podsOn(informer: Informer<Pod>, node: string): IterableIterator<Pod> {
  return informer.byIndex(nodeIndex, node);
}

export function indexByClaim(informer: Informer<Pod>): void {
  informer.addIndex(claimIndex, claimKeysOf);
}

/** `key`: `namespace/name` of a PersistentVolumeClaim. */
export function podsUsing(informer: Informer<Pod>, key: string): IterableIterator<Pod> {
  return informer.byIndex(claimIndex, key);
}

/** `namespace/name` of the PersistentVolumeClaims that the pod's volumes are, or are made for. */
export function claimKeysOf({ metadata: { namespace = "", name }, spec }: Pod): readonly string[] {
  return (spec?.volumes ?? []).flatMap((volume) => {
    if (volume.persistentVolumeClaim !== undefined) return [`${namespace}/${volume.persistentVolumeClaim.claimName}`];
    return volume.ephemeral === undefined ? [] : [`${namespace}/${name}-${volume.name}`];
  });
}
