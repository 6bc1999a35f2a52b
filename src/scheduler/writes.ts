import { type Binding, type Pod, type PodCondition, pods } from "../api/index.js";
import type { Client } from "../client/index.js";
import { type Clock, timestamp } from "../internal/clock.js";

export interface PodStatusChange {
  /** The PodScheduled condition. */
  readonly condition?: { readonly status: "False"; readonly reason: string; readonly message: string };
  /** Empty: no longer nominated. */
  readonly nominatedNodeName?: string;
}

/** Everything that the scheduler does to the cluster. All reject with StatusError. */
export interface ClusterWrites {
  bind(pod: Pod, nodeName: string, signal: AbortSignal): Promise<void>;
  patchStatus(pod: Pod, change: PodStatusChange, signal: AbortSignal): Promise<void>;
  /** Says in the victim's status why, then deletes it. A victim that is gone already is fine. */
  evict(victim: Pod, schedulerName: string, signal: AbortSignal): Promise<void>;
}

export function clientWrites(client: Client, clock: Clock): ClusterWrites {
  const setCondition = async (
    pod: Pod,
    conditions: readonly PodCondition[],
    more: object,
    signal: AbortSignal,
  ): Promise<void> => {
    const { name, namespace, uid } = pod.metadata;
    const body = { metadata: { uid }, status: { ...(conditions.length > 0 ? { conditions } : {}), ...more } };
    await client.patch(pods, { name, namespace }, { type: "strategic", body }, { subresource: "status", signal });
  };
  return {
    async bind({ metadata: { name, namespace, uid } }, nodeName, signal) {
      const binding = {
        apiVersion: "v1",
        kind: "Binding",
        metadata: { name, ...(namespace === undefined ? {} : { namespace }), uid },
        target: { kind: "Node", name: nodeName },
      } satisfies Omit<Binding, "metadata"> & { metadata: object };
      await client.createSubresource(pods, { name, namespace }, "binding", binding, { signal });
    },
    async patchStatus(pod, { condition, nominatedNodeName }, signal) {
      const conditions = condition === undefined ? [] : [podScheduled(pod, condition, clock)];
      const more = nominatedNodeName === undefined ? {} : { nominatedNodeName: nominatedNodeName || null };
      await setCondition(pod, conditions, more, signal);
    },
    async evict(victim, schedulerName, signal) {
      const condition: PodCondition = {
        type: "DisruptionTarget",
        status: "True",
        reason: "PreemptionByScheduler",
        message: `${schedulerName}: preempting to accommodate a higher priority pod`,
        lastTransitionTime: timestamp(clock),
      };
      const { name, namespace, uid } = victim.metadata;
      await setCondition(victim, [condition], {}, signal);
      await client.delete(pods, { name, namespace }, { preconditions: { uid }, signal });
    },
  };
}

function podScheduled(pod: Pod, condition: NonNullable<PodStatusChange["condition"]>, clock: Clock): PodCondition {
  const old = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
  const { generation } = pod.metadata;
  return {
    type: "PodScheduled",
    ...condition,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    lastTransitionTime:
      old?.status === condition.status ? (old.lastTransitionTime ?? timestamp(clock)) : timestamp(clock),
  };
}
