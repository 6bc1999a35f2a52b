import type { Pod, ResourceClaim } from "../../api/index.js";
import { claimNameOf, isUnneeded } from "../../api/pod-claims.js";
import type { ClusterListers } from "../framework/listers.js";
import { type Rejection, unresolvable } from "../framework/policy.js";

interface NamedClaim {
  /** Absent: it is still to be made from its template. */
  readonly name: string | undefined;
  readonly generated: boolean;
}

/** The pod's claims by name; those of which the pod's status says that it needs none are left out. */
function namedClaims(pod: Pod): readonly NamedClaim[] {
  return (pod.spec?.resourceClaims ?? [])
    .filter((claim) => claim.resourceClaimName !== undefined || !isUnneeded(pod, claim.name))
    .map((claim) => ({ name: claimNameOf(pod, claim), generated: claim.resourceClaimName === undefined }));
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
