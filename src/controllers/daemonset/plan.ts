import type { DaemonSet, Node, Pod } from "../../api/index.js";
import { scaledValue } from "../shared/int-or-percent.js";
import { isAvailable, isFinished, isReady, isTerminating } from "../shared/pods.js";
import { nodeOf, placementOn } from "./placement.js";

export interface DaemonPlan {
  /** Names of nodes to make a pod for. */
  readonly create: readonly string[];
  readonly remove: readonly Pod[];
  readonly failed: readonly Pod[];
  readonly succeeded: readonly Pod[];
}

export interface DaemonState {
  readonly daemonSet: DaemonSet;
  readonly nodes: readonly Node[];
  readonly byNode: ReadonlyMap<string, readonly Pod[]>;
  readonly hash: string;
  readonly nowMs: number;
}

/**
 * The pods of each node, placed ones first, then the oldest. Without those that are over and only held on to by somebody: there is
 * nothing left to do about them.
 */
export function groupByNode(pods: readonly Pod[]): Map<string, Pod[]> {
  const byNode = new Map<string, Pod[]>();
  for (const pod of pods) {
    const node = nodeOf(pod);
    if (node === undefined || (isTerminating(pod) && isFinished(pod))) continue;
    const group = byNode.get(node);
    if (group === undefined) byNode.set(node, [pod]);
    else group.push(pod);
  }
  for (const group of byNode.values()) group.sort(placedThenOldest);
  return byNode;
}

function placedThenOldest({ metadata: a, spec: specA }: Pod, { metadata: b, spec: specB }: Pod): number {
  const placed = Number(Boolean(specB?.nodeName)) - Number(Boolean(specA?.nodeName));
  if (placed !== 0) return placed;
  if (a.creationTimestamp !== b.creationTimestamp) return a.creationTimestamp < b.creationTimestamp ? -1 : 1;
  return a.name < b.name ? -1 : 1;
}

export function isUpdated(pod: Pod, hash: string): boolean {
  return pod.metadata.labels?.["controller-revision-hash"] === hash;
}

export function limitsOf(
  daemonSet: DaemonSet,
  desired: number,
): { readonly surge: number; readonly unavailable: number } {
  const { maxSurge, maxUnavailable } = daemonSet.spec?.updateStrategy?.rollingUpdate ?? {};
  const surge = daemonSet.spec?.updateStrategy?.type === "OnDelete" ? 0 : scaledValue(maxSurge, desired, "up", 0);
  const unavailable = scaledValue(maxUnavailable, desired, "up", 1);
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

/** One pod on every node that should have one, none elsewhere; ended ones make room for another. */
export function planPlacement({ daemonSet, nodes, byNode, hash, nowMs }: DaemonState): DaemonPlan {
  const [create, remove, failed, succeeded]: [string[], Pod[], Pod[], Pod[]] = [[], [], [], []];
  const surging = limitsOf(daemonSet, nodes.length).surge > 0;
  const minReady = daemonSet.spec?.minReadySeconds ?? 0;
  const known = new Set<string>();
  for (const node of nodes) {
    known.add(node.metadata.name);
    const pods = byNode.get(node.metadata.name) ?? [];
    const { run, stay } = placementOn(daemonSet, node);
    if (run && pods.length === 0) create.push(node.metadata.name);
    else if (!stay) remove.push(...pods.filter((pod) => !isTerminating(pod)));
    else {
      const running: Pod[] = [];
      const before = failed.length + succeeded.length;
      for (const pod of pods) {
        if (isTerminating(pod)) continue;
        if (pod.status?.phase === "Failed") failed.push(pod);
        else if (pod.status?.phase === "Succeeded") succeeded.push(pod);
        else running.push(pod);
      }
      if (!surging) {
        remove.push(...running.slice(1));
        continue;
      }
      if (running.length === 0 && run && failed.length + succeeded.length === before) create.push(node.metadata.name);
      const [old, updated] = [
        running.filter((pod) => !isUpdated(pod, hash)),
        running.filter((pod) => isUpdated(pod, hash)),
      ];
      remove.push(...old.slice(1), ...updated.slice(1));
      // The new one has taken over, or there is nothing to take over.
      const [first, next] = [old[0], updated[0]];
      if (first === undefined || next === undefined) continue;
      if (!isReady(first) || isAvailable(next, minReady, nowMs)) remove.push(first);
    }
  }
  // What waits for a node that is gone would wait for ever.
  for (const [node, pods] of byNode) {
    if (!known.has(node)) remove.push(...pods.filter((pod) => !pod.spec?.nodeName && !isTerminating(pod)));
  }
  return { create, remove, failed, succeeded };
}

/**
 * The next step of a rolling update: old pods to delete (unavailable ones first), or nodes to get a second, new pod. Old pods on nodes
 * that are to have none any more go with it; where nobody may be missed, only once enough others are available.
 */
export function planUpdate(state: DaemonState): {
  readonly create: readonly string[];
  readonly remove: readonly Pod[];
} {
  const { daemonSet, nodes, byNode, hash, nowMs } = state;
  const minReady = daemonSet.spec?.minReadySeconds ?? 0;
  const wanted = new Set(nodes.filter((node) => placementOn(daemonSet, node).run).map(({ metadata }) => metadata.name));
  const { surge, unavailable } = limitsOf(daemonSet, wanted.size);
  const [broken, candidates, unwanted]: [Pod[], Pod[], Pod[]] = [[], [], []];
  let [missing, surging, available] = [0, 0, 0];
  for (const node of new Set([...wanted, ...byNode.keys()])) {
    const pods = (byNode.get(node) ?? []).filter((pod) => !isTerminating(pod));
    const updated = pods.find((pod) => isUpdated(pod, hash));
    const old = pods.find((pod) => !isUpdated(pod, hash));
    const isUp = (pod: Pod | undefined): boolean => pod !== undefined && isAvailable(pod, minReady, nowMs);
    if (updated !== undefined && old !== undefined) surging++;
    if (isUp(old ?? updated)) available++;
    if (wanted.has(node) && !isUp(updated ?? old)) missing++;
    if (old === undefined || updated !== undefined) continue;
    if (surge > 0 && !wanted.has(node)) unwanted.push(old);
    else (isUp(old) ? candidates : broken).push(old);
  }
  if (surge > 0) {
    const replaced = [...broken, ...candidates.slice(0, Math.max(0, surge - surging))];
    const spare = Math.max(0, available - wanted.size);
    return { create: replaced.map((pod) => nodeOf(pod) ?? ""), remove: unwanted.slice(0, spare) };
  }
  return { create: [], remove: [...broken, ...candidates.slice(0, Math.max(0, unavailable - missing))] };
}
