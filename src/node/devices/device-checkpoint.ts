import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Logger } from "../../internal/logger.js";
import { type DeviceGrant, DevicePool } from "./device-pool.js";

interface Saved {
  readonly resources: readonly string[];
  readonly pods: Readonly<Record<string, Readonly<Record<string, readonly DeviceGrant[]>>>>;
}

/** What was granted before, for an agent that comes after. A file that is missing is empty; so is one that cannot be read, after a warning. */
export async function readDevices(path: string, logger: Logger): Promise<DevicePool> {
  try {
    const { resources, pods } = JSON.parse(await readFile(path, "utf8")) as Saved;
    const grants = Object.entries(pods).map(
      ([podUid, containers]) =>
        [podUid, new Map(Object.entries(containers).map(([name, list]) => [name, [...list]]))] as const,
    );
    return new DevicePool(grants, resources);
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (!missing) logger.warn("the checkpoint of devices cannot be read", { path, error });
    return new DevicePool();
  }
}

export async function writeDevices(path: string, pool: DevicePool): Promise<void> {
  const pods = Object.fromEntries([...pool.grants].map(([podUid, ofPod]) => [podUid, Object.fromEntries(ofPod)]));
  const saved: Saved = { resources: pool.resources, pods };
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.tmp`, JSON.stringify(saved), { mode: 0o600 });
  await rename(`${path}.tmp`, path);
}
