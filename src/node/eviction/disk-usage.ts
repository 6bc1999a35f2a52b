import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { DiskUsage } from "./usage.js";

const blockBytes = 512;

/**
 * What a folder takes on its file system, as `du -x` counts it: blocks and inodes, a file with several names once, nothing of what is mounted in it.
 * What goes meanwhile is left out; a folder that is not there takes nothing.
 */
export async function diskUsage(path: string): Promise<DiskUsage> {
  const top = await lstat(path).catch(() => undefined);
  if (top === undefined) return { bytes: 0, inodes: 0 };
  const seen = new Set<number>();
  let bytes = 0;
  const folders: string[] = [];
  const count = async (file: string): Promise<void> => {
    const found = await lstat(file).catch(() => undefined);
    if (found === undefined || found.dev !== top.dev || seen.has(found.ino)) return;
    seen.add(found.ino);
    bytes += found.blocks * blockBytes;
    if (found.isDirectory()) folders.push(file);
  };
  await count(path);
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const parent = folder;
    const names = await readdir(parent).catch(() => []);
    // In small groups: a folder may have a million names, and others want to read too.
    for (let start = 0; start < names.length; start += 64) {
      await Promise.all(names.slice(start, start + 64).map((name) => count(join(parent, name))));
    }
  }
  return { bytes, inodes: seen.size };
}
