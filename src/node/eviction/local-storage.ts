import { type Container, canonicalQuantity, type Pod, quantityValue } from "../../api/index.js";
import { specOf } from "../pod/containers.js";
import { podTotal } from "../pod/qos.js";
import { diskOf } from "./rank.js";
import { bytesText } from "./thresholds.js";
import type { PodUsage } from "./usage.js";

const storage = "ephemeral-storage";

/** Upstream's names of these limits in its metrics. */
export type StorageLimit = "emptydirfs.limit" | "ephemeralpodfs.limit" | "ephemeralcontainerfs.limit";

/** Why a pod has to go for what it wrote on the node, in upstream's words; undefined: it keeps within its limits. */
export function storageExcess(
  pod: Pod,
  usage: PodUsage,
  dedicatedImageFs: boolean,
): { readonly signal: StorageLimit; readonly message: string } | undefined {
  const checks: readonly (readonly [StorageLimit, () => string | undefined])[] = [
    ["emptydirfs.limit", () => volumeExcess(pod, usage)],
    ["ephemeralpodfs.limit", () => podExcess(pod, usage)],
    ["ephemeralcontainerfs.limit", () => containerExcess(pod, usage, dedicatedImageFs)],
  ];
  for (const [signal, check] of checks) {
    const message = check();
    if (message !== undefined) return { signal, message };
  }
  return undefined;
}

function volumeExcess(pod: Pod, usage: PodUsage): string | undefined {
  for (const { name, emptyDir } of specOf(pod).volumes ?? []) {
    const { sizeLimit } = emptyDir ?? {};
    const limit = sizeLimit === undefined ? 0 : quantityValue(sizeLimit);
    if (sizeLimit === undefined || limit <= 0 || (usage.volumes.get(name)?.bytes ?? 0) <= limit) continue;
    return `Usage of EmptyDir volume "${name}" exceeds the limit "${canonicalQuantity(sizeLimit)}". `;
  }
  return undefined;
}

/** The sum of the limits that there are. */
function podExcess(pod: Pod, usage: PodUsage): string | undefined {
  const { containers, initContainers = [] } = specOf(pod);
  const limit = ({ resources }: Container): string | undefined => resources?.limits?.[storage];
  if ([...initContainers, ...containers].every((container) => limit(container) === undefined)) return undefined;
  const of = (container: Container): number => quantityValue(limit(container) ?? "0");
  const most = podTotal(pod, storage, undefined, of, quantityValue);
  if (diskOf(usage, ["rootfs", "logs", "volumes"]).bytes <= most) return undefined;
  return `Pod ephemeral local storage usage exceeds the total limit of containers ${bytesText(most)}. `;
}

function containerExcess(pod: Pod, usage: PodUsage, dedicatedImageFs: boolean): string | undefined {
  for (const { name, resources } of specOf(pod).containers) {
    const limit = resources?.limits?.[storage];
    const used = usage.containers.get(name);
    if (limit === undefined || used === undefined || quantityValue(limit) === 0) continue;
    const bytes = used.logs.bytes + (dedicatedImageFs ? 0 : used.rootfs.bytes);
    if (bytes <= quantityValue(limit)) continue;
    return `Container ${name} exceeded its local ephemeral storage limit "${canonicalQuantity(limit)}". `;
  }
  return undefined;
}
