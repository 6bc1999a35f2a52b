import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Pod } from "../../api/index.js";
import { cpuPeriodUs, cpuQuotaUs, cpuShares } from "../pod/cgroup-units.js";
import { podLimits, podRequests } from "../pod/qos.js";

/** What all containers of a pod are held to together. */
export interface PodCgroupResources {
  readonly cpuShares: number;
  /** Infinity: no limit, here and below. */
  readonly cpuQuotaUs: number;
  readonly memoryLimitBytes: number;
}

/** The control groups of pods. What cannot be done rejects with the error of the file system. */
export interface PodCgroups {
  /** Makes the group where it is missing. */
  create(path: string): Promise<void>;
  read(path: string): Promise<PodCgroupResources>;
  /** Sets those that are given. */
  write(path: string, resources: Partial<PodCgroupResources>): Promise<void>;
  /** How many processes and threads are in the group and below it; undefined where the kernel does not count them. */
  processes(path: string): Promise<number | undefined>;
  /** Removes the group if nothing is left in it; what is gone is a success. */
  remove(path: string): Promise<void>;
}

/** By upstream's rules: a limit only where every container has one. */
export function podCgroupResources(pod: Pod): PodCgroupResources {
  const { cpuMillis, memoryBytes } = podLimits(pod);
  return {
    cpuShares: cpuShares(podRequests(pod).cpuMillis),
    cpuQuotaUs: cpuMillis === undefined ? Number.POSITIVE_INFINITY : cpuQuotaUs(cpuMillis),
    memoryLimitBytes: memoryBytes ?? Number.POSITIVE_INFINITY,
  };
}

/** Where the kernel's control groups are mounted: a folder for each controller, or one for all of them. */
export type Hierarchy =
  | { readonly version: 1; readonly cpu: string; readonly memory: string; readonly pids?: string | undefined }
  | { readonly version: 2; readonly root: string };

/** The control groups of this host, of version 1 or 2. Undefined where there are none that hold CPU and memory. */
export async function hostPodCgroups(): Promise<PodCgroups | undefined> {
  const hierarchy = hierarchyIn(await readFile("/proc/self/mounts", "utf8").catch(() => ""));
  return hierarchy === undefined ? undefined : podCgroupsIn(hierarchy);
}

export function podCgroupsIn(hierarchy: Hierarchy): PodCgroups {
  if (hierarchy.version === 2) return new SecondVersion(hierarchy.root);
  return new FirstVersion(hierarchy);
}

/** What the table of mounts says; a host that has both versions has its controllers in the first. */
export function hierarchyIn(mounts: string): Hierarchy | undefined {
  const rows = mounts.split("\n").map((line) => line.split(" "));
  const controller = (name: string): string | undefined =>
    rows.find(([, , type, options]) => type === "cgroup" && options?.split(",").includes(name))?.[1];
  const [cpu, memory] = [controller("cpu"), controller("memory")];
  if (cpu !== undefined && memory !== undefined) return { version: 1, cpu, memory, pids: controller("pids") };
  const root = rows.find(([, , type]) => type === "cgroup2")?.[1];
  return root === undefined ? undefined : { version: 2, root };
}

/** The largest number of bytes that version 1 tells: no limit. */
const unlimitedFrom = 2 ** 62;

class FirstVersion implements PodCgroups {
  readonly #cpu: string;
  readonly #memory: string;
  readonly #pids: string | undefined;

  constructor({ cpu, memory, pids }: Extract<Hierarchy, { readonly version: 1 }>) {
    this.#cpu = cpu;
    this.#memory = memory;
    this.#pids = pids;
  }

  async processes(path: string): Promise<number | undefined> {
    return this.#pids === undefined ? undefined : countIn(join(this.#pids, path));
  }

