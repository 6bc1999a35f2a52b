import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { StoreError } from "../errors.js";

/** Held by a process as long as it has the folder open. */
export interface FolderLock {
  release(): Promise<void>;
}

/**
 * Takes the folder for this process: a file `lock` names its holder. The lock of a process that is gone is taken over;
 * a process counts as the holder only if it also started when the holder did, so that a number used again locks nobody
 * out. Processes must see one another's numbers: it does not guard between containers that share a folder.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const path = join(folder, "lock");
  const self = `${process.pid} ${await startOf(process.pid)}\n`;
  const own = `${path}.${process.pid}.${process.hrtime.bigint()}`;
  await writeFile(own, self, { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 10; attempt++) {
      if (await succeeds(link(own, path), "EEXIST")) return { release: () => release(path, self) };
      const holder = await readFile(path, "utf8").catch(() => "");
      if (await isAlive(holder)) {
        const [pid] = holder.split(" ");
        throw new StoreError("unavailable", `${folder} is in use by process ${pid}: two stores cannot share a folder`);
      }
      await removeStale(path, own, holder);
    }
    throw new StoreError("unavailable", `${folder} cannot be locked: others keep taking it`);
  } finally {
    await rm(own, { force: true });
  }
}

/** Moves the lock aside; puts it back when it turns out to be another than the dead holder's. */
async function removeStale(path: string, own: string, holder: string): Promise<void> {
  const aside = `${own}.stale`;
  if (!(await succeeds(rename(path, aside), "ENOENT"))) return;
  if ((await readFile(aside, "utf8")) !== holder) await succeeds(link(aside, path), "EEXIST");
  await rm(aside, { force: true });
}

async function release(path: string, self: string): Promise<void> {
  if ((await readFile(path, "utf8").catch(() => "")) === self) await rm(path, { force: true });
}

async function succeeds(work: Promise<void>, expected: string): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === expected) return false;
    throw error;
  }
}

async function isAlive(holder: string): Promise<boolean> {
  const [pid, ...start] = holder.trim().split(" ");
  if (!/^\d+$/.test(pid ?? "")) return false;
  const now = await startOf(Number(pid));
  return now !== undefined && now === start.join(" ");
}

/** When the process started, in a form that only it has; undefined when it is gone. */
async function startOf(pid: number): Promise<string | undefined> {
  if (process.platform === "linux") {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
    const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
    // Behind the name, which may hold anything, in parentheses: state first, start time as the twentieth.
    const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
    const dead = fields === undefined || fields[0] === "Z" || fields[0] === "X";
    return dead ? undefined : `${fields[19]} ${boot.trim()}`;
  }
  try {
    process.kill(pid, 0);
    return "running";
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM" ? "running" : undefined;
  }
}
