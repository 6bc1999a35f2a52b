import { readdir, readFile } from "node:fs/promises";

/** The variable by which processes of a container are found, wherever they have forked or detached themselves to. */
export const containerMarker = "COXSWAIN_CONTAINER_ID";

export interface ProcessInfo {
  readonly pid: number;
  /** In clock ticks since boot: with the pid, the identity of a process. */
  readonly startTime: number;
  readonly cpuTicks: number;
  readonly rssPages: number;
  readonly state: string;
}

const ticksPerSecond = 100;
const pageBytes = 4096;

export async function processInfo(pid: number): Promise<ProcessInfo | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => undefined);
  if (text === undefined) return undefined;
  // The command's name is in brackets and may hold anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (index: number): number => Number(fields[index - 3] ?? 0);
  return {
    pid,
    state: fields[0] ?? "",
    startTime: field(22),
    cpuTicks: field(14) + field(15),
    rssPages: field(24),
  };
}

/** Whether that very process lives; a zombie does not. */
export async function isAlive(pid: number, startTime: number): Promise<boolean> {
  const info = await processInfo(pid);
  return info !== undefined && info.startTime === startTime && info.state !== "Z" && info.state !== "X";
}

/** All processes that carry the marker of that container. */
export async function processesOf(containerId: string): Promise<number[]> {
  const wanted = `\0${containerMarker}=${containerId}\0`;
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found: number[] = [];
  await Promise.all(
    pids.map(async (pid) => {
      const environ = await readFile(`/proc/${pid}/environ`, "latin1").catch(() => "");
      if (`\0${environ}\0`.includes(wanted)) found.push(pid);
    }),
  );
  return found;
}

export async function usageOf(
  pids: readonly number[],
): Promise<{ readonly cpuNanoSeconds: number; readonly rssBytes: number }> {
  const infos = await Promise.all(pids.map(processInfo));
  let ticks = 0;
  let pages = 0;
  for (const info of infos) {
    ticks += info?.cpuTicks ?? 0;
    pages += info?.rssPages ?? 0;
  }
  return { cpuNanoSeconds: (ticks * 1e9) / ticksPerSecond, rssBytes: pages * pageBytes };
}

/** Sends a signal; false when there is no such process (any more). */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
