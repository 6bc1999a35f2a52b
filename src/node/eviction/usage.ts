import type { Pod } from "../../api/index.js";

/** What a node may run out of, by the names that upstream's thresholds have. */
export type EvictionSignal =
  | "memory.available"
  | "nodefs.available"
  | "nodefs.inodesFree"
  | "imagefs.available"
  | "imagefs.inodesFree"
  | "pid.available";

/** How much is left of how much: bytes, inodes or processes. */
export interface SignalReading {
  readonly available: number;
  readonly capacity: number;
}

export interface DiskUsage {
  readonly bytes: number;
  readonly inodes: number;
}

export interface ContainerUsage {
  /** The working set. */
  readonly memoryBytes: number;
  /** What it wrote into its own layer. */
  readonly rootfs: DiskUsage;
  readonly logs: DiskUsage;
}

export interface PodUsage {
  /** By name, those that run. */
  readonly containers: ReadonlyMap<string, ContainerUsage>;
  /** Of volumes that live and die with the pod, by name. */
  readonly volumes: ReadonlyMap<string, DiskUsage>;
  readonly processes: number;
}

/** The machine as a whole, what is not in pods included. */
export interface MachineUsage {
  readonly startedAtMs: number;
  /** Of all processors since it started. */
  readonly cpuNanoSeconds: number;
  readonly memory: {
    readonly capacityBytes: number;
    readonly usageBytes: number;
    readonly workingSetBytes: number;
    readonly rssBytes: number;
  };
}

export interface NodeUsage {
  /** Absent where nobody knows. */
  readonly node?: MachineUsage | undefined;
  /** Those that could be read. */
  readonly signals: ReadonlyMap<EvictionSignal, SignalReading>;
  /** By UID, those that could be read. */
  readonly pods: ReadonlyMap<string, PodUsage>;
  /** Whether images and containers' layers are on another file system than volumes and logs. */
  readonly dedicatedImageFs: boolean;
}

/** What a node and its pods use. */
export interface NodeUsageSource {
  /** Reads it now; what cannot be read is left out. */
  read(pods: readonly Pod[], signal: AbortSignal): Promise<NodeUsage>;
}

export function sumOf(usages: Iterable<DiskUsage>): DiskUsage {
  let [bytes, inodes] = [0, 0];
  for (const usage of usages) {
    bytes += usage.bytes;
    inodes += usage.inodes;
  }
  return { bytes, inodes };
}
