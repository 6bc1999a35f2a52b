import type { Pod, PodResourceClaim, PodResourceClaimStatus, ResourceClaim } from "./gen/types.js";

/** So many consumers a ResourceClaim may have. */
export const maxReservations = 256;

/** The name of the claim that is meant by an entry of `spec.resourceClaims`; undefined while it is still to be made. */
export function claimNameOf(
  pod: Pod,
  { name, resourceClaimName }: Pick<PodResourceClaim, "name" | "resourceClaimName">,
): string | undefined {
  return resourceClaimName ?? claimStatus(pod, name)?.resourceClaimName;
}

/** Somebody has decided that the pod does without this claim: the status has it, but names none. */
export function isUnneeded(pod: Pod, name: string): boolean {
  const status = claimStatus(pod, name);
  return status !== undefined && status.resourceClaimName === undefined;
}

export function isReservedFor({ status }: ResourceClaim, { metadata }: Pod): boolean {
  return (status?.reservedFor ?? []).some(({ uid }) => uid === metadata.uid);
}

export function canBeReserved({ status }: ResourceClaim): boolean {
  return (status?.reservedFor ?? []).length < maxReservations;
}

function claimStatus({ status }: Pod, name: string): PodResourceClaimStatus | undefined {
  return status?.resourceClaimStatuses?.find((one) => one.name === name);
}
