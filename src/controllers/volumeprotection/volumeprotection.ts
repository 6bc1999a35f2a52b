import {
  type KubeObject,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  type ResourceType,
  type VolumeAttributesClass,
  volumeAttributesClasses,
} from "../../api/index.js";
import type { Controller } from "../controller.js";
import { defineStatefulController, type ReconcileContext } from "../define-controller.js";
import { claimKeysOf, indexByClaim, podsUsing } from "../shared/pod-indexes.js";

const claimFinalizer = "kubernetes.io/pvc-protection";
const volumeFinalizer = "kubernetes.io/pv-protection";
const classFinalizer = "kubernetes.io/vac-protection";
const byClass = "volumeattributesclass";

/** Lets a claim that is being deleted go when no pod that has a node uses it. */
export const pvcProtectionController: Controller = defineStatefulController<PersistentVolumeClaim>({
  name: "persistentvolumeclaim-protection-controller",
  aliases: ["pvc-protection"],
  account: "pvc-protection-controller",
  for: persistentVolumeClaims,
  prepare: (context, enqueue) => {
    const claims = context.informer(persistentVolumeClaims);
    const podInformer = context.informer(pods);
    indexByClaim(podInformer);
    podInformer.addHandler({
      delete: (pod) => {
        for (const key of claimKeysOf(pod)) enqueue(key);
      },
    });
    return async (key, reconcile) => {
      const claim = claims.get(key);
      if (claim === undefined) return;
      const used = async (): Promise<boolean> => {
        const uses = (pod: Pod): boolean => Boolean(pod.spec?.nodeName) && claimKeysOf(pod).includes(key);
        if ([...podsUsing(podInformer, key)].some(uses)) return true;
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

/** Lets a class of volume attributes that is being deleted go when no claim and no volume has it or is on its way to it. */
export const vacProtectionController: Controller = defineStatefulController<VolumeAttributesClass>({
  name: "volumeattributesclass-protection-controller",
  for: volumeAttributesClasses,
  prepare: (context, enqueue) => {
    const classes = context.informer(volumeAttributesClasses);
    const claims = context.informer(persistentVolumeClaims);
    const volumes = context.informer(persistentVolumes);
    claims.addIndex(byClass, classesOfClaim);
    volumes.addIndex(byClass, classesOfVolume);
    const released = (before: readonly string[], now: readonly string[]): void => {
      for (const name of before) if (!now.includes(name)) enqueue(name);
    };
    claims.addHandler({
      update: (old, claim) => released(classesOfClaim(old), classesOfClaim(claim)),
      delete: (claim) => released(classesOfClaim(claim), []),
    });
    volumes.addHandler({
      update: (old, volume) => released(classesOfVolume(old), classesOfVolume(volume)),
      delete: (volume) => released(classesOfVolume(volume), []),
    });
    return async (key, reconcile) => {
      const found = classes.get(key);
      if (found === undefined) return;
      const used = (): boolean => [claims, volumes].some((users) => [...users.byIndex(byClass, key)].length > 0);
      await protect(reconcile, volumeAttributesClasses, found, classFinalizer, used);
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
/** That it asks for, has, and is being changed to. */
function classesOfClaim({ spec, status }: PersistentVolumeClaim): readonly string[] {
  const { currentVolumeAttributesClassName, modifyVolumeStatus } = status ?? {};
  const names = [
    spec?.volumeAttributesClassName,
    currentVolumeAttributesClassName,
    modifyVolumeStatus?.targetVolumeAttributesClassName,
  ];
  return [...new Set(names.filter((name) => name !== undefined && name !== ""))] as readonly string[];
}

function classesOfVolume({ spec }: PersistentVolume): readonly string[] {
  return spec?.volumeAttributesClassName ? [spec.volumeAttributesClassName] : [];
}
