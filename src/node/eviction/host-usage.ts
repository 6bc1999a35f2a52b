import { readFile, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Pod } from "../../api/index.js";
import type { Clock } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import type { ContainerStats, Runtime } from "../../runtime/index.js";
import { specOf } from "../pod/containers.js";
import { runtimeLabels } from "../pod/runtime-state.js";
import { cgroupOf, podLogDir } from "../pod/sandbox-config.js";
import type { PodCgroups } from "../resize/pod-cgroups.js";
import { diskUsage } from "./disk-usage.js";
import type {
  ContainerUsage,
  DiskUsage,
  EvictionSignal,
  MachineUsage,
  NodeUsage,
  NodeUsageSource,
  PodUsage,
  SignalReading,
} from "./usage.js";

export interface HostUsageOptions {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly logger: Logger;
  /** On the file system that volumes and logs are on. */
  readonly rootDir: string;
  readonly logRoot: string;
  /** Where a pod's volume is. */
  volumeDir(podUid: string, volume: string): string;
  readonly cgroupRoot: string | undefined;
  readonly cgroups: PodCgroups | undefined;
  /** Folders are measured again after so long. */
  readonly volumesIntervalMs: number;
}

/** This host, by /proc, its file systems, and what the runtime says of its containers. */
export class HostUsage implements NodeUsageSource {
  readonly #own: HostUsageOptions;
  readonly #volumes = new Map<string, { readonly atMs: number; readonly usage: ReadonlyMap<string, DiskUsage> }>();

  constructor(options: HostUsageOptions) {
    this.#own = options;
  }

  async read(pods: readonly Pod[], signal: AbortSignal): Promise<NodeUsage> {
    const { runtime, rootDir } = this.#own;
    const imageDir = await this.#imageDir(signal);
    const [stats, node, processes, nodefs, imagefs, dedicatedImageFs] = await Promise.all([
      runtime.listContainerStats({}, { signal }),
      machineUsage(),
      processReading(),
      fileSystem(rootDir),
      imageDir === undefined ? undefined : fileSystem(imageDir),
      imageDir === undefined ? false : onOtherDevice(rootDir, imageDir),
    ]);
    const signals = new Map<EvictionSignal, SignalReading>();
    const add = (name: EvictionSignal, reading: SignalReading | undefined): void => {
      if (reading !== undefined && reading.capacity > 0) signals.set(name, reading);
    };
    const { capacityBytes, workingSetBytes } = node.memory;
    add("memory.available", { capacity: capacityBytes, available: capacityBytes - workingSetBytes });
    add("pid.available", processes);
    add("nodefs.available", nodefs?.bytes);
    add("nodefs.inodesFree", nodefs?.inodes);
    add("imagefs.available", imagefs?.bytes);
    add("imagefs.inodesFree", imagefs?.inodes);
    const byPod = new Map<string, ContainerStats[]>();
    for (const one of stats) {
      const podUid = one.labels[runtimeLabels.podUid] ?? "";
      byPod.set(podUid, [...(byPod.get(podUid) ?? []), one]);
    }
    const usage = new Map<string, PodUsage>();
    for (const pod of pods) usage.set(pod.metadata.uid, await this.#podUsage(pod, byPod.get(pod.metadata.uid) ?? []));
    // Who asks about no pod wants to know of the node alone.
    if (pods.length > 0)
      for (const podUid of this.#volumes.keys()) if (!usage.has(podUid)) this.#volumes.delete(podUid);
    return { node, signals, pods: usage, dedicatedImageFs };
  }

  async #imageDir(signal: AbortSignal): Promise<string | undefined> {
    try {
      const [first] = await this.#own.runtime.imageFsInfo({ signal });
      return first === undefined || first.mountpoint === "" ? undefined : first.mountpoint;
    } catch (error) {
      signal.throwIfAborted();
      this.#own.logger.debug("the runtime does not say where images are", { error });
      return undefined;
    }
  }

  async #podUsage(pod: Pod, stats: readonly ContainerStats[]): Promise<PodUsage> {
    const { logRoot, cgroups, cgroupRoot } = this.#own;
    const containers = new Map<string, ContainerUsage>();
    for (const { metadata, ...one } of stats) {
      containers.set(metadata.name, {
        memoryBytes: one.memoryWorkingSetBytes,
        rootfs: { bytes: one.writableLayerBytes ?? 0, inodes: one.writableLayerInodes ?? 0 },
        logs: await diskUsage(join(podLogDir(logRoot, pod), metadata.name)),
      });
    }
    const processes = cgroupRoot === undefined ? undefined : await cgroups?.processes(cgroupOf(pod, cgroupRoot));
    return { containers, volumes: await this.#volumesOf(pod), processes: processes ?? stats.length };
  }

  async #volumesOf(pod: Pod): Promise<ReadonlyMap<string, DiskUsage>> {
    const { clock, volumesIntervalMs, volumeDir } = this.#own;
    const { uid } = pod.metadata;
    const known = this.#volumes.get(uid);
    const now = clock.now();
    if (known !== undefined && now - known.atMs < volumesIntervalMs) return known.usage;
    const usage = new Map<string, DiskUsage>();
    for (const { name, emptyDir, ephemeral } of specOf(pod).volumes ?? []) {
      if (emptyDir !== undefined || ephemeral !== undefined) usage.set(name, await diskUsage(volumeDir(uid, name)));
    }
    this.#volumes.set(uid, { atMs: now, usage });
    return usage;
  }
}

