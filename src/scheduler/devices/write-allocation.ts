import {
  type AllocationResult,
  isStatusError,
  type Pod,
  pods,
  type ResourceClaim,
  resourceClaims,
} from "../../api/index.js";
import { canBeReserved, isReservedFor } from "../../api/pod-claims.js";
import type { Client } from "../../client/index.js";
import { type ExtendedClaim, extendedClaimAnnotation } from "./extended-resources.js";

/** Keeps a claim from going while it holds devices. */
const finalizer = "resource.kubernetes.io/delete-protection";
const maxTries = 5;

/** Takes the allocation back of a claim that nobody uses but the pod. Rejects with StatusError. */
export async function deallocate(client: Client, { metadata }: ResourceClaim, signal?: AbortSignal): Promise<void> {
  const { namespace, name, resourceVersion } = metadata;
  const body = { metadata: { resourceVersion }, status: { allocation: null, reservedFor: null, devices: null } };
  const options = { subresource: "status", ...(signal === undefined ? {} : { signal }) };
  await client.patch(resourceClaims, { namespace, name }, { type: "merge", body }, options);
}

/** The pod does not use the claim after all. Rejects with StatusError. */
export async function release(client: Client, pod: Pod, { metadata }: ResourceClaim): Promise<void> {
  const { namespace, name, uid } = metadata;
  const reservedFor = [{ $patch: "delete", uid: pod.metadata.uid }];
  const body = { metadata: { uid }, status: { reservedFor } };
  await client.patch(resourceClaims, { namespace, name }, { type: "strategic", body }, { subresource: "status" });
}

/** Makes the claim for a pod's extended resources. Rejects with StatusError. */
export async function makeExtendedClaim(
  client: Client,
  { metadata: { namespace, name, uid } }: Pod,
  { requests }: ExtendedClaim,
  signal: AbortSignal,
): Promise<ResourceClaim> {
  const claim = {
    apiVersion: "resource.k8s.io/v1" as const,
    kind: "ResourceClaim" as const,
    metadata: {
      ...(namespace === undefined ? {} : { namespace }),
      generateName: `${name}-extended-resources-`,
      annotations: { [extendedClaimAnnotation]: "true" },
      ownerReferences: [{ apiVersion: "v1", kind: "Pod", name, uid, controller: true }],
    },
    spec: { devices: { requests } },
  };
  return client.create(resourceClaims, claim, { signal });
}

/** Says in the pod's status which container gets which devices of the claim. Rejects with StatusError. */
export async function tellMappings(
  client: Client,
  { metadata: { namespace, name, uid } }: Pod,
  claim: ResourceClaim,
  { mappings }: ExtendedClaim,
  signal: AbortSignal,
): Promise<void> {
  const extendedResourceClaimStatus = { requestMappings: mappings, resourceClaimName: claim.metadata.name };
  const body = { metadata: { uid }, status: { extendedResourceClaimStatus } };
  await client.patch(pods, { namespace, name }, { type: "strategic", body }, { subresource: "status", signal });
}

/** Deletes a claim that holds devices for a pod that is not bound. Rejects with StatusError. */
export async function deleteClaim(client: Client, { metadata: { namespace, name } }: ResourceClaim): Promise<void> {
  const at = { namespace, name };
  const { metadata } = await client.get(resourceClaims, at);
  const { resourceVersion, finalizers = [] } = metadata;
  const body = { metadata: { resourceVersion, finalizers: finalizers.filter((one) => one !== finalizer) } };
  await client.patch(resourceClaims, at, { type: "merge", body });
  await client.delete(resourceClaims, at, { preconditions: { uid: metadata.uid } });
}

/**
 * Writes down for whom the claim is reserved and, when it is new, what it holds. Gives why not when somebody else was faster. Rejects with
 * StatusError.
 */
export async function writeAllocation(
  client: Client | undefined,
  pod: Pod,
  { metadata: { namespace, name, uid } }: ResourceClaim,
  allocation: AllocationResult | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (client === undefined) return undefined;
  for (let tries = 1; ; tries++) {
    const claim = await client.get(resourceClaims, { namespace, name }, { signal });
    if (claim.metadata.uid !== uid) return `resourceclaim ${JSON.stringify(name)} was made anew`;
    if (claim.metadata.deletionTimestamp !== undefined) return `resourceclaim ${JSON.stringify(name)} is being deleted`;
    if (claim.status?.allocation !== undefined && isReservedFor(claim, pod)) return undefined;
    if ((claim.status?.allocation === undefined) !== (allocation !== undefined)) {
      return `resourceclaim ${JSON.stringify(name)} has changed`;
    }
    if (!canBeReserved(claim)) return "resourceclaim in use";
    try {
      await write(client, pod, claim, allocation, signal);
      return undefined;
    } catch (error) {
      if (tries >= maxTries || !isStatusError(error, "Conflict")) throw error;
    }
  }
}

async function write(
  client: Client,
  pod: Pod,
  claim: ResourceClaim,
  allocation: AllocationResult | undefined,
  signal: AbortSignal,
): Promise<void> {
  const finalizers = claim.metadata.finalizers ?? [];
  const held =
    allocation === undefined || finalizers.includes(finalizer)
      ? claim
      : await client.update(
          resourceClaims,
          { ...claim, metadata: { ...claim.metadata, finalizers: [...finalizers, finalizer] } },
          { signal },
        );
  const { name, uid } = pod.metadata;
  const reservedFor = [...(held.status?.reservedFor ?? []), { resource: "pods", name, uid }];
  const status = { ...held.status, ...(allocation === undefined ? {} : { allocation }), reservedFor };
  await client.update(resourceClaims, { ...held, status }, { subresource: "status", signal });
}
