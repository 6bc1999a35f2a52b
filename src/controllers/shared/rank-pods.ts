import type { Pod } from "../../api/index.js";
import { isReady, readyCondition, restarts } from "./pods.js";

const costAnnotation = "controller.kubernetes.io/pod-deletion-cost";
const phaseOrder: ReadonlyMap<string, number> = new Map([
  ["Pending", 0],
  ["Unknown", 1],
  ["Running", 2],
]);

/**
 * The first `count` of `pods` to delete, in upstream's order: not yet on a node, then by phase, then unready, then cheap by
 * annotation, then from nodes that hold most of `related` pods, then those that were ready or exist for less time
 * (in powers of two, so that it is not always the newest), then restarted most.
 */
export function podsToDelete(
  pods: readonly Pod[],
  related: Iterable<Pod>,
  count: number,
  nowMs: number,
): readonly Pod[] {
  if (count >= pods.length) return pods;
  const perNode = new Map<string, number>();
  for (const pod of related) {
    const node = pod.spec?.nodeName;
    if (node) perNode.set(node, (perNode.get(node) ?? 0) + 1);
  }
  const ranked = pods.map((pod) => ({ pod, keys: keysOf(pod, perNode, nowMs) }));
  ranked.sort((a, b) => {
    for (const [index, key] of a.keys.entries()) {
      const other = b.keys[index] ?? 0;
      if (key !== other) return key - other;
    }
    return a.pod.metadata.uid < b.pod.metadata.uid ? -1 : 1;
  });
  return ranked.slice(0, count).map(({ pod }) => pod);
}

/** Smaller goes first. */
function keysOf(pod: Pod, perNode: ReadonlyMap<string, number>, nowMs: number): readonly number[] {
  const node = pod.spec?.nodeName ?? "";
  const ready = isReady(pod);
  return [
    node === "" ? 0 : 1,
    phaseOrder.get(pod.status?.phase ?? "Pending") ?? 0,
    ready ? 1 : 0,
    deletionCost(pod),
    -(perNode.get(node) ?? 0),
    ready ? ageRank(readyCondition(pod)?.lastTransitionTime, nowMs) : 0,
    -restarts(pod),
    ageRank(pod.metadata.creationTimestamp, nowMs),
  ];
}

function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.[costAnnotation];
  return text !== undefined && /^-?[0-9]+$/.test(text) ? Number(text) : 0;
}

function ageRank(since: string | undefined, nowMs: number): number {
  if (since === undefined) return 0;
  const seconds = (nowMs - Date.parse(since)) / 1000;
  return seconds <= 0 ? 0 : Math.floor(Math.log2(seconds)) + 1;
}
