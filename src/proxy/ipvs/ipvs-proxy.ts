import { type Clock, type ClockTimer, realClock } from "../../internal/clock.js";
import { type Logger, silentLogger } from "../../internal/logger.js";
import { ConntrackTimeouts } from "../conntrack-timeouts.js";
import { type Exec, hostExec } from "../exec.js";
import type { ProxyBackend, ServiceTableUpdate } from "../proxy.js";
import { IpvsFamily } from "./ipvs-family.js";
import type { IpvsProxyOptions } from "./ipvs-options.js";

/**
 * Forwards by the kernel's IPVS: a virtual server for each address of a service, ipsets and a fixed number of iptables rules
 * for what IPVS cannot do. Needs root, and has the IPVS table of its network namespace to itself. Endpoints that are removed take no
 * new TCP connections and finish those they have.
 */
export class IpvsProxy implements ProxyBackend {
  readonly name = "ipvs";
  readonly #options: IpvsProxyOptions;
  readonly #families: readonly IpvsFamily[];
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #timeouts: ConntrackTimeouts;
  #disposed = false;
  #drain: ClockTimer | undefined;
  /** Draining and syncing both edit servers: one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: IpvsProxyOptions = {}) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    const logger = options.logger ?? silentLogger;
    this.#logger = logger;
    const exec: Exec = options.exec ?? hostExec();
    this.#families = (options.families ?? [4]).map((family) => new IpvsFamily(family, exec, logger, options));
    this.#timeouts = new ConntrackTimeouts(exec, logger);
  }

  sync(update: ServiceTableUpdate, signal?: AbortSignal): Promise<void> {
    if (this.#disposed) return Promise.reject(new Error("the IPVS proxy was disposed"));
    return this.#exclusively(async () => {
      for (const family of this.#families) await family.sync(update, signal);
      if (update.changed === undefined) await this.#timeouts.hold(signal);
      this.#drainLater();
    });
  }

  check(signal?: AbortSignal): Promise<boolean> {
    return this.#exclusively(async () => {
      for (const family of this.#families) if (!(await family.check(signal))) return false;
      return true;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#drain?.cancel();
    await this.#exclusively(async () => {
      for (const family of this.#families) await family.clean();
      await this.#timeouts.release();
    });
  }

  #drainLater(): void {
    if (this.#drain !== undefined || this.#disposed || !this.#families.some(({ draining }) => draining)) return;
    this.#drain = this.#clock.setTimeout(() => {
      this.#drain = undefined;
      void this.#exclusively(() => this.#removeFinished())
        .catch((error: unknown) => this.#logger.warn("drained endpoints could not be removed", { error }))
        .finally(() => this.#drainLater());
    }, this.#options.drainPeriodMs ?? 15_000);
  }

  async #removeFinished(): Promise<void> {
    if (this.#disposed) return;
    for (const family of this.#families) await family.removeFinished();
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work, work);
    this.#last = result.catch(() => {});
    return result;
  }
}
