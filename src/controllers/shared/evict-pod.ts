import { type Pod, type PodCondition, pods } from "../../api/index.js";
import type { Client } from "../../client/index.js";
import { type Clock, timestamp } from "../../internal/clock.js";
import { setCondition } from "./conditions.js";
import { writeStatus } from "./write-status.js";

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
  const conditions = setCondition(pod.status?.conditions, condition);
  await writeStatus(
    client,
    pods,
    pod,
    { ...pod.status, ...(phase === undefined ? {} : { phase }), conditions },
    signal,
  );
}
