import type { Pod } from "../../api/index.js";
import { specOf } from "./containers.js";

/** Whether it is of IPv6. */
function isSix(ip: string): boolean {
  return ip.includes(":");
}

/** The first address, and the first one of the other family: as many as a pod or a node can say it has. */
export function onePerFamily(ips: readonly string[], sixFirst: boolean = isSix(ips[0] ?? "")): readonly string[] {
  return [sixFirst, !sixFirst].flatMap((six) => ips.find((ip) => isSix(ip) === six) ?? []);
}

/** A pod's addresses, that of the node's first family before the other. The runtime's may be in any order. */
export function podIps(pod: Pod, sandboxIps: readonly string[], hostIps: readonly string[]): readonly string[] {
  return specOf(pod).hostNetwork ? hostIps : onePerFamily(sandboxIps, isSix(hostIps[0] ?? ""));
}
