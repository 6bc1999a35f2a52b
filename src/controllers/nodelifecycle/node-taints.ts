import type { Node, Taint } from "../../api/index.js";
import { findCondition } from "../shared/conditions.js";
import { sameTaint } from "../shared/taints.js";

export const notReady = "node.kubernetes.io/not-ready";
export const unreachable = "node.kubernetes.io/unreachable";

/** Taints that repeat what conditions say: type, status, key. */
const fromConditions: readonly (readonly [type: string, status: string, key: string])[] = [
  ["Ready", "False", notReady],
  ["Ready", "Unknown", unreachable],
  ["MemoryPressure", "True", "node.kubernetes.io/memory-pressure"],
  ["DiskPressure", "True", "node.kubernetes.io/disk-pressure"],
  ["NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"],
  ["PIDPressure", "True", "node.kubernetes.io/pid-pressure"],
];
const unschedulable = "node.kubernetes.io/unschedulable";

const ownNoSchedule: ReadonlySet<string> = new Set([...fromConditions.map(([, , key]) => key), unschedulable]);

/** The taints of a node after those that keep new pods away were brought in line with its conditions; the same array if they were. */
export function withNoSchedule(node: Node, now: string): readonly Taint[] {
  const taints = node.spec?.taints ?? [];
  const wanted: Taint[] = [];
  for (const [type, status, key] of fromConditions) {
    if (findCondition(node.status?.conditions, type)?.status === status) wanted.push({ key, effect: "NoSchedule" });
  }
  if (node.spec?.unschedulable) wanted.push({ key: unschedulable, effect: "NoSchedule" });
  return merge(taints, wanted, ({ key, effect }) => effect === "NoSchedule" && ownNoSchedule.has(key), now);
}

/** The same for the taints that drive pods away; `wanted` is one of them, or none. */
export function withNoExecute(taints: readonly Taint[], wanted: string | undefined, now: string): readonly Taint[] {
  const own = ({ key, effect }: Taint): boolean => effect === "NoExecute" && (key === notReady || key === unreachable);
  return merge(taints, wanted === undefined ? [] : [{ key: wanted, effect: "NoExecute" }], own, now);
}

function merge(
  taints: readonly Taint[],
  wanted: readonly Taint[],
  own: (taint: Taint) => boolean,
  now: string,
): readonly Taint[] {
  const kept = taints.filter((taint) => !own(taint) || wanted.some((one) => sameTaint(one, taint)));
  const added = wanted.filter((one) => !taints.some((taint) => sameTaint(one, taint)));
  if (added.length === 0 && kept.length === taints.length) return taints;
  return [...kept, ...added.map((taint) => ({ ...taint, timeAdded: now }))];
}