  async create(path: string): Promise<void> {
    for (const mount of this.#mounts) await mkdir(join(mount, path), { recursive: true });
  }

  async remove(path: string): Promise<void> {
    for (const mount of this.#mounts) await rmdir(join(mount, path)).catch(ignoreLeft);
  }

  get #mounts(): ReadonlySet<string> {
    return new Set([this.#cpu, this.#memory]);
  }

  async read(path: string): Promise<PodCgroupResources> {
    const [cpu, memory] = [join(this.#cpu, path), join(this.#memory, path)];
    const number = async (file: string): Promise<number> => Number(await readFile(file, "utf8"));
    const [shares, quota, bytes] = [
      await number(join(cpu, "cpu.shares")),
      await number(join(cpu, "cpu.cfs_quota_us")),
      await number(join(memory, "memory.limit_in_bytes")),
    ];
    return {
      cpuShares: shares,
      cpuQuotaUs: quota < 0 ? Number.POSITIVE_INFINITY : quota,
      memoryLimitBytes: bytes >= unlimitedFrom ? Number.POSITIVE_INFINITY : bytes,
    };
  }

  async write(path: string, resources: Partial<PodCgroupResources>): Promise<void> {
    const [cpu, memory] = [join(this.#cpu, path), join(this.#memory, path)];
    const text = (amount: number): string => (Number.isFinite(amount) ? String(amount) : "-1");
    if (resources.cpuShares !== undefined) await writeFile(join(cpu, "cpu.shares"), String(resources.cpuShares));
    if (resources.cpuQuotaUs !== undefined) {
      await writeFile(join(cpu, "cpu.cfs_period_us"), String(cpuPeriodUs));
      await writeFile(join(cpu, "cpu.cfs_quota_us"), text(resources.cpuQuotaUs));
    }
    if (resources.memoryLimitBytes !== undefined) {
      await writeFile(join(memory, "memory.limit_in_bytes"), text(resources.memoryLimitBytes));
    }
  }
}

class SecondVersion implements PodCgroups {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  processes(path: string): Promise<number | undefined> {
    return countIn(join(this.#root, path));
  }

  async create(path: string): Promise<void> {
    await mkdir(join(this.#root, path), { recursive: true });
    // A group has the controllers that each group above it passes on.
    const above: string[] = [];
    for (let parent = dirname(path); parent !== "/" && parent !== "."; parent = dirname(parent)) above.unshift(parent);
    for (const parent of ["/", ...above]) {
      await writeFile(join(this.#root, parent, "cgroup.subtree_control"), "+cpu +memory");
    }
  }

  async remove(path: string): Promise<void> {
    await rmdir(join(this.#root, path)).catch(ignoreLeft);
  }

  async read(path: string): Promise<PodCgroupResources> {
    const text = async (file: string): Promise<string> => (await readFile(join(this.#root, path, file), "utf8")).trim();
    const [quota = "max", period = String(cpuPeriodUs)] = (await text("cpu.max")).split(" ");
    const memory = await text("memory.max");
    return {
      cpuShares: sharesOf(Number(await text("cpu.weight"))),
      cpuQuotaUs: quota === "max" ? Number.POSITIVE_INFINITY : (Number(quota) * cpuPeriodUs) / Number(period),
      memoryLimitBytes: memory === "max" ? Number.POSITIVE_INFINITY : Number(memory),
    };
  }

  async write(path: string, resources: Partial<PodCgroupResources>): Promise<void> {
    const file = (name: string): string => join(this.#root, path, name);
    const text = (amount: number): string => (Number.isFinite(amount) ? String(amount) : "max");
    if (resources.cpuShares !== undefined) await writeFile(file("cpu.weight"), String(weightOf(resources.cpuShares)));
    if (resources.cpuQuotaUs !== undefined) {
      await writeFile(file("cpu.max"), `${text(resources.cpuQuotaUs)} ${cpuPeriodUs}`);
    }
    if (resources.memoryLimitBytes !== undefined) await writeFile(file("memory.max"), text(resources.memoryLimitBytes));
  }
}

async function countIn(folder: string): Promise<number | undefined> {
  const text = await readFile(join(folder, "pids.current"), "utf8").catch(() => undefined);
  return text === undefined ? undefined : Number(text);
}

function ignoreLeft(error: unknown): void {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code !== "ENOENT" && code !== "EBUSY" && code !== "ENOTEMPTY") throw error;
}

/** Shares of version 1, 2 to 262144, as weights of version 2, 1 to 10000; and back, to the nearest above. */
function weightOf(shares: number): number {
  return 1 + Math.floor(((shares - 2) * 9999) / 262_142);
}

function sharesOf(weight: number): number {
  return 2 + Math.ceil(((weight - 1) * 262_142) / 9999);
}
