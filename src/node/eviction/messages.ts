import { canonicalQuantity, type Pod, quantityValue } from "../../api/index.js";
import { specOf } from "../pod/containers.js";
import { memoryUsed } from "./rank.js";
import {
  availableText,
  bytesText,
  type StarvedResource,
  signals,
  type Threshold,
  thresholdText,
} from "./thresholds.js";
import type { ContainerUsage, NodeUsage } from "./usage.js";

/** Why a pod is evicted, in upstream's words: what is short, and who has taken more than was asked for. */
export function evictionMessage(
  resource: StarvedResource,
  pod: Pod,
  thresholds: readonly Threshold[],
  usage: NodeUsage,
): string {
  return [
    `The node was low on resource: ${resource}. `,
    thresholdSentence(resource, thresholds, usage),
    ...offenders(resource, pod, usage),
  ].join("");
}

function thresholdSentence(resource: StarvedResource, thresholds: readonly Threshold[], usage: NodeUsage): string {
  for (const threshold of thresholds) {
    const reading = usage.signals.get(threshold.signal);
    if (signals[threshold.signal].resource !== resource || reading === undefined) continue;
    const available = availableText(threshold.signal, reading);
    return `Threshold quantity: ${thresholdText(threshold, reading)}, available: ${available}. `;
  }
  return "";
}

function offenders(resource: StarvedResource, pod: Pod, usage: NodeUsage): string[] {
  const used = usage.pods.get(pod.metadata.uid);
  if (used === undefined) return [];
  const sentences: string[] = [];
  const { containers, initContainers = [], resources } = specOf(pod);
  const whole = resources?.requests?.[resource];
  if (resource === "memory" && whole !== undefined) {
    const bytes = bytesText(memoryUsed({ usage: used }));
    const request = canonicalQuantity(whole);
    sentences.push(
      `Pod ${pod.metadata.name} was using ${bytes}, request is ${request}, has larger consumption of ${resource}. `,
    );
  }
  for (const { name, resources: own } of [...containers, ...initContainers]) {
    const bytes = usedBytes(resource, used.containers.get(name));
    const request = canonicalQuantity(own?.requests?.[resource] ?? "0");
    if (bytes === undefined || bytes <= quantityValue(request)) continue;
    const text = bytesText(bytes);
    sentences.push(
      `Container ${name} was using ${text}, request is ${request}, has larger consumption of ${resource}. `,
    );
  }
  return sentences;
}

function usedBytes(resource: StarvedResource, usage: ContainerUsage | undefined): number | undefined {
  if (usage === undefined) return undefined;
  if (resource === "memory") return usage.memoryBytes;
  return resource === "ephemeral-storage" ? usage.rootfs.bytes + usage.logs.bytes : undefined;
}