/** By /proc, whose times are in hundredths of seconds. The working set leaves out what of the page cache was not used of late, as upstream's does. */
async function machineUsage(): Promise<MachineUsage> {
  const [memory, processors] = await Promise.all(
    ["/proc/meminfo", "/proc/stat"].map((path) => readFile(path, "utf8").catch(() => "")),
  );
  const bytes = (name: string): number =>
    Number(new RegExp(`^${name}: +(\\d+) kB$`, "m").exec(memory ?? "")?.[1] ?? 0) * 1024;
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (
    /^cpu +(.*)$/m.exec(processors ?? "")?.[1] ?? ""
  )
    .split(" ")
    .map(Number);
  const startedAt = Number(/^btime (\d+)$/m.exec(processors ?? "")?.[1] ?? 0);
  const usageBytes = bytes("MemTotal") - bytes("MemFree");
  return {
    startedAtMs: startedAt * 1000,
    cpuNanoSeconds: (user + nice + system + irq + softirq + steal) * 1e7,
    memory: {
      capacityBytes: bytes("MemTotal"),
      usageBytes,
      workingSetBytes: usageBytes - bytes("Inactive\\(file\\)"),
      rssBytes: bytes("AnonPages"),
    },
  };
}

async function processReading(): Promise<SignalReading | undefined> {
  const number = async (path: string): Promise<number> =>
    Number(await readFile(path, "utf8").catch(() => "")) || Number.POSITIVE_INFINITY;
  const limits = [await number("/proc/sys/kernel/pid_max"), await number("/proc/sys/kernel/threads-max")];
  const load = await readFile("/proc/loadavg", "utf8").catch(() => "");
  const running = Number(/^\S+ \S+ \S+ \d+\/(\d+) /.exec(load)?.[1] ?? Number.NaN);
  const capacity = Math.min(...limits);
  return Number.isFinite(capacity) && Number.isFinite(running)
    ? { capacity, available: capacity - running }
    : undefined;
}

async function fileSystem(
  path: string,
): Promise<{ readonly bytes: SignalReading; readonly inodes: SignalReading } | undefined> {
  try {
    const { bsize, blocks, bavail, files, ffree } = await statfs(path);
    return {
      bytes: { capacity: blocks * bsize, available: bavail * bsize },
      inodes: { capacity: files, available: ffree },
    };
  } catch {
    return undefined;
  }
}

async function onOtherDevice(path: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([path, other].map((one) => stat(one).catch(() => undefined)));
  return a !== undefined && b !== undefined && a.dev !== b.dev;
}
