import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { encryptedStore, parseEncryptionConfiguration, reloadEncryption } from "../apiserver/index.js";
import { realClock } from "../internal/clock.js";
import type { Logger } from "../internal/logger.js";
import type { Store } from "../store/index.js";
import { parseBoolean, UsageError } from "./up-options.js";

export interface EncryptionFlags {
  readonly encryptionProviderConfig?: string | undefined;
  readonly encryptionProviderConfigAutomaticReload: boolean;
}

export function addEncryptionFlags(command: Command): Command {
  return command
    .option("--encryption-provider-config <path>", "how objects are encrypted in the store; absent: they are not")
    .option("--encryption-provider-config-automatic-reload [bool]", "heed its changes", parseBoolean, false);
}

/** The store as the flags want it. What follows the configuration ends with `signal`. Throws UsageError for one that makes no sense. */
export async function encryptedByFlags(
  store: Store,
  flags: EncryptionFlags,
  { signal, logger }: { readonly signal: AbortSignal; readonly logger: Logger },
): Promise<Store> {
  const { encryptionProviderConfig: path, encryptionProviderConfigAutomaticReload: reload } = flags;
  if (path === undefined) {
    if (reload)
      throw new UsageError("--encryption-provider-config-automatic-reload needs --encryption-provider-config");
    return store;
  }
  const read = (): Promise<string> => readFile(path, "utf8");
  try {
    const text = await read();
    const encrypted = await encryptedStore(store, parseEncryptionConfiguration(text));
    if (reload) void reloadEncryption(encrypted, { read, text, signal, clock: realClock, logger });
    return encrypted;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`--encryption-provider-config: ${why}`, { cause });
  }
}
