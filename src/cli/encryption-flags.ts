import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { encryptedStore, parseEncryptionConfiguration, reloadEncryption } from "../apiserver/index.js";
import { realClock } from "../internal/clock.js";
import type { Component } from "../internal/component.js";
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

export interface GivenEncryption {
  readonly store: Store;
  /** Follow the file that was given. */
  readonly parts: readonly Component[];
}

/** The store as the flags want it. Throws UsageError for a configuration that makes no sense. */
export async function encryptedByFlags(store: Store, flags: EncryptionFlags, logger: Logger): Promise<GivenEncryption> {
  const { encryptionProviderConfig: path, encryptionProviderConfigAutomaticReload: reload } = flags;
  if (path === undefined) {
    if (reload)
      throw new UsageError("--encryption-provider-config-automatic-reload needs --encryption-provider-config");
    return { store, parts: [] };
  }
  try {
    const text = await readFile(path, "utf8");
    const encrypted = await encryptedStore(store, parseEncryptionConfiguration(text));
    const parts = reload ? [reloadEncryption(encrypted, { path, text, clock: realClock, logger })] : [];
    return { store: encrypted, parts };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`--encryption-provider-config: ${why}`, { cause });
  }
}
