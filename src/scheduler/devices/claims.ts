import type { Pod, ResourceClaim } from "../../api/index.js";
import type { ClusterListers } from "../framework/listers.js";
import { type Rejection, unresolvable } from "../framework/policy.js";

/** How many pods may share a claim. */
export const maxReservations = 256;

interface NamedClaim {
  /** Absent: it is still to be made from its template. */
  readonly name: string | undefined;
  readonly generated: boolean;
}

/** The pod's claims by name; those of which the pod's status says that it needs none are left out. */
function namedClaims({ spec, status }: Pod): readonly NamedClaim[] {
  return (spec?.resourceClaims ?? []).flatMap(({ name, resourceClaimName }): readonly NamedClaim[] => {
    if (resourceClaimName !== undefined) return [{ name: resourceClaimName, generated: false }];
    const known = status?.resourceClaimStatuses?.find((one) => one.name === name);
    if (known !== undefined && known.resourceClaimName === undefined) return [];
    return [{ name: known?.resourceClaimName, generated: true }];
  });
}

export function missingClaim(pod: Pod): boolean {
  return namedClaims(pod).some(({ name }) => name === undefined);
}

/** The claims, or why there is something wrong with them. */
export function claimsOf(pod: Pod, listers: ClusterListers): readonly ResourceClaim[] | Rejection {
  const { namespace = "", name: podName, uid } = pod.metadata;
  const claims: ResourceClaim[] = [];
  for (const { name, generated } of namedClaims(pod)) {
    const claim = listers.resourceClaims.get(`${namespace}/${name ?? ""}`);
    if (claim === undefined) return unresolvable(`resourceclaim ${JSON.stringify(name ?? "")} not found`);
    if (claim.metadata.deletionTimestamp !== undefined) {
      return unresolvable(`resourceclaim ${JSON.stringify(name)} is being deleted`);
    }
    const owners = claim.metadata.ownerReferences ?? [];
    if (generated && !owners.some((owner) => owner.controller === true && owner.uid === uid)) {
      return unresolvable(
        `ResourceClaim ${namespace}/${name} was not created for pod ${namespace}/${podName} (pod is not owner)`,
      );
    }
    claims.push(claim);
  }
  return claims;
}

export function isReservedFor({ status }: ResourceClaim, { metadata }: Pod): boolean {
  return (status?.reservedFor ?? []).some(({ uid }) => uid === metadata.uid);
}
