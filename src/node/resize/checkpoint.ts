import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { ResourceRequirements } from "../../api/index.js";
import type { Logger } from "../../internal/logger.js";
import type { PodResources } from "./pod-resources.js";

interface Entry {
  readonly pod?: ResourceRequirements | undefined;
  readonly containers: Readonly<Record<string, ResourceRequirements>>;
}

/**
 * Resources of pods by their UIDs, kept in a file that outlives the agent. Changes are there at once, and on disk when `saved` resolves:
 * all that wait share one write. Without a path they are kept in memory alone.
 */
export class ResourceCheckpoint {
  readonly #path: string | undefined;
  readonly #pods: Map<string, PodResources>;
  #dirty = false;
  #writing: Promise<void> | undefined;

  private constructor(path: string | undefined, pods: Map<string, PodResources>) {
    this.#path = path;
    this.#pods = pods;
  }

  /** A file that is missing is empty; so is one that cannot be read, after a warning. */
  static async open(path: string | undefined, logger: Logger): Promise<ResourceCheckpoint> {
    if (path === undefined) return new ResourceCheckpoint(undefined, new Map());
    try {
      return new ResourceCheckpoint(path, parse(await readFile(path, "utf8")));
    } catch (error) {
      const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
      if (!missing) logger.warn("a checkpoint of pods' resources cannot be read", { path, error });
      return new ResourceCheckpoint(path, new Map());
    }
  }

  get(podUid: string): PodResources | undefined {
    return this.#pods.get(podUid);
  }

  set(podUid: string, resources: PodResources): void {
    this.#pods.set(podUid, resources);
    this.#dirty = true;
  }

  delete(podUid: string): void {
    if (this.#pods.delete(podUid)) this.#dirty = true;
  }

  /** Drops the pods that are not among these. */
  retain(podUids: ReadonlySet<string>): void {
    for (const podUid of [...this.#pods.keys()]) if (!podUids.has(podUid)) this.delete(podUid);
  }

  /** Resolves when all that was changed before is on disk. Rejects with the error of the file system; what was to be written stays due. */
  async saved(): Promise<void> {
    const path = this.#path;
    if (path === undefined) return;
    while (this.#dirty || this.#writing !== undefined) {
      this.#writing ??= this.#write(path).finally(() => {
        this.#writing = undefined;
      });
      await this.#writing;
    }
  }

  async #write(path: string): Promise<void> {
    // Changes of this turn go with it.
    await Promise.resolve();
    this.#dirty = false;
    try {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(`${path}.tmp`, this.#text(), { mode: 0o600 });
      await rename(`${path}.tmp`, path);
    } catch (error) {
      this.#dirty = true;
      throw error;
    }
  }

  #text(): string {
    const pods = [...this.#pods].map(([podUid, { pod, containers }]): [string, Entry] => [
      podUid,
      { ...(pod === undefined ? {} : { pod }), containers: Object.fromEntries(containers) },
    ]);
    return JSON.stringify({ pods: Object.fromEntries(pods) });
  }
}

function parse(text: string): Map<string, PodResources> {
  const { pods } = JSON.parse(text) as { readonly pods: Readonly<Record<string, Entry>> };
  return new Map(
    Object.entries(pods).map(([podUid, { pod, containers }]) => [
      podUid,
      { pod, containers: new Map(Object.entries(containers)) },
    ]),
  );
}
