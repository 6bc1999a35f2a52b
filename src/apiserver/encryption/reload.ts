import { type Clock, sleep } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import { parseEncryptionConfiguration } from "./configuration.js";
import type { EncryptedStore } from "./encrypted-store.js";
import { transformersOf } from "./transformers.js";

export interface ReloadOptions {
  /** The configuration's text. */
  readonly read: () => Promise<string>;
  /** What the store was made with. */
  readonly text: string;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default 10 s. */
  readonly intervalMs?: number;
}

/** Gives the store the keys of a configuration whenever its text changed, until `signal` aborts. One that makes no sense is told of, and the last one stays. */
export async function reloadEncryption(store: EncryptedStore, options: ReloadOptions): Promise<void> {
  const { read, signal, clock, logger, intervalMs = 10_000 } = options;
  let { text } = options;
  for (;;) {
    await sleep(clock, intervalMs, signal);
    if (signal.aborted) return;
    try {
      const now = await read();
      if (now === text) continue;
      text = now;
      store.setTransformers(await transformersOf(parseEncryptionConfiguration(now)));
      logger.info("the encryption configuration is read again");
    } catch (error) {
      logger.error("the encryption configuration cannot be read again; the last one stays", { error });
    }
  }
}
