import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Component } from "../../internal/component.js";
import type { Logger } from "../../internal/logger.js";
import { Daemon } from "./daemon.js";

export interface PartProcessOptions {
  readonly name: string;
  readonly dependencies: readonly string[];
  /** The command, with how it gets to its node before it. It says `ready in` when it serves. */
  readonly argv: readonly string[];
  /** Folder for what it says. */
  readonly logDir: string;
  readonly logger: Logger;
}

/** A part of the cluster that is a process of its own on a node; started again when it ends before its time. */
export function partProcess({ name, dependencies, argv, logDir, logger }: PartProcessOptions): Component {
  return {
    name,
    dependencies,
    async run({ signal, ready }) {
      await mkdir(logDir, { recursive: true });
      const logFile = join(logDir, `${name.replaceAll("/", "-")}.log`);
      const probe = async (): Promise<boolean> => (await readFile(logFile, "utf8")).includes(" ready in ");
      const daemon = new Daemon({ name, argv, logFile, probe, logger });
      try {
        await daemon.start();
        ready();
        await new Promise<void>((resolve) => {
          if (signal.aborted) resolve();
          else signal.addEventListener("abort", () => resolve(), { once: true });
        });
      } finally {
        await daemon.stop();
      }
    },
  };
}
