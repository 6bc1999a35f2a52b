import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { NodeRequest } from "./network-plan.js";
import { maxHosts, prefixOf } from "./network-plan.js";
import { identityOf, isAlive, type ProcessIdentity } from "./processes.js";

/** Everything that must be known to take a host down again; it lies in the run folder from the first moment on. */
export interface ClaimRecord {
  readonly index: number;
  readonly stateDir: string;
  readonly owner: ProcessIdentity;
  readonly nodes: readonly NodeRequest[];
  readonly serviceCidr: string;
  /** Only where the host itself is the node: what its kernel's switches were before. */
  readonly onHost?: HostSettings | undefined;
}

/** By file. */
export type HostSettings = Readonly<Record<string, string>>;

const runRoot = "/run";
const recordName = "claim.json";

/** Sockets and what lives no longer than the machine: short, for a socket's path has at most 107 bytes. */
export function runDirOf(index: number): string {
  return join(runRoot, prefixOf(index));
}

const unfinished = ".coxswain-";

async function removeUnfinished(): Promise<void> {
  for (const name of await readdir(runRoot)) {
    if (name.startsWith(unfinished)) await rm(join(runRoot, name), { recursive: true, force: true });
  }
}

/** Claims the first index that is free; `usable` says whether its networks are. To be called exclusively. */
export async function claim(
  request: Omit<ClaimRecord, "index" | "owner">,
  usable: (index: number) => boolean,
): Promise<ClaimRecord> {
  const owner = await identityOf(process.pid);
  if (owner === undefined) throw new Error("/proc is not mounted");
  await removeUnfinished();
  const made = await mkdtemp(join(runRoot, unfinished));
  try {
    for (let index = 0; index < maxHosts; index++) {
      if (!usable(index)) continue;
      const record = { index, owner, ...request };
      await writeFile(join(made, recordName), JSON.stringify(record));
      // A folder replaces an empty one only: of two that claim the same index one fails.
      const claimed = await rename(made, runDirOf(index)).then(
        () => true,
        () => false,
      );
      if (claimed) return record;
    }
    throw new Error("no free network of 10.180.0.0/16 and the following ones for the nodes");
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}

const switches = ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/bridge/bridge-nf-call-iptables"];

export async function hostSettings(): Promise<HostSettings> {
  const settings: Record<string, string> = {};
  for (const file of switches) {
    const value = await readFile(file, "utf8").catch(() => undefined);
    if (value !== undefined) settings[file] = value.trim();
  }
  return settings;
}

export async function restoreSettings(settings: HostSettings): Promise<void> {
  for (const file of switches) {
    const value = settings[file];
    if (value !== undefined) await writeFile(file, value).catch(() => undefined);
  }
}

/** Claims whose owner has ended, and such as are for the same folder; rejects when the owner of that one lives. */
export async function abandoned(stateDir: string): Promise<readonly ClaimRecord[]> {
  const found: ClaimRecord[] = [];
  for (let index = 0; index < maxHosts; index++) {
    const record = await readClaim(index);
    if (record === undefined) continue;
    if (!(await isAlive(record.owner))) found.push(record);
    else if (record.stateDir === stateDir) {
      throw new Error(`${stateDir} is in use by process ${record.owner.pid}`);
    }
  }
  return found;
}

async function readClaim(index: number): Promise<ClaimRecord | undefined> {
  const text = await readFile(join(runDirOf(index), recordName), "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as ClaimRecord);
}

/** Gives the claim up: the last step of taking down. */
export async function release(index: number): Promise<void> {
  const folder = runDirOf(index);
  for (const name of await readdir(folder).catch(() => [])) {
    if (name !== recordName) await rm(join(folder, name), { recursive: true, force: true });
  }
  await rm(folder, { recursive: true, force: true });
}

/** One at a time on this machine, and never for longer than its process lives: the kernel frees the name of the socket. */
export async function exclusively<T>(work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    const server = createServer();
    const held = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen("\0coxswain-real-host", () => resolve(true));
    });
    if (held) {
      try {
        return await work();
      } finally {
        await new Promise((resolve) => server.close(resolve));
      }
    }
    if (Date.now() > deadline) throw new Error("another cluster has been starting on this machine for two minutes");
    await wait(50);
  }
}

const marker = "coxswain-host";

/** Makes the folder, or takes one of ours; refuses to clean out a stranger's. */
export async function openStateDir(stateDir: string): Promise<void> {
  await mkdir(stateDir, { recursive: true });
  const entries = await readdir(stateDir);
  if (entries.length > 0 && !entries.includes(marker)) {
    throw new Error(`${stateDir} is not empty, and not a folder of an earlier cluster`);
  }
  await writeFile(join(stateDir, marker), "Everything here is removed when the cluster stops.\n");
}
