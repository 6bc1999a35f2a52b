import { isStatusError, type Lease, leases, type Node } from "../../api/index.js";
import type { Client } from "../../client/index.js";
import { type Clock, microTimestamp, sleep } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import { type Random, randomInt } from "../../internal/random.js";

const namespace = "kube-node-lease";
const firstRetryMs = 200;
const maxRetryMs = 7_000;

export interface NodeLeaseOptions {
  readonly client: Client;
  readonly nodeName: string;
  readonly durationSeconds: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** For the owner reference. */
  readonly node: () => Node | undefined;
}

/** Renews the node's Lease at a quarter of its duration: the sign of life that the control plane goes by. */
export async function keepNodeLease(options: NodeLeaseOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, logger, durationSeconds } = options;
  const intervalMs = (durationSeconds * 1000) / 4;
  let lease: Lease | undefined;
  let retryMs = firstRetryMs;
  while (!signal.aborted) {
    try {
      lease = await renew(options, lease, signal);
      retryMs = firstRetryMs;
      await sleep(clock, intervalMs + randomInt(random, Math.ceil(intervalMs / 25)), signal);
    } catch (error) {
      if (signal.aborted) return;
      lease = undefined;
      // A conflict only means that ours is old.
      if (!isStatusError(error, "Conflict")) logger.warn("cannot renew the node's lease", { error });
      await sleep(clock, retryMs, signal);
      retryMs = Math.min(retryMs * 2, maxRetryMs);
    }
  }
}

async function renew(options: NodeLeaseOptions, known: Lease | undefined, signal: AbortSignal): Promise<Lease> {
  const { client, nodeName, durationSeconds, clock } = options;
  const spec = { holderIdentity: nodeName, leaseDurationSeconds: durationSeconds, renewTime: microTimestamp(clock) };
  const current = known ?? (await find(client, nodeName, signal));
  if (current !== undefined) {
    return client.update(leases, { ...current, spec: { ...current.spec, ...spec } }, { signal });
  }
  const node = options.node();
  const owner = node && { apiVersion: "v1", kind: "Node", name: nodeName, uid: node.metadata.uid };
  const metadata = { name: nodeName, namespace, ...(owner === undefined ? {} : { ownerReferences: [owner] }) };
  return client.create<Lease>(
    leases,
    { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec },
    { signal },
  );
}

async function find(client: Client, name: string, signal: AbortSignal): Promise<Lease | undefined> {
  try {
    return await client.get(leases, { namespace, name }, { signal });
  } catch (error) {
    if (isStatusError(error, "NotFound")) return undefined;
    throw error;
  }
}
