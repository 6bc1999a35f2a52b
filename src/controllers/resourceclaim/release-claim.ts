import {
  type Pod,
  pods,
  type ResourceClaim,
  type ResourceClaimConsumerReference,
  type ResourceClaimStatus,
  resourceClaims,
} from "../../api/index.js";
import type { Informer } from "../../client/index.js";
import type { ReconcileContext } from "../define-controller.js";
import { controllerOf } from "../shared/owners.js";
import { isFinished, isTerminating } from "../shared/pods.js";
import { deleteExactly, getOrUndefined } from "../shared/write-status.js";

/** Keeps a claim from going while it holds devices. */
const finalizer = "resource.kubernetes.io/delete-protection";

/** None of its containers runs, and none ever will. */
export function willNotRun(pod: Pod): boolean {
  return isFinished(pod) || (isTerminating(pod) && !pod.spec?.nodeName);
}

/**
 * Takes the pods off a claim that do not use it any more. When the last one goes, the devices are free for others, on any node. A claim
 * that was never reserved keeps what it has until it is deleted: a driver may allocate ahead.
 */
export async function releaseClaim(
  claim: ResourceClaim,
  podInformer: Informer<Pod>,
  context: ReconcileContext,
): Promise<void> {
  const { client, signal } = context;
  const before = claim.status?.reservedFor ?? [];
  const users: ResourceClaimConsumerReference[] = [];
  for (const consumer of before) if (await isUsing(claim, consumer, podInformer, context)) users.push(consumer);
  const held = claim.metadata.finalizers?.includes(finalizer) ?? false;
  const leaving = held && users.length === 0 && isDeleted(claim);
  if (users.length < before.length || leaving) {
    let current = claim;
    // Fails when anything has changed since: a pod that was added meanwhile must not lose its devices.
    if (users.length < before.length || claim.status?.allocation !== undefined) {
      const status = statusFor(claim, users, held);
      current = await client.update(resourceClaims, { ...claim, status }, { subresource: "status", signal });
    }
    const finalizers = current.metadata.finalizers ?? [];
    if (finalizers.includes(finalizer) && current.status?.allocation === undefined) {
      const metadata = { ...current.metadata, finalizers: finalizers.filter((one) => one !== finalizer) };
      await client.update(resourceClaims, { ...current, metadata }, { signal });
    }
  }
  if (users.length === 0 && !isDeleted(claim)) await deleteIfUnused(claim, podInformer, context);
}

function isDeleted({ metadata }: ResourceClaim): boolean {
  return metadata.deletionTimestamp !== undefined;
}

function statusFor(
  { status }: ResourceClaim,
  users: readonly ResourceClaimConsumerReference[],
  held: boolean,
): ResourceClaimStatus {
  const { allocation, reservedFor, devices, ...others } = status ?? {};
  if (users.length > 0) return { ...status, reservedFor: users };
  if (!held && allocation !== undefined) {
    // Not the scheduler's allocation, so not ours to take back.
    return { ...others, allocation, ...(devices === undefined ? {} : { devices }) };
  }
  return others;
}

async function isUsing(
  { metadata: { namespace = "", name } }: ResourceClaim,
  consumer: ResourceClaimConsumerReference,
  podInformer: Informer<Pod>,
  { client, signal }: ReconcileContext,
): Promise<boolean> {
  if ((consumer.apiGroup ?? "") !== "" || consumer.resource !== "pods") {
    const what = `${consumer.resource}${consumer.apiGroup ? `.${consumer.apiGroup}` : ""} ${consumer.name}`;
    throw new Error(`unsupported ReservedFor entry of resourceclaim ${namespace}/${name}: ${what}`);
  }
  // A pod that the cache does not have yet may be the one that is just being scheduled.
  const pod =
    podInformer.get(`${namespace}/${consumer.name}`) ??
    (await getOrUndefined(client, pods, { metadata: { namespace, name: consumer.name } }, signal));
  return pod !== undefined && pod.metadata.uid === consumer.uid && !willNotRun(pod);
}

/** A claim made for a pod is of no use to anybody when that is over; the pod itself may stay for long. */
async function deleteIfUnused(
  claim: ResourceClaim,
  podInformer: Informer<Pod>,
  { client, signal }: ReconcileContext,
): Promise<void> {
  const owner = controllerOf(claim);
  if (owner === undefined || owner.apiVersion !== "v1" || owner.kind !== "Pod") return;
  // One that is not known is the garbage collector's, who looks twice.
  const pod = podInformer.get(`${claim.metadata.namespace}/${owner.name}`);
  if (pod === undefined || (pod.metadata.uid === owner.uid && !willNotRun(pod))) return;
  await deleteExactly(client, resourceClaims, claim, { signal });
}
