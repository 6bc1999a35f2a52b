import { keyOf, nodes, type Pod, pods, type Taint } from "../../api/index.js";
import type { Controller } from "../controller.js";
import { defineStatefulController } from "../define-controller.js";
import { markDisrupted } from "../shared/evict-pod.js";
import { equalJson } from "../shared/hash.js";
import { indexByNode, podsOn } from "../shared/pod-indexes.js";
import { tolerates } from "../shared/taints.js";
import { deleteExactly } from "../shared/write-status.js";

/** Deletes pods that do not tolerate a NoExecute taint of their node, or no longer. */
export const taintEvictionController: Controller = defineStatefulController<Pod>({
  name: "taint-eviction-controller",
  account: "node-controller",
  concurrency: 8,
  prepare: (context, enqueue) => {
    const podInformer = context.informer(pods);
    const nodeInformer = context.informer(nodes);
    indexByNode(podInformer);
    /** When a taint without a time was first seen here. */
    const seenAt = new Map<string, number>();
    const pending = new Set<string>();
    const taintsOf = (node: string | undefined): readonly Taint[] =>
      (nodeInformer.get(node ?? "")?.spec?.taints ?? []).filter(({ effect }) => effect === "NoExecute");
    const consider = (pod: Pod): void => {
      if (pod.metadata.deletionTimestamp === undefined && taintsOf(pod.spec?.nodeName).length > 0) enqueue(keyOf(pod));
    };
    podInformer.addHandler({
      add: consider,
      update: (old, pod) => {
        if (old.spec !== pod.spec) consider(pod);
      },
      delete: (pod) => pending.delete(keyOf(pod)),
    });
    const considerAll = (name: string): void => {
      for (const pod of podsOn(podInformer, name)) enqueue(keyOf(pod));
    };
    nodeInformer.addHandler({
      add: ({ metadata }) => considerAll(metadata.name),
      update: (old, { metadata, spec }) => {
        if (equalJson(old.spec?.taints ?? [], spec?.taints ?? [])) return;
        if (taintsOf(metadata.name).length === 0) seenAt.delete(metadata.name);
        considerAll(metadata.name);
      },
      delete: ({ metadata }) => seenAt.delete(metadata.name),
    });
    return async (key, { client, clock, events, signal }) => {
      const pod = podInformer.get(key);
      if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) return;
      const node = pod.spec?.nodeName ?? "";
      const taints = taintsOf(node);
      const { namespace, name } = pod.metadata;
      if (taints.length === 0) {
        if (pending.delete(key)) {
          events.event(pod, "Normal", "TaintManagerEviction", `Cancelling deletion of Pod ${namespace}/${name}`);
        }
        return;
      }
      const firstSeen = seenAt.get(node) ?? clock.now();
      seenAt.set(node, firstSeen);
      const at = evictionTime(pod, taints, firstSeen);
      if (at === undefined) return;
      if (at > clock.now()) {
        pending.add(key);
        return { requeueAfterMs: at - clock.now() };
      }
      pending.delete(key);
      events.event(pod, "Normal", "TaintManagerEviction", `Marking for deletion Pod ${namespace}/${name}`);
      const message = "Taint manager: deleting due to NoExecute taint";
      await markDisrupted(client, clock, pod, "DeletionByTaintManager", message, signal);
      await deleteExactly(client, pods, pod, { signal });
    };
  },
});

/** When a pod has to leave; undefined: never. Counted from when the last of the taints was put there. */
function evictionTime(pod: Pod, taints: readonly Taint[], firstSeen: number): number | undefined {
  let shortest: number | undefined;
  let since = 0;
  for (const taint of taints) {
    const covering = (pod.spec?.tolerations ?? []).find((toleration) => tolerates(toleration, taint));
    if (covering === undefined) return 0;
    since = Math.max(since, taint.timeAdded === undefined ? firstSeen : Date.parse(taint.timeAdded));
    const { tolerationSeconds } = covering;
    if (tolerationSeconds !== undefined)
      shortest = Math.min(shortest ?? Number.POSITIVE_INFINITY, Math.max(0, tolerationSeconds));
  }
  return shortest === undefined ? undefined : since + shortest * 1000;
}
