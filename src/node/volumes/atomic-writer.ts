import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join, normalize, posix } from "node:path";

export interface ProjectedFile {
  readonly data: Uint8Array;
  readonly mode: number;
  /** Whose it is; absent: root's. */
  readonly uid?: number | undefined;
}

export interface AtomicWriteOptions {
  /** Names the new folder; unique within the volume. */
  readonly stamp: string;
  /** Everything is this group's too, which may read it: the pod's fsGroup. */
  readonly group?: number | undefined;
}

const dataLink = "..data";
const dataLinkNext = "..data_tmp";

/** Whether a file may be projected there: below the volume, and not among the writer's own names. */
function validProjectedPath(path: string): boolean {
  if (path === "" || path.length > 4096 || posix.isAbsolute(path)) return false;
  return !normalize(path)
    .split("/")
    .some(
      (step, index) => step === ".." || step === "." || step.length > 255 || (index === 0 && step.startsWith("..")),
    );
}

/**
 * Makes the files of a volume what `files` says, all at once: they lie in a folder of their own to which the link `..data` points, and
 * what containers see are links through it. A reader sees all old or all new ones. Resolves with whether anything
 * changed.
 */
export async function writeAtomically(
  root: string,
  files: ReadonlyMap<string, ProjectedFile>,
  { stamp, group }: AtomicWriteOptions,
): Promise<boolean> {
  for (const path of files.keys())
    if (!validProjectedPath(path)) throw new Error(`invalid path ${JSON.stringify(path)}`);
  await mkdir(root, { recursive: true, mode: 0o755 });
  const current = await readlink(join(root, dataLink)).catch(() => undefined);
  const modeOf = (mode: number): number => (group === undefined ? mode : mode | groupMode);
  if (current !== undefined && (await same(join(root, current), files, modeOf))) {
    await link(root, files);
    return false;
  }
  const next = `..${stamp}`;
  await mkdir(join(root, next), { recursive: true, mode: 0o755 });
  for (const [path, { data, mode, uid = 0 }] of files) {
    const target = join(root, next, path);
    await mkdir(dirname(target), { recursive: true, mode: 0o755 });
    // A umask must not take away what the volume grants.
    await writeFile(target, data, { mode: 0o600 });
    await own(target, uid, group ?? 0);
    await chmod(target, modeOf(mode));
  }
  if (group !== undefined)
    for (const folder of [root, ...(await folders(join(root, next)))]) await share(folder, group);
  await rm(join(root, dataLinkNext), { force: true });
  await symlink(next, join(root, dataLinkNext));
  await rename(join(root, dataLinkNext), join(root, dataLink));
  await link(root, files);
  await unlinkStale(root, files);
  if (current !== undefined && current !== next) await rm(join(root, current), { recursive: true, force: true });
  return true;
}

/** What a pod's group may do with a file that is only read, and with a folder: as upstream. */
const groupMode = 0o440;
const groupFolderMode = 0o2550;

/** Only root can give files away; what any other makes stays its own. */
async function own(path: string, uid: number, gid: number): Promise<void> {
  if (process.getuid?.() === 0) await chown(path, uid, gid);
}

async function share(folder: string, group: number): Promise<void> {
  await own(folder, 0, group);
  await chmod(folder, ((await lstat(folder)).mode & 0o7777) | groupFolderMode);
}

async function folders(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return [
    root,
    ...entries.filter((entry) => entry.isDirectory()).map(({ parentPath, name }) => join(parentPath, name)),
  ];
}

async function same(
  directory: string,
  files: ReadonlyMap<string, ProjectedFile>,
  modeOf: (mode: number) => number,
): Promise<boolean> {
  const present = await listFiles(directory, "");
  if (present === undefined || present.length !== files.size) return false;
  for (const path of present) {
    const wanted = files.get(path);
    if (wanted === undefined) return false;
    const [data, { mode }] = await Promise.all([readFile(join(directory, path)), lstat(join(directory, path))]);
    if ((mode & 0o777) !== modeOf(wanted.mode) || !data.equals(wanted.data)) return false;
  }
  return true;
}

async function listFiles(root: string, prefix: string): Promise<string[] | undefined> {
  const entries = await readdir(join(root, prefix), { withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return undefined;
  const found: string[] = [];
  for (const entry of entries) {
    const path = posix.join(prefix, entry.name);
    if (entry.isDirectory()) found.push(...((await listFiles(root, path)) ?? []));
    else found.push(path);
  }
  return found;
}

function topNames(files: ReadonlyMap<string, ProjectedFile>): Set<string> {
  return new Set([...files.keys()].map((path) => normalize(path).split("/")[0] ?? ""));
}

async function link(root: string, files: ReadonlyMap<string, ProjectedFile>): Promise<void> {
  for (const name of topNames(files)) {
    const target = posix.join(dataLink, name);
    const present = await readlink(join(root, name)).catch(() => undefined);
    if (present === target) continue;
    await rm(join(root, name), { recursive: true, force: true });
    await symlink(target, join(root, name));
  }
}

async function unlinkStale(root: string, files: ReadonlyMap<string, ProjectedFile>): Promise<void> {
  const wanted = topNames(files);
  for (const name of await readdir(root)) {
    if (!name.startsWith("..") && !wanted.has(name)) await rm(join(root, name), { recursive: true, force: true });
  }
}
