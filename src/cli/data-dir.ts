import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { ProcessRuntime } from "../runtime/process/index.js";
import { UsageError } from "./up-options.js";

const prefix = "coxswain-";
const ownerFile = "owner";

/** The folder of a cluster: the user's, which is kept, or one that goes when the cluster stops. */
export interface DataDir {
  readonly path: string;
  readonly kept: boolean;
  remove(): Promise<void>;
}

/**
 * Makes the folder ready. First removes what clusters left behind that were killed before they could clean up: their processes and
 * their folders.
 */
export async function openDataDir(wanted: string | undefined): Promise<DataDir> {
  await sweep();
  if (wanted !== undefined) {
    const path = resolve(wanted);
    await makeFolder(path).catch((cause: unknown) => {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new UsageError(`--data ${wanted}: the folder cannot be made: ${why}`, { cause });
    });
    return { path, kept: true, remove: async () => {} };
  }
  const path = await mkdtemp(join(tmpdir(), prefix));
  await writeFile(join(path, ownerFile), await identityOf(process.pid));
  return { path, kept: false, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Not by `recursive`: where a file system refuses new folders with ENOENT, as /proc does, Node tries that for ever. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && (await stat(path)).isDirectory()) return;
    const parent = dirname(path);
    const noParent = code === "ENOENT" && (await stat(parent).catch(() => undefined)) === undefined;
    if (!noParent || parent === path) throw error;
    await makeFolder(parent);
    await mkdir(path);
  }
}

async function sweep(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(prefix)) continue;
    const path = join(tmpdir(), name);
    const owner = await readFile(join(path, ownerFile), "utf8").catch(() => undefined);
    if (owner === undefined || (await isRunning(owner))) continue;
    await removeCluster(path).catch(() => {});
  }
}

/** Ends the pods that a killed cluster left, and removes its folder. */
async function removeCluster(path: string): Promise<void> {
  if (await readdir(join(path, "real")).catch(() => undefined)) {
    const { removeAbandonedHosts } = await import("../cluster/real/index.js");
    await removeAbandonedHosts();
  }
  const nodes = await readdir(join(path, "nodes")).catch(() => []);
  for (const node of nodes) {
    const runtime = await ProcessRuntime.open({ rootDir: join(path, "nodes", node, "runtime") });
    await runtime[Symbol.asyncDispose]();
  }
  await rm(path, { recursive: true, force: true });
}

async function isRunning(owner: string): Promise<boolean> {
  const pid = Number(owner.split(" ", 1)[0]);
  return (await identityOf(pid)) === owner;
}

/** A process by its number and the time it started, because numbers are used again. */
async function identityOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const started = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  return `${pid} ${started}`;
}
