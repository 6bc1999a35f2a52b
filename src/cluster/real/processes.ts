import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { cgroupMounts } from "../../runtime/cri/cgroups.js";

/** A process as it cannot be mistaken for a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** In clock ticks since boot. */
  readonly startTime: string;
}

export async function identityOf(pid: number): Promise<ProcessIdentity | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  // The name, in parentheses, may hold anything.
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
  const startTime = fields?.[19];
  return startTime === undefined || fields?.[0] === "Z" ? undefined : { pid, startTime };
}

export async function isAlive({ pid, startTime }: ProcessIdentity): Promise<boolean> {
  return (await identityOf(pid))?.startTime === startTime;
}

export interface ProcessTraits {
  /** Folders that the process names in an argument, at its start or after `=` or `unix://`. */
  readonly argumentsBelow: readonly string[];
  /** Files of network namespaces in which the process lives. */
  readonly netns: readonly string[];
  /** Control group, with all below it. */
  readonly cgroup: string;
}

/** Kills whatever has one of the traits until nothing has. Never this process or those that it descends from. */
export async function killAll(traits: ProcessTraits): Promise<void> {
  const spared = await ancestors();
  const deadline = Date.now() + 15_000;
  for (;;) {
    const found = (await processesWith(traits)).filter((pid) => !spared.has(pid));
    if (found.length === 0) return;
    for (const pid of found) signal(pid);
    if (Date.now() > deadline) throw new Error(`processes ${found.join(", ")} do not end`);
    await wait(10);
  }
}

function signal(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}

async function processesWith({ argumentsBelow, netns, cgroup }: ProcessTraits): Promise<readonly number[]> {
  const namespaces = new Set<string>();
  for (const file of netns) {
    const inode = await stat(file).then(
      ({ ino }) => ino,
      () => undefined,
    );
    if (inode !== undefined) namespaces.add(`net:[${inode}]`);
  }
  const found = new Set<number>();
  for (const folder of await cgroupFolders(cgroup)) {
    const text = await readFile(join(folder, "cgroup.procs"), "utf8").catch(() => "");
    for (const line of text.split("\n")) if (line !== "") found.add(Number(line));
  }
  for (const name of await readdir("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const words = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    // A dead one that nobody has waited for yet has no words, and nothing more can be done to it.
    if (words === "") continue;
    const named = words.split("\0").some((word) => {
      const path = word.replace(/^(?:--?[\w-]+=)?(?:unix:\/\/)?/, "");
      return argumentsBelow.some((folder) => path.startsWith(folder));
    });
    if (named || namespaces.has(await readlink(`/proc/${pid}/ns/net`).catch(() => ""))) found.add(pid);
  }
  return [...found];
}

async function ancestors(): Promise<ReadonlySet<number>> {
  const all = new Set<number>([1]);
  for (let pid = process.pid; pid > 1 && !all.has(pid); ) {
    all.add(pid);
    const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    pid = Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[1] ?? 0);
  }
  return all;
}

/** The group in every hierarchy, each with those below it, the deepest first. */
export async function cgroupFolders(path: string): Promise<readonly string[]> {
  const folders: string[] = [];
  const visit = async (folder: string): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => undefined);
    if (entries === undefined) return;
    for (const entry of entries) if (entry.isDirectory()) await visit(join(folder, entry.name));
    folders.push(folder);
  };
  for (const mount of await cgroupMounts()) await visit(join(mount, path));
  return folders;
}
