import type { Container, Pod } from "../../api/index.js";
import type { Labels } from "../../api/labels.js";
import type { QuantityCache } from "../framework/resources.js";
import { type PodTerms, podTerms } from "./affinity-term.js";
import { podRequests } from "./pod-requests.js";

export interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

/** A pod with everything that scheduling reads of it worked out once. */
export interface PodInfo {
  readonly pod: Pod;
  readonly uid: string;
  /** `namespace/name`. */
  readonly key: string;
  readonly namespace: string;
  readonly labels: Labels | undefined;
  readonly priority: number;
  readonly terminating: boolean;
  readonly requests: ReadonlyMap<string, number>;
  readonly nonzeroCpuMillis: number;
  readonly nonzeroMemoryBytes: number;
  readonly hostPorts: readonly HostPort[];
  readonly terms: PodTerms;
}

export function podInfo(pod: Pod, quantities: QuantityCache): PodInfo {
  const { metadata, spec } = pod;
  const namespace = metadata.namespace ?? "";
  return {
    pod,
    uid: metadata.uid,
    key: `${namespace}/${metadata.name}`,
    namespace,
    labels: metadata.labels,
    priority: spec?.priority ?? 0,
    terminating: metadata.deletionTimestamp !== undefined,
    ...podRequests(pod, quantities),
    hostPorts: hostPorts(pod),
    terms: podTerms(pod),
  };
}

const noPorts: readonly HostPort[] = [];

function hostPorts(pod: Pod): readonly HostPort[] {
  let found: HostPort[] | undefined;
  const collect = (container: Container): void => {
    for (const { hostPort, hostIP, protocol } of container.ports ?? []) {
      if (hostPort === undefined || hostPort <= 0) continue;
      found ??= [];
      found.push({ ip: hostIP || "0.0.0.0", protocol: protocol || "TCP", port: hostPort });
    }
  };
  pod.spec?.containers.forEach(collect);
  for (const container of pod.spec?.initContainers ?? []) if (container.restartPolicy === "Always") collect(container);
  return found ?? noPorts;
}

/** Two ports clash when protocol and number agree and their addresses do, or one of them is every address. */
export function portsClash(a: HostPort, b: HostPort): boolean {
  return a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || a.ip === "0.0.0.0" || b.ip === "0.0.0.0");
}
