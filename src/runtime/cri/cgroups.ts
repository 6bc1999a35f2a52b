import { readFile, rmdir } from "node:fs/promises";
import { join } from "node:path";

/**
 * Removes a pod's control group from every hierarchy where nothing is left in it: containerd removes those of its containers, and
 * leaves their parent. What still holds something is kept: the kernel refuses to remove it.
 */
export async function removeEmptyCgroup(path: string): Promise<void> {
  if (!path.startsWith("/") || path === "/" || path.split("/").includes("..")) return;
  for (const mount of await cgroupMounts()) await rmdir(join(mount, path)).catch(() => undefined);
}

/** Where control groups are mounted: one folder for version 2, one for each controller for version 1. */
export async function cgroupMounts(): Promise<readonly string[]> {
  const lines = await readFile("/proc/self/mounts", "utf8").catch(() => "");
  const mounts = lines.split("\n").map((line) => line.split(" "));
  return mounts.flatMap(([, folder, type]) => (folder !== undefined && /^cgroup2?$/.test(type ?? "") ? [folder] : []));
}
