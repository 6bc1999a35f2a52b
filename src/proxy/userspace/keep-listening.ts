import type { Clock, ClockTimer } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";

const firstRetryMs = 250;
const maxRetryMs = 10_000;

export interface KeepListeningOptions {
  /** `TCP 127.96.0.10:80 of default/web` */
  readonly what: string;
  readonly attempt: () => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Tries to listen until it works or is stopped: a port that somebody else has may become free. */
export class KeepListening {
  readonly #options: KeepListeningOptions;
  #timer: ClockTimer | undefined;
  #delayMs = firstRetryMs;
  #stopped = false;
  #problem: string | undefined;

  constructor(options: KeepListeningOptions) {
    this.#options = options;
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  /** Resolves after the first attempt. */
  async start(): Promise<void> {
    const { attempt, clock, logger, what } = this.#options;
    this.#timer = undefined;
    try {
      await attempt();
      if (this.#problem !== undefined) logger.info("a port became free and is served now", { what });
      this.#problem = undefined;
    } catch (error) {
      if (this.#stopped) return;
      const problem = `${what} cannot be served: ${reasonOf(error)}`;
      // Once is enough for each reason.
      if (problem !== this.#problem) logger.warn("a service cannot be served; trying again", { problem });
      this.#problem = problem;
      this.#timer = clock.setTimeout(() => void this.start(), this.#delayMs);
      this.#delayMs = Math.min(maxRetryMs, this.#delayMs * 2);
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#problem = undefined;
    this.#timer?.cancel();
  }
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  switch (code) {
    case "EADDRINUSE":
      return "another program has this port";
    case "EADDRNOTAVAIL":
      return "this host does not have the address (the userspace proxy serves addresses of 127.0.0.0/8 only)";
    case "EACCES":
      return "this port needs a privilege (below net.ipv4.ip_unprivileged_port_start)";
    case "EMFILE":
    case "ENFILE":
      return "too many open files";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
