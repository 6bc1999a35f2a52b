import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hierarchyIn } from "../../../src/node/resize/pod-cgroups.js";

/** Containers' own processes, wherever on this machine they run: what has this in its environment and is a `sleep`. */
export async function sleepersWith(entry: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const read = (file: string): Promise<string> => readFile(`/proc/${name}/${file}`, "utf8").catch(() => "");
    if ((await read("environ")).split("\0").includes(entry) && (await read("comm")).trim() === "sleep")
      found.push(Number(name));
  }
  return found;
}

export interface Limits {
  readonly cpu: string;
  readonly memory: string;
}

/** What the kernel holds a process's control group to, and the group around it. */
export async function limitsOf(pid: number): Promise<{ readonly container: Limits; readonly pod: Limits }> {
  const hierarchy = hierarchyIn(await readFile("/proc/self/mounts", "utf8"));
  if (hierarchy === undefined) throw new Error("this machine has no control groups for CPU and memory");
  const groups = (await readFile(`/proc/${pid}/cgroup`, "utf8"))
    .trim()
    .split("\n")
    .map((line) => line.split(":"));
  const group = (controller: string): string => {
    const row = groups.find(([, controllers = ""]) => controllers.split(",").includes(controller));
    return row?.[2] ?? "";
  };
  const places =
    hierarchy.version === 1
      ? [
          [join(hierarchy.cpu, group("cpu")), "cpu.cfs_quota_us"],
          [join(hierarchy.memory, group("memory")), "memory.limit_in_bytes"],
        ]
      : [
          [join(hierarchy.root, group("")), "cpu.max"],
          [join(hierarchy.root, group("")), "memory.max"],
        ];
  const read = async (above: boolean): Promise<Limits> => {
    const [cpu = "", memory = ""] = await Promise.all(
      places.map(([folder = "", file = ""]) => readFile(join(above ? dirname(folder) : folder, file), "utf8")),
    );
    return { cpu: cpu.trim().split(" ")[0] ?? "", memory: memory.trim() };
  };
  return { container: await read(false), pod: await read(true) };
}
