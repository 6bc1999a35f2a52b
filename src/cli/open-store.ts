import { join } from "node:path";
import type { Logger } from "../internal/logger.js";
import { MemoryStore, type Store } from "../store/index.js";
import { UsageError } from "./up-options.js";

export interface OpenedStore {
  readonly store: Store;
  close(): Promise<void>;
}

/** A store of the asked sort; heavy ones are loaded only here. */
export async function openStore(
  kind: "memory" | "embedded" | "etcd",
  dataDir: string,
  logger: Logger,
): Promise<OpenedStore> {
  if (kind === "etcd") throw new UsageError("--store etcd goes with --real, or with `coxswain apiserver --etcd URL`");
  const store = kind === "memory" ? new MemoryStore() : await openEmbedded(join(dataDir, "store"), logger);
  return { store, close: async () => store[Symbol.asyncDispose]() };
}

async function openEmbedded(folder: string, logger: Logger): Promise<Store> {
  const { EmbeddedStore } = await import("../store/embedded/index.js");
  return EmbeddedStore.open(folder, { logger });
}
