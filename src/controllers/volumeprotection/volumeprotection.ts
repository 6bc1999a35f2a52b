import {
  type KubeObject,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  type ResourceType,
} from "../../api/index.js";
import type { Controller } from "../controller.js";
import { defineStatefulController, type ReconcileContext } from "../define-controller.js";

const claimFinalizer = "kubernetes.io/pvc-protection";
const volumeFinalizer = "kubernetes.io/pv-protection";
const byClaim = "claim";

/** Lets a claim that is being deleted go when no pod that has a node uses it. */
export const pvcProtectionController: Controller = defineStatefulController<PersistentVolumeClaim>({
  name: "persistentvolumeclaim-protection-controller",
  aliases: ["pvc-protection"],
  account: "pvc-protection-controller",
  for: persistentVolumeClaims,
  prepare: (context, enqueue) => {
    const claims = context.informer(persistentVolumeClaims);
    const podInformer = context.informer(pods);
    podInformer.addIndex(byClaim, claimKeys);
    podInformer.addHandler({
      delete: (pod) => {
        for (const key of claimKeys(pod)) enqueue(key);
      },
    });
    return async (key, reconcile) => {
      const claim = claims.get(key);
      if (claim === undefined) return;
      const used = async (): Promise<boolean> => {
        const uses = (pod: Pod): boolean => Boolean(pod.spec?.nodeName) && claimKeys(pod).includes(key);
        if ([...podInformer.byIndex(byClaim, key)].some(uses)) return true;
        // The cache may lag behind a pod that was just bound.
        const { namespace } = claim.metadata;
        return (await reconcile.client.list(pods, { namespace, signal: reconcile.signal })).items.some(uses);
      };
      await protect(reconcile, persistentVolumeClaims, claim, claimFinalizer, used);
    };
  },
});

/** Lets a volume that is being deleted go when no claim is bound to it. */
export const pvProtectionController: Controller = defineStatefulController<PersistentVolume>({
  name: "persistentvolume-protection-controller",
  aliases: ["pv-protection"],
  account: "pv-protection-controller",
  for: persistentVolumes,
  prepare: (context) => {
    const volumes = context.informer(persistentVolumes);
    return async (key, reconcile) => {
      const volume = volumes.get(key);
      if (volume === undefined) return;
      await protect(reconcile, persistentVolumes, volume, volumeFinalizer, () => volume.status?.phase === "Bound");
    };
  },
});

async function protect<T extends KubeObject>(
  { client, signal }: ReconcileContext,
  resource: ResourceType<T>,
  object: T,
  finalizer: string,
  used: () => boolean | Promise<boolean>,
): Promise<void> {
  const { finalizers = [], deletionTimestamp } = object.metadata;
  const has = finalizers.includes(finalizer);
  const wanted = deletionTimestamp === undefined || (has && (await used()));
  if (has === wanted) return;
  const next = has ? finalizers.filter((one) => one !== finalizer) : [...finalizers, finalizer];
  await client.update(resource, { ...object, metadata: { ...object.metadata, finalizers: next } }, { signal });
}

/** Of the claims that the pod names, and of those made for its ephemeral volumes. */
function claimKeys({ metadata: { namespace = "", name }, spec }: Pod): readonly string[] {
  return (spec?.volumes ?? []).flatMap((volume) => {
    if (volume.persistentVolumeClaim !== undefined) return [`${namespace}/${volume.persistentVolumeClaim.claimName}`];
    return volume.ephemeral === undefined ? [] : [`${namespace}/${name}-${volume.name}`];
  });
}
