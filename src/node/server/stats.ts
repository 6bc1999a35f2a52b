import type { ContainerStats } from "../../runtime/index.js";
import { diskOf } from "../eviction/rank.js";
import type { DiskUsage, NodeUsage, PodUsage, SignalReading } from "../eviction/usage.js";
import type { PodRecord } from "../pod/pod-record.js";
import type { NodeServerContext } from "./context.js";
import { readStats, startedAtMs } from "./readings.js";

/** How fast CPU time grows, by what was seen the time before. */
export class CpuRates {
  readonly #seen = new Map<string, { readonly atMs: number; readonly nanoSeconds: number; readonly rate?: number }>();

  /** Nanoseconds of CPU time per second; undefined at the first time. What is asked again at once has the rate it had. */
  of(id: string, atMs: number, nanoSeconds: number): number | undefined {
    const before = this.#seen.get(id);
    if (before !== undefined && atMs - before.atMs < 1000) return before.rate;
    const grown = before === undefined ? undefined : Math.max(0, nanoSeconds - before.nanoSeconds);
    const rate =
      before === undefined || grown === undefined ? undefined : Math.round((grown * 1000) / (atMs - before.atMs));
    this.#seen.set(id, { atMs, nanoSeconds, ...(rate === undefined ? {} : { rate }) });
    return rate;
  }

  /** Drops what is not among these. */
  retain(ids: ReadonlySet<string>): void {
    for (const id of this.#seen.keys()) if (!ids.has(id)) this.#seen.delete(id);
  }
}

/** `/stats/summary`: what nodes and pods use, in the form of stats.k8s.io v1alpha1. What nobody knows is left out. */
export async function statsSummary(context: NodeServerContext, rates: CpuRates): Promise<unknown> {
  const { byPod, all, usage } = await readStats(context);
  const time = iso(context.clock.now());
  rates.retain(new Set(["node", ...all.map(({ id }) => id)]));
  const pods = context.records().flatMap((record) => {
    const stats = byPod.get(record.uid);
    return stats === undefined ? [] : [podSummary(record, stats, usage, rates, time)];
  });
  return { node: nodeSummary(context, all, usage, rates, time), pods };
}

function nodeSummary(
  context: NodeServerContext,
  all: readonly ContainerStats[],
  usage: NodeUsage | undefined,
  rates: CpuRates,
  time: string,
): object {
  const { node, signals } = usage ?? {};
  const nodeFs = fsOf(time, signals?.get("nodefs.available"), signals?.get("nodefs.inodesFree"));
  const imageFs = fsOf(time, signals?.get("imagefs.available"), signals?.get("imagefs.inodesFree"));
  const pid = signals?.get("pid.available");
  if (node === undefined) return { nodeName: context.nodeName, startTime: time, ...usageOf(all, rates, time) };
  const { cpuNanoSeconds, memory } = node;
  const nano = rates.of("node", context.clock.now(), cpuNanoSeconds);
  return {
    nodeName: context.nodeName,
    startTime: iso(node.startedAtMs),
    cpu: { time, ...(nano === undefined ? {} : { usageNanoCores: nano }), usageCoreNanoSeconds: cpuNanoSeconds },
    memory: {
      time,
      availableBytes: memory.capacityBytes - memory.workingSetBytes,
      usageBytes: memory.usageBytes,
      workingSetBytes: memory.workingSetBytes,
      rssBytes: memory.rssBytes,
    },
    ...(nodeFs === undefined ? {} : { fs: nodeFs }),
    ...(imageFs === undefined ? {} : { runtime: { imageFs, containerFs: imageFs } }),
    ...(pid === undefined ? {} : { rlimit: { time, maxpid: pid.capacity, curproc: pid.capacity - pid.available } }),
  };
}

function podSummary(
  record: PodRecord,
  stats: readonly ContainerStats[],
  usage: NodeUsage | undefined,
  rates: CpuRates,
  time: string,
): object {
  const { pod } = record;
  const { name, namespace, uid } = pod.metadata;
  const used = usage?.pods.get(uid);
  const signals = usage?.signals;
  const nodeFs = [signals?.get("nodefs.available"), signals?.get("nodefs.inodesFree")] as const;
  const imageFs = [signals?.get("imagefs.available"), signals?.get("imagefs.inodesFree")] as const;
  const disk = (of: DiskUsage | undefined, fs: readonly (SignalReading | undefined)[]): object | undefined =>
    of === undefined ? undefined : fsOf(time, fs[0], fs[1], of);
  const containers = stats.map((one) => {
    const own = used?.containers.get(one.metadata.name);
    return {
      name: one.metadata.name,
      startTime: iso(startedAtMs(record, one) ?? 0),
      ...usageOf([one], rates, time),
      ...present({ rootfs: disk(own?.rootfs, imageFs), logs: disk(own?.logs, nodeFs) }),
    };
  });
  return {
    podRef: { name, namespace, uid },
    startTime: pod.status?.startTime ?? time,
    containers,
    ...usageOf(stats, rates, time),
    ...(used === undefined ? {} : ofWholePod(used, disk, nodeFs)),
  };
}

function ofWholePod(
  used: PodUsage,
  disk: (of: DiskUsage, fs: readonly (SignalReading | undefined)[]) => object | undefined,
  nodeFs: readonly (SignalReading | undefined)[],
): object {
  const volume = [...used.volumes].map(([name, of]) => ({ ...disk(of, nodeFs), name }));
  return {
    ...(volume.length === 0 ? {} : { volume }),
    ...present({ "ephemeral-storage": disk(diskOf(used, ["rootfs", "logs", "volumes"]), nodeFs) }),
    process_stats: { process_count: used.processes },
  };
}

function usageOf(stats: readonly ContainerStats[], rates: CpuRates, time: string): object {
  const sum = (value: (one: ContainerStats) => number): number => stats.reduce((total, one) => total + value(one), 0);
  const nanos = stats.map(({ id, timestampMs, cpuUsageNanoSeconds }) => rates.of(id, timestampMs, cpuUsageNanoSeconds));
  const known = nanos.every((rate) => rate !== undefined);
  return {
    cpu: {
      time,
      ...(known ? { usageNanoCores: nanos.reduce((total, rate = 0) => total + rate, 0) } : {}),
      usageCoreNanoSeconds: sum((one) => one.cpuUsageNanoSeconds),
    },
    memory: {
      time,
      usageBytes: sum((one) => one.memoryUsageBytes ?? one.memoryWorkingSetBytes),
      workingSetBytes: sum((one) => one.memoryWorkingSetBytes),
      rssBytes: sum((one) => one.memoryRssBytes ?? 0),
    },
  };
}

/** A file system, and what of it is used: by one that is named, or by all. */
function fsOf(
  time: string,
  bytes: SignalReading | undefined,
  inodes: SignalReading | undefined,
  used?: DiskUsage,
): object | undefined {
  if (bytes === undefined) return undefined;
  const usedInodes = used?.inodes ?? (inodes === undefined ? undefined : inodes.capacity - inodes.available);
  return {
    time,
    availableBytes: bytes.available,
    capacityBytes: bytes.capacity,
    usedBytes: used?.bytes ?? bytes.capacity - bytes.available,
    ...(inodes === undefined ? {} : { inodesFree: inodes.available, inodes: inodes.capacity }),
    ...present({ inodesUsed: usedInodes }),
  };
}

function present(fields: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function iso(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19)}Z`;
}
