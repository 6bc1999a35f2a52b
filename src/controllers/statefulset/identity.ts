import {
  apiVersionOf,
  type New,
  type OwnerReference,
  type PersistentVolumeClaim,
  type Pod,
  type PodTemplateSpec,
  pods,
  type ResourceType,
  type StatefulSet,
  statefulSets,
} from "../../api/index.js";
import { controllerOf, controllerReference } from "../shared/owners.js";
import { podFromTemplate } from "../shared/pod-control.js";

export const revisionLabel = "controller-revision-hash";
const podNameLabel = "statefulset.kubernetes.io/pod-name";
const indexLabel = "apps.kubernetes.io/pod-index";

/** The number at the end of a pod's name; undefined for a pod that is none of the set's. */
export function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const prefix = `${set.metadata.name}-`;
  const { name } = pod.metadata;
  const digits = name.startsWith(prefix) ? name.slice(prefix.length) : "";
  return /^(0|[1-9][0-9]*)$/.test(digits) ? Number(digits) : undefined;
}

export function startOf(set: StatefulSet): number {
  return set.spec?.ordinals?.start ?? 0;
}

export function podName(set: StatefulSet, ordinal: number): string {
  return `${set.metadata.name}-${ordinal}`;
}

function claimName(set: StatefulSet, template: PersistentVolumeClaim, ordinal: number): string {
  return `${template.metadata.name}-${podName(set, ordinal)}`;
}

/** The pod of an ordinal: its name, its place in DNS and its volumes are its own. */
export function makeOrdinalPod(
  set: StatefulSet,
  template: PodTemplateSpec,
  revision: string,
  ordinal: number,
): New<Pod> {
  const pod = podFromTemplate(set, statefulSets, template);
  const name = podName(set, ordinal);
  const { generateName: _, ...metadata } = pod.metadata;
  const claims = set.spec?.volumeClaimTemplates ?? [];
  const volumes = (pod.spec?.volumes ?? []).filter(
    (volume) => !claims.some((claim) => claim.metadata.name === volume.name),
  );
  const claimed = claims.map((claim) => ({
    name: claim.metadata.name,
    persistentVolumeClaim: { claimName: claimName(set, claim, ordinal) },
  }));
  const subdomain = set.spec?.serviceName;
  return {
    ...pod,
    metadata: {
      ...metadata,
      name,
      labels: { ...metadata.labels, [podNameLabel]: name, [indexLabel]: String(ordinal), [revisionLabel]: revision },
    },
    spec: {
      ...(pod.spec ?? { containers: [] }),
      hostname: name,
      ...(subdomain ? { subdomain } : {}),
      ...(volumes.length + claimed.length === 0 ? {} : { volumes: [...claimed, ...volumes] }),
    },
  };
}

/** The claims of an ordinal's pod. */
export function makeClaims(set: StatefulSet, ordinal: number): readonly New<PersistentVolumeClaim>[] {
  return (set.spec?.volumeClaimTemplates ?? []).map((template) => {
    const { namespace } = set.metadata;
    return {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: {
        ...(template.metadata.annotations === undefined ? {} : { annotations: template.metadata.annotations }),
        name: claimName(set, template, ordinal),
        ...(namespace === undefined ? {} : { namespace }),
        labels: { ...template.metadata.labels, ...set.spec?.selector.matchLabels },
      },
      ...(template.spec === undefined ? {} : { spec: template.spec }),
    };
  });
}

/**
 * The owners that a claim should have by the set's retention policy: its pod, where it goes with a pod that is scaled away; else the
 * set, where it goes with the set. Owners of others' making stay. The same array when nothing changes.
 */
export function claimOwners(
  set: StatefulSet,
  claim: PersistentVolumeClaim,
  pod: Pod | undefined,
  condemned: boolean,
): PersistentVolumeClaim["metadata"]["ownerReferences"] {
  const { whenDeleted = "Retain", whenScaled = "Retain" } = set.spec?.persistentVolumeClaimRetentionPolicy ?? {};
  const owners = claim.metadata.ownerReferences ?? [];
  // Also those of their names that are gone.
  const ours = (owner: OwnerReference): boolean =>
    isReferenceTo(owner, set, statefulSets) || (pod !== undefined && isReferenceTo(owner, pod, pods));
  const wanted = [];
  const controller = controllerOf(claim);
  // A claim that somebody else controls is managed by them.
  if (controller === undefined || ours(controller)) {
    if (condemned && whenScaled === "Delete" && pod !== undefined) wanted.push(controllerReference(pod, pods));
    else if (whenDeleted === "Delete") wanted.push(controllerReference(set, statefulSets));
  }
  const has = owners.filter(ours);
  const same = has.length === wanted.length && wanted.every(({ uid }) => has.some((owner) => owner.uid === uid));
  return same ? claim.metadata.ownerReferences : [...owners.filter((owner) => !ours(owner)), ...wanted];
}

/** Whether a claim goes with an earlier pod of this name: one made now would lose it. */
export function goesWithEarlierPod(set: StatefulSet, claim: PersistentVolumeClaim, name: string): boolean {
  if (set.spec?.persistentVolumeClaimRetentionPolicy?.whenScaled !== "Delete") return false;
  const pod = { metadata: { name } };
  return (claim.metadata.ownerReferences ?? []).some((owner) => isReferenceTo(owner, pod, pods));
}

function isReferenceTo(
  { apiVersion, kind, name }: OwnerReference,
  object: { readonly metadata: { readonly name: string } },
  resource: ResourceType,
): boolean {
  return apiVersion === apiVersionOf(resource) && kind === resource.kind && name === object.metadata.name;
}
