import {
  deployments,
  isStatusError,
  type OwnerReference,
  type Pod,
  parseApiVersion,
  replicaSets,
  replicationControllers,
  statefulSets,
} from "../../api/index.js";
import type { ReconcileContext } from "../define-controller.js";
import type { Discovery } from "../shared/discovery.js";
import { controllerOf } from "../shared/owners.js";

export interface ExpectedScale {
  /** The sum of the sizes of everything that controls one of the pods. */
  readonly total: number;
  /** Pods that nothing controls: how many there should be of them nobody can say. */
  readonly unmanaged: readonly string[];
}

/** How many pods there should be, by the controllers of those that there are. */
export async function expectedScale(
  pods: readonly Pod[],
  discovery: Discovery,
  context: ReconcileContext,
): Promise<ExpectedScale> {
  const sizes = new Map<string, number>();
  const unmanaged: string[] = [];
  for (const pod of pods) {
    const owner = controllerOf(pod);
    if (owner === undefined) {
      unmanaged.push(pod.metadata.name);
      continue;
    }
    const { namespace = "" } = pod.metadata;
    const { uid, size } = await scaleOf(owner, namespace, discovery, context);
    if (size !== undefined) sizes.set(uid, size);
  }
  let total = 0;
  for (const size of sizes.values()) total += size;
  return { total, unmanaged };
}

async function scaleOf(
  owner: OwnerReference,
  namespace: string,
  discovery: Discovery,
  context: ReconcileContext,
): Promise<{ readonly uid: string; readonly size: number | undefined }> {
  const { informer } = context;
  const key = `${namespace}/${owner.name}`;
  const { group } = parseApiVersion(owner.apiVersion);
  const { uid } = owner;
  if (group === "apps" && owner.kind === "ReplicaSet") {
    const replicaSet = informer(replicaSets).get(key);
    const above = replicaSet === undefined ? undefined : controllerOf(replicaSet);
    if (above?.kind === "Deployment") {
      const deployment = informer(deployments).get(`${namespace}/${above.name}`);
      if (deployment !== undefined) return { uid: above.uid, size: deployment.spec?.replicas ?? 1 };
    }
    if (replicaSet?.metadata.uid === uid) return { uid, size: replicaSet.spec?.replicas ?? 1 };
  } else if (group === "apps" && owner.kind === "StatefulSet") {
    const set = informer(statefulSets).get(key);
    if (set?.metadata.uid === uid) return { uid, size: set.spec?.replicas ?? 1 };
  } else if (group === "" && owner.kind === "ReplicationController") {
    const controller = informer(replicationControllers).get(key);
    if (controller?.metadata.uid === uid) return { uid, size: controller.spec?.replicas ?? 1 };
  }
  return { uid, size: await throughSubresource(owner, namespace, discovery, context) };
}

/** Anything else that can be scaled, custom resources above all; undefined: the owner is gone, and its pods are going. */
async function throughSubresource(
  owner: OwnerReference,
  namespace: string,
  discovery: Discovery,
  { client, signal }: ReconcileContext,
): Promise<number | undefined> {
  const { group } = parseApiVersion(owner.apiVersion);
  const resource = discovery.resources().find((one) => one.group === group && one.kind === owner.kind);
  if (resource === undefined)
    throw new Error(`found no controller ref for pod: ${owner.apiVersion} ${owner.kind} ${owner.name}`);
  try {
    const scale = await client.get(resource, { namespace, name: owner.name }, { subresource: "scale", signal });
    return (scale as { readonly spec?: { readonly replicas?: number } }).spec?.replicas ?? 0;
  } catch (error) {
    if (isStatusError(error, "NotFound")) {
      // Only what is about the object names it: a path that nobody serves is nobody's.
      if (error.status.details?.name === owner.name) return undefined;
      throw new Error(`${qualified(owner)} does not implement the scale subresource`, { cause: error });
    }
    throw error;
  }
}

function qualified(owner: OwnerReference): string {
  const { group } = parseApiVersion(owner.apiVersion);
  return group === "" ? owner.kind : `${owner.kind}.${group}`;
}
