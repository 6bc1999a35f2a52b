import { readFile } from "node:fs/promises";
import { type Clock, every } from "../internal/clock.js";
import type { Component } from "../internal/component.js";
import type { Logger } from "../internal/logger.js";

export interface ReloadingFileOptions {
  /** Of the component. */
  readonly name: string;
  readonly path: string;
  /** What is in force already. */
  readonly text: string;
  /** Puts another text into force; throws, with nothing changed, for one that is no good. */
  readonly apply: (text: string) => void | Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default 10 seconds. */
  readonly intervalMs?: number | undefined;
}

/** Follows a file: what changes in it comes into force; what is no good is logged, once, and the last good text stays in force. */
export function reloadingFile(options: ReloadingFileOptions): Component {
  const { name, path, apply, clock, logger, intervalMs = 10_000 } = options;
  let last = options.text;
  const look = async (): Promise<void> => {
    try {
      const text = await readFile(path, "utf8");
      if (text === last) return;
      last = text;
      await apply(text);
      logger.info("reloaded a configuration", { path });
    } catch (error) {
      logger.error("cannot reload a configuration", { path, error });
    }
  };
  return {
    name,
    async run({ signal, ready }) {
      ready();
      await every(clock, intervalMs, signal, look);
    },
  };
}
