import { type Pod, persistentVolumeClaims, persistentVolumes, pods } from "../../api/index.js";
import type { CacheReader } from "../admission/admission.js";

/** The pods that run, or are to run, on a node. */
export function podsOnNode(cache: CacheReader, node: string): readonly Pod[] {
  if (cache.listByField !== undefined) return cache.listByField(pods, "spec.nodeName", node);
  return cache.list(pods).filter((pod) => pod.spec?.nodeName === node);
}

function someVolume(
  pod: Pod,
  test: (volume: NonNullable<NonNullable<Pod["spec"]>["volumes"]>[number]) => boolean,
): boolean {
  return (pod.spec?.volumes ?? []).some(test);
}

function containersOf(pod: Pod): readonly NonNullable<Pod["spec"]>["containers"][number][] {
  return [
    ...(pod.spec?.containers ?? []),
    ...(pod.spec?.initContainers ?? []),
    ...((pod.spec?.ephemeralContainers ?? []) as NonNullable<Pod["spec"]>["containers"]),
  ];
}

/** Whether a pod needs this Secret: as environment, volume, pull secret, or by one of its persistent volumes. */
export function podUsesSecret(pod: Pod, name: string, cache: CacheReader): boolean {
  if ((pod.spec?.imagePullSecrets ?? []).some((secret) => secret.name === name)) return true;
  if (usesInEnv(pod, name, "secret")) return true;
  const inVolume = someVolume(
    pod,
    (volume) =>
      volume.secret?.secretName === name ||
      volume.cephfs?.secretRef?.name === name ||
      volume.csi?.nodePublishSecretRef?.name === name ||
      volume.flexVolume?.secretRef?.name === name ||
      volume.iscsi?.secretRef?.name === name ||
      volume.rbd?.secretRef?.name === name ||
      volume.scaleIO?.secretRef?.name === name ||
      volume.storageos?.secretRef?.name === name ||
      volume.azureFile?.secretName === name ||
      (volume.projected?.sources ?? []).some((source) => source.secret?.name === name),
  );
  return (
    inVolume || volumesOf(pod, cache).some((volume) => volumeNeedsSecret(volume, name, pod.metadata.namespace ?? ""))
  );
}

export function podUsesConfigMap(pod: Pod, name: string): boolean {
  if (usesInEnv(pod, name, "configMap")) return true;
  return someVolume(
    pod,
    (volume) =>
      volume.configMap?.name === name ||
      (volume.projected?.sources ?? []).some((source) => source.configMap?.name === name),
  );
}

/** By name, or as the claim that an ephemeral volume of the pod makes. */
export function podUsesClaim(pod: Pod, name: string): boolean {
  return claimsOf(pod).includes(name);
}

export function podUsesVolume(pod: Pod, name: string, cache: CacheReader): boolean {
  return volumesOf(pod, cache).some((volume) => volume.metadata.name === name);
}

export function podUsesResourceClaim(pod: Pod, name: string): boolean {
  const generated = pod.status?.resourceClaimStatuses ?? [];
  return (
    (pod.spec?.resourceClaims ?? []).some((claim) => claim.resourceClaimName === name) ||
    generated.some((claim) => claim.resourceClaimName === name) ||
    pod.status?.extendedResourceClaimStatus?.resourceClaimName === name
  );
}

function claimsOf(pod: Pod): readonly string[] {
  const names: string[] = [];
  for (const volume of pod.spec?.volumes ?? []) {
    if (volume.persistentVolumeClaim !== undefined) names.push(volume.persistentVolumeClaim.claimName);
    if (volume.ephemeral !== undefined) names.push(`${pod.metadata.name}-${volume.name}`);
  }
  return names;
}

type Volume = NonNullable<ReturnType<typeof volumesOf>>[number];

function volumesOf(pod: Pod, cache: CacheReader) {
  const namespace = pod.metadata.namespace ?? "";
  return claimsOf(pod).flatMap((name) => {
    const volumeName = cache.get(persistentVolumeClaims, { namespace, name })?.spec?.volumeName;
    const volume = volumeName ? cache.get(persistentVolumes, { name: volumeName }) : undefined;
    return volume === undefined ? [] : [volume];
  });
}

function volumeNeedsSecret(volume: Volume, name: string, namespace: string): boolean {
  const { csi, azureFile, cephfs, flexVolume, rbd, iscsi, scaleIO, storageos } = volume.spec ?? {};
  const references = [
    csi?.nodePublishSecretRef,
    csi?.nodeStageSecretRef,
    csi?.nodeExpandSecretRef,
    cephfs?.secretRef,
    flexVolume?.secretRef,
    rbd?.secretRef,
    iscsi?.secretRef,
    scaleIO?.secretRef,
    storageos?.secretRef,
    azureFile && { name: azureFile.secretName, namespace: azureFile.secretNamespace },
  ];
  return references.some((reference) => reference?.name === name && (reference.namespace ?? namespace) === namespace);
}

function usesInEnv(pod: Pod, name: string, kind: "secret" | "configMap"): boolean {
  return containersOf(pod).some(
    (container) =>
      (container.env ?? []).some(({ valueFrom }) =>
        kind === "secret" ? valueFrom?.secretKeyRef?.name === name : valueFrom?.configMapKeyRef?.name === name,
      ) ||
      (container.envFrom ?? []).some((source) =>
        kind === "secret" ? source.secretRef?.name === name : source.configMapRef?.name === name,
      ),
  );
}
