import type { Pod, ResourceClaim } from "../../api/index.js";

/** The pod's own name for a claim that was made for it from a template. */
export const podClaimAnnotation = "resource.kubernetes.io/pod-claim-name";

/** As many consumers a claim may have. */
const maxReservations = 256;

/** The name of the claim that is meant by an entry of `spec.resourceClaims`; undefined while it is still to be made. */
export function claimNameOf(
  pod: Pod,
  { name, resourceClaimName }: { readonly name: string; readonly resourceClaimName?: string },
): string | undefined {
  return resourceClaimName ?? claimStatus(pod, name)?.resourceClaimName;
}

/** Somebody has decided that the pod does without this claim: the status has it, but names none. */
export function isUnneeded(pod: Pod, name: string): boolean {
  const status = claimStatus(pod, name);
  return status !== undefined && status.resourceClaimName === undefined;
}

function claimStatus(
  pod: Pod,
  name: string,
): { readonly name: string; readonly resourceClaimName?: string } | undefined {
  return pod.status?.resourceClaimStatuses?.find((status) => status.name === name);
}

/** `namespace/name` of every claim of the pod that has a name, the one for its extended resources included. */
export function claimKeysOf(pod: Pod): readonly string[] {
  const { metadata, spec, status } = pod;
  const names = (spec?.resourceClaims ?? []).map((claim) => claimNameOf(pod, claim));
  return [...names, status?.extendedResourceClaimStatus?.resourceClaimName]
    .filter((name) => name !== undefined)
    .map((name) => `${metadata.namespace}/${name}`);
}

export function isReservedFor({ status }: ResourceClaim, { metadata }: Pod): boolean {
  return (status?.reservedFor ?? []).some(({ uid }) => uid === metadata.uid);
}

export function canBeReserved({ status }: ResourceClaim): boolean {
  return (status?.reservedFor ?? []).length < maxReservations;
}

/** How much of a generated name leaves room for a hyphen and what the server appends, within the 63 characters of a label. */
const maxBase = 57;

/** `POD-CLAIM-`; of long names a part of each, by their length. */
export function generateNameFor(pod: string, claim: string): string {
  const whole = `${pod}-${claim}-`;
  if (whole.length <= maxBase) return whole;
  const part = (name: string): string => name.slice(0, Math.floor((name.length * maxBase) / whole.length));
  return `${part(pod)}-${part(claim)}`;
}
