import { readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Clock } from "../internal/clock.js";
import type { Runtime } from "../runtime/index.js";

export interface LogRotationOptions {
  readonly maxBytes: number;
  /** Of one container, the current one included. */
  readonly maxFiles: number;
}

export const defaultLogRotation: LogRotationOptions = { maxBytes: 10 * 1024 * 1024, maxFiles: 5 };

/** Puts logs that have grown too large aside, `<name>.<time>`, and drops the oldest of those. */
export async function rotateLogs(
  runtime: Runtime,
  clock: Clock,
  options: LogRotationOptions,
  signal: AbortSignal,
): Promise<void> {
  for (const { id } of await runtime.listContainers({ state: "running" }, { signal })) {
    const path = (await runtime.containerStatus(id, { signal }).catch(() => undefined))?.logPath;
    const found = path === undefined ? undefined : await stat(path).catch(() => undefined);
    if (path === undefined || found === undefined || found.size < options.maxBytes) continue;
    const folder = dirname(path);
    const name = basename(path);
    const old = (await readdir(folder)).filter((other) => other.startsWith(`${name}.`)).sort();
    const surplus = old.slice(0, Math.max(0, old.length - (options.maxFiles - 2)));
    for (const other of surplus) await rm(join(folder, other), { force: true });
    const stamp = new Date(clock.now()).toISOString().replace(/[-:]/g, "").replace(/[T.]/g, "-").replace("Z", "");
    const aside = `${path}.${stamp}`;
    await rename(path, aside);
    try {
      await runtime.reopenContainerLog(id, { signal });
    } catch (error) {
      // The runtime goes on writing to the old file: it must keep its name.
      await rename(aside, path);
      throw error;
    }
  }
}
