import type { ContainerStats } from "../../runtime/index.js";
import type { NodeUsage } from "../eviction/usage.js";
import type { PodRecord } from "../pod/pod-record.js";
import { runtimeLabels } from "../pod/runtime-state.js";
import type { NodeServerContext } from "./context.js";

export interface Readings {
  /** Of the containers that run. */
  readonly all: readonly ContainerStats[];
  readonly byPod: ReadonlyMap<string, readonly ContainerStats[]>;
  /** Undefined where nobody knows what the node uses. */
  readonly usage: NodeUsage | undefined;
}

/** What is used now. */
export async function readStats(context: NodeServerContext): Promise<Readings> {
  const { runtime, records, usage, signal } = context;
  const pods = records().flatMap(({ terminated, allocated }) => (terminated ? [] : [allocated]));
  const [all, ofNode] = await Promise.all([runtime.listContainerStats({}, { signal }), usage()?.read(pods, signal)]);
  const byPod = new Map<string, ContainerStats[]>();
  for (const stats of all) {
    const podUid = stats.labels[runtimeLabels.podUid] ?? "";
    const known = byPod.get(podUid);
    if (known === undefined) byPod.set(podUid, [stats]);
    else known.push(stats);
  }
  return { all, byPod, usage: ofNode };
}

export function startedAtMs({ state }: PodRecord, { id, metadata }: ContainerStats): number | undefined {
  return state.containers.get(metadata.name)?.find((one) => one.id === id)?.startedAtMs;
}
