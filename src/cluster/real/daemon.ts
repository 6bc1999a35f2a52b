import { type ChildProcess, spawn } from "node:child_process";
import { open } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import type { Logger } from "../../internal/logger.js";
import { childEnv } from "./command.js";

export interface DaemonOptions {
  /** For people. */
  readonly name: string;
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** What it says goes there. */
  readonly logFile: string;
  /** Whether it serves; asked until it says so. */
  readonly probe: (signal: AbortSignal) => Promise<boolean>;
  readonly logger: Logger;
}

const startLimitMs = 30_000;
const probeMs = 20;
const firstRestartMs = 200;
const maxRestartMs = 5_000;
/** After so long it is taken as sound again. */
const soundMs = 10_000;
const maxLogTail = 2000;

/** A server of the cluster in a session of its own, so that a terminal's Ctrl-C is ours to handle; started again whenever it ends. */
export class Daemon {
  readonly #options: DaemonOptions;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #stopped = false;
  #restartMs = firstRestartMs;

  constructor(options: DaemonOptions) {
    this.#options = options;
  }

  /** Of the running process; undefined while there is none. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when it serves; rejects, with the end of its log, when it does not. */
  async start(): Promise<void> {
    await this.#launch();
    await this.ready();
  }

  /** Resolves when it serves, also after it was killed. */
  async ready(): Promise<void> {
    const { name, probe } = this.#options;
    const limit = AbortSignal.timeout(startLimitMs);
    while (!limit.aborted && !this.#stopped) {
      if (this.#child !== undefined && (await probe(limit).catch(() => false))) return;
      await wait(probeMs);
    }
    throw new Error(`${name} does not get ready: ${await this.#lastWords()}`);
  }

  /** kill -9. It is started again. */
  async kill(): Promise<void> {
    const ended = this.#ended;
    this.#child?.kill("SIGKILL");
    await ended;
  }

  /** kill -9, for good. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.kill();
  }

  async #launch(): Promise<void> {
    const { argv, env = childEnv, logFile, name, logger } = this.#options;
    const [program = "", ...args] = argv;
    const log = await open(logFile, "a");
    if (this.#stopped) return log.close();
    const began = performance.now();
    const child = spawn(program, args, { env, detached: true, stdio: ["ignore", log.fd, log.fd] });
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      const end = (why: unknown): void => {
        if (this.#child === child) this.#child = undefined;
        resolve();
        if (this.#stopped) return;
        logger.warn("a server of the cluster ended and is started again", { name, why });
        void this.#relaunch(performance.now() - began > soundMs);
      };
      child.once("error", end);
      child.once("exit", (code, signal) => end(signal ?? code));
    });
    await log.close();
  }

  async #relaunch(wasSound: boolean): Promise<void> {
    if (wasSound) this.#restartMs = firstRestartMs;
    const delayMs = this.#restartMs;
    this.#restartMs = Math.min(2 * delayMs, maxRestartMs);
    await wait(delayMs);
    if (this.#stopped) return;
    try {
      await this.#launch();
    } catch (error) {
      const { name, logger } = this.#options;
      logger.error("a server of the cluster cannot be started again", { name, error });
    }
  }

  async #lastWords(): Promise<string> {
    const file = await open(this.#options.logFile, "r");
    try {
      const { size } = await file.stat();
      const length = Math.min(size, maxLogTail);
      const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
      return buffer.toString().trim().split("\n").slice(-3).join("; ");
    } finally {
      await file.close();
    }
  }
}
