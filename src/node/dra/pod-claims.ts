import type { Container, Pod, PodResourceClaim, ResourceClaim } from "../../api/index.js";
import { quantityValue } from "../../api/index.js";
import { claimNameOf, isReservedFor, isUnneeded } from "../../api/pod-claims.js";

/** A ResourceClaim that a pod needs. */
export interface NeededClaim {
  readonly name: string;
  /** Made for the pod from a template: nobody else's will do. */
  readonly generated: boolean;
}

/**
 * The claims that a pod needs, the one for its extended resources included; those of which its status says that there need be none
 * are left out. Throws in upstream's words when one is still to be made.
 */
export function neededClaims(pod: Pod): readonly NeededClaim[] {
  const own = (pod.spec?.resourceClaims ?? []).flatMap((claim): NeededClaim[] => {
    const name = nameOf(pod, claim);
    return name === undefined ? [] : [{ name, generated: claim.resourceClaimName === undefined }];
  });
  const extended = pod.status?.extendedResourceClaimStatus?.resourceClaimName;
  return extended === undefined ? own : [...own, { name: extended, generated: false }];
}

/** Throws in upstream's words when the pod may not use the claim. */
export function checkClaim(pod: Pod, claim: ResourceClaim, { generated }: NeededClaim): void {
  const { name, namespace = "", uid } = pod.metadata;
  const owners = claim.metadata.ownerReferences ?? [];
  if (generated && !owners.some((owner) => owner.controller === true && owner.uid === uid)) {
    throw new Error(
      `ResourceClaim ${namespace}/${claim.metadata.name} was not created for Pod ${namespace}/${name} (Pod is not owner)`,
    );
  }
  if (!isReservedFor(claim, pod)) {
    throw new Error(
      `pod ${name} (${uid}) is not allowed to use ResourceClaim ${claim.metadata.name} (${claim.metadata.uid})`,
    );
  }
  if (claim.status?.allocation === undefined) throw new Error(`ResourceClaim ${claim.metadata.name}: not allocated`);
}

/** By claim, which of its requests a container is to have; an empty name: all. */
export function requestsOf(pod: Pod, container: Container): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  const add = (claim: string, request: string): void => void found.set(claim, [...(found.get(claim) ?? []), request]);
  for (const { name, request = "" } of container.resources?.claims ?? []) {
    const claim = pod.spec?.resourceClaims?.find((one) => one.name === name);
    const claimName = claim && nameOf(pod, claim);
    if (claimName !== undefined) add(claimName, request);
  }
  const { resourceClaimName, requestMappings = [] } = pod.status?.extendedResourceClaimStatus ?? {};
  for (const { containerName, resourceName, requestName } of requestMappings) {
    const asked = container.resources?.requests?.[resourceName] ?? container.resources?.limits?.[resourceName] ?? "0";
    if (containerName !== container.name || resourceClaimName === undefined || quantityValue(asked) === 0) continue;
    add(resourceClaimName, requestName);
  }
  return found;
}

/** Undefined: somebody has decided that there need be none. */
function nameOf(pod: Pod, claim: PodResourceClaim): string | undefined {
  const { namespace = "", name } = pod.metadata;
  if (claim.resourceClaimName === undefined && claim.resourceClaimTemplateName === undefined) {
    throw new Error(
      `pod "${namespace}/${name}", spec.resourceClaim ${JSON.stringify(claim.name)}: none of the supported fields are set`,
    );
  }
  const found = claimNameOf(pod, claim);
  if (found !== undefined || isUnneeded(pod, claim.name)) return found;
  throw new Error(`pod "${namespace}/${name}": ResourceClaim not created yet`);
}
