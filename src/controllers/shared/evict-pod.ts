import { isStatusError, type Pod, type PodCondition, pods } from "../../api/index.js";
import type { Client } from "../../client/index.js";
import { type Clock, timestamp } from "../../internal/clock.js";
import { findCondition } from "./conditions.js";

/** Says on the pod why it is about to be ended from outside; `phase` is set too where nobody is left to do it. */
export async function markDisrupted(
  client: Client,
  clock: Clock,
  pod: Pod,
  reason: string,
  message: string,
  signal: AbortSignal,
  phase?: "Failed",
): Promise<void> {
  const condition: PodCondition = {
    type: "DisruptionTarget",
    status: "True",
    reason,
    message,
    lastTransitionTime: timestamp(clock),
  };
  const current = findCondition(pod.status?.conditions, "DisruptionTarget");
  if (current?.status === "True" && current.reason === reason && (phase ?? pod.status?.phase) === pod.status?.phase)
    return;
  await patchStatus(client, pod, { ...(phase === undefined ? {} : { phase }), conditions: [condition] }, signal);
}

/**
 * Merges into the pod's status. A patch, as upstream's: the kubelet may be writing the same status, and not everybody who may end
 * pods may read them.
 */
export async function patchStatus(
  client: Client,
  pod: Pod,
  status: Partial<NonNullable<Pod["status"]>>,
  signal: AbortSignal,
): Promise<void> {
  const { namespace, name, uid } = pod.metadata;
  const body = { metadata: { uid }, status };
  try {
    await client.patch(pods, { namespace, name }, { type: "strategic", body }, { subresource: "status", signal });
  } catch (error) {
    // Gone, or another one of its name by now.
    if (!isStatusError(error, "NotFound") && !isStatusError(error, "Conflict")) throw error;
  }
}
