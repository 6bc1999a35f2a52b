import { constants } from "node:fs";
import { chmod, type FileHandle, mkdir, open, readFile, realpath, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { bindFile, mountPointsBelow, unmount } from "../../internal/mounts.js";

/** Not in Node's constants: opens what is there without looking into it, and so without anybody's leave. */
const pathOnly = 0o10000000;
const nofollow = pathOnly | constants.O_NOFOLLOW;

/** The folder of a pod's parts of volumes, as upstream names it. */
export const subPathFolder = "volume-subpaths";

/** The steps of a subPath; throws when it leads out of its volume. */
export function subPathSteps(subPath: string): string[] {
  if (subPath.startsWith("/")) throw new Error(`subPath ${JSON.stringify(subPath)} must not be an absolute path`);
  const steps = subPath.split("/").filter((step) => step !== "" && step !== ".");
  if (steps.includes("..")) throw new Error(`subPath ${JSON.stringify(subPath)} must not contain '..'`);
  return steps;
}

/**
 * Puts a part of a volume at `target`, and makes it as a folder, with the volume's mode, where it does not exist. Containers that
 * have the volume may change it meanwhile: what is mounted is what was looked at, within the volume. Links in it may lead to other
 * places in it.
 */
export async function bindSubPath(volumePath: string, subPath: string, target: string): Promise<void> {
  await using part = await openSubPath(volumePath, subPath);
  for (const point of (await mountPointsBelow(target)).toReversed()) await unmount(point);
  await removePlace(target);
  await mkdir(dirname(target), { recursive: true });
  if ((await part.stat()).isDirectory()) await mkdir(target);
  else await writeFile(target, "");
  await bindFile(part.fd, target);
}

/** An empty folder or file: never what is mounted there. */
async function removePlace(target: string): Promise<void> {
  const found = await stat(target).catch(() => undefined);
  if (found?.isDirectory()) await rmdir(target);
  else await rm(target, { force: true });
}

/** The same without a mount, for nodes that cannot: the path may be another thing when it is used. */
export async function subPathOf(volumePath: string, subPath: string): Promise<string> {
  await using part = await openSubPath(volumePath, subPath);
  return realpath(`/proc/self/fd/${part.fd}`);
}

/** The text of a file in a volume, wherever links within the volume lead; undefined: there is none. Rejects when it is larger than `maxBytes`. */
export async function readInVolume(volumePath: string, path: string, maxBytes: number): Promise<string | undefined> {
  let part: FileHandle;
  try {
    part = await openSubPath(volumePath, path, false);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  await using found = part;
  const stats = await found.stat();
  if (!stats.isFile()) throw new Error("not a file");
  if (stats.size > maxBytes) throw new Error(`larger than ${maxBytes} bytes`);
  return readFile(`/proc/self/fd/${found.fd}`, "utf8");
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** Takes all parts of volumes of a pod off. Rejects, with nothing removed, when one stays mounted. */
export async function removeSubPaths(podDir: string): Promise<void> {
  const folder = join(podDir, subPathFolder);
  for (const point of (await mountPointsBelow(folder)).toReversed()) await unmount(point);
  const [mounted] = await mountPointsBelow(folder);
  if (mounted !== undefined) throw new Error(`${mounted} is still mounted`);
  await rm(folder, { recursive: true, force: true });
}

async function openSubPath(volumePath: string, subPath: string, make = true): Promise<FileHandle> {
  const steps = await resolved(volumePath, subPathSteps(subPath), subPath);
  const { mode } = await stat(volumePath);
  let at = await open(volumePath, pathOnly);
  try {
    for (const step of steps) {
      const next = await openStep(at, step, make ? mode & 0o7777 : undefined);
      await at.close();
      at = next;
      if ((await at.stat()).isSymbolicLink()) {
        throw new Error(`subPath ${JSON.stringify(subPath)} leads through a symbolic link that was not there before`);
      }
    }
    return at;
  } catch (error) {
    await at.close();
    throw error;
  }
}

/** Without its links, as far as it exists. */
async function resolved(volumePath: string, steps: readonly string[], subPath: string): Promise<string[]> {
  const root = await realpath(volumePath);
  for (let count = steps.length; count > 0; count--) {
    const real = await realpath(join(root, ...steps.slice(0, count))).catch(() => undefined);
    if (real === undefined) continue;
    if (real !== root && !real.startsWith(`${root}/`)) {
      throw new Error(`subPath ${JSON.stringify(subPath)} leads out of the volume`);
    }
    const inside = real
      .slice(root.length)
      .split("/")
      .filter((step) => step !== "");
    return [...inside, ...steps.slice(count)];
  }
  return [...steps];
}

/** One step, of an open folder whatever its path is by now; made with `mode` where it does not exist, if there is one. */
async function openStep(folder: FileHandle, step: string, mode: number | undefined): Promise<FileHandle> {
  const path = `/proc/self/fd/${folder.fd}/${step}`;
  try {
    return await open(path, nofollow);
  } catch (error) {
    if (mode === undefined || !isMissing(error)) throw error;
  }
  await mkdir(path, { mode: 0o700 });
  const made = await open(path, nofollow);
  // The umask must not take away what the volume grants.
  await chmod(`/proc/self/fd/${made.fd}`, mode);
  return made;
}
