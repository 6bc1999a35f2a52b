import { type EmptyDirVolumeSource, type Pod, quantityValue } from "../../api/index.js";
import { containersOf, specOf } from "../pod/containers.js";

/**
 * How large an emptyDir in memory may become, as the kubelet has it: what the volume says, but no more than the pod's containers may
 * use together, or than pods may use of the node.
 */
export function memorySize(
  { sizeLimit }: EmptyDirVolumeSource,
  pod: Pod,
  nodeAllocatableBytes: number,
): number | undefined {
  const bounds = [nodeAllocatableBytes, podLimit(pod)];
  if (sizeLimit !== undefined) bounds.push(quantityValue(sizeLimit));
  const least = Math.min(...bounds.filter((bytes) => bytes > 0));
  return Number.isFinite(least) ? least : undefined;
}

/** Infinity when a container may use as much as it likes. */
function podLimit(pod: Pod): number {
  const whole = specOf(pod).resources?.limits?.memory;
  if (whole !== undefined) return quantityValue(whole);
  let sum = 0;
  for (const { container, role } of containersOf(pod)) {
    if (role !== "main" && role !== "sidecar") continue;
    const limit = container.resources?.limits?.memory;
    if (limit === undefined) return Number.POSITIVE_INFINITY;
    sum += quantityValue(limit);
  }
  return sum;
}
