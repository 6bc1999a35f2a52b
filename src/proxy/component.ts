import { type Client, InformerFactory } from "../client/index.js";
import { type Clock, realClock } from "../internal/clock.js";
import type { Component, ComponentContext } from "../internal/component.js";
import { type Logger, silentLogger, withFields } from "../internal/logger.js";
import { type Random, systemRandom } from "../internal/random.js";
import { type HealthCheckListener, HealthChecks } from "./health-checks.js";
import { KeptListener } from "./kept-listener.js";
import type { PageListener, Pages } from "./pages.js";
import { type ProxyBackend, ProxyError } from "./proxy.js";
import { ProxyStatus } from "./proxy-status.js";
import { ServiceTracker } from "./tracker.js";
import { Wake } from "./wake.js";

export interface ProxyOptions {
  readonly client: Client;
  /** Owned from here on: disposed when the proxy stops, unless `keep`. */
  readonly backend: ProxyBackend;
  /** The node whose endpoints are local. */
  readonly nodeName: string;
  /** The node's topology zone. Absent: followed from the label of the Node. */
  readonly zone?: string | undefined;
  /** True leaves the rules in place when the proxy stops, so that traffic goes on until the next one starts. Default false. */
  readonly keep?: boolean | undefined;
  /** The least time between two syncs after the first two; changes meanwhile become one. Default 100. */
  readonly minSyncPeriodMs?: number | undefined;
  /** How often the backend is asked whether its work was damaged. Default 30 s. */
  readonly checkPeriodMs?: number | undefined;
  /** How often everything is looked at again although nothing happened. Default 1 h. */
  readonly fullSyncPeriodMs?: number | undefined;
  /** Serves health check node ports; absent: nobody does. `listenForHealthChecks` is the one for this host. */
  readonly healthChecks?: HealthCheckListener | undefined;
  /** Serves `/healthz` and `/livez`, as kube-proxy does on port 10256; absent: nobody does. */
  readonly healthPages?: PageListener | undefined;
  /** Serves `/metrics`, `/proxyMode` and `/healthz`, as kube-proxy does on port 10249 of the loopback; absent: nobody does. */
  readonly metricsPages?: PageListener | undefined;
  /** How long a change may wait before `/healthz` and `/livez` fail. Default 60 s. */
  readonly healthTimeoutMs?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly logger?: Logger | undefined;
  /** Of the component. Default `proxy`. */
  readonly name?: string | undefined;
}

/** How many syncs may follow one another at once before `minSyncPeriodMs` holds. */
const burst = 2;
const maxRetryMs = 30_000;

/** Keeps a node's forwarding as the cluster's Services and EndpointSlices say. Ready after the first sync. */
export function createProxy(options: ProxyOptions): Component {
  return new ServiceProxy(options);
}

class ServiceProxy implements Component {
  readonly name: string;
  readonly dependencies: readonly string[] = ["apiserver"];
  readonly #options: ProxyOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #wake = new Wake();
  readonly #health: HealthChecks | undefined;
  readonly #status: ProxyStatus;
  #changed = true;
  /** Nothing is known about the host. */
  #full = true;
  #failures = 0;
  #lastFull = 0;
  #lastCheck = 0;
  /** Syncs that may start without waiting, and when that was counted. */
  #tokens = burst;
  #counted = 0;

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.name = options.name ?? "proxy";
    this.#clock = options.clock ?? realClock;
    this.#logger = withFields(options.logger ?? silentLogger, { proxy: options.backend.name, node: options.nodeName });
    const { healthChecks, backend, healthTimeoutMs = 60_000 } = options;
    this.#status = new ProxyStatus({ clock: this.#clock, mode: backend.name, healthTimeoutMs });
    this.#health = healthChecks && new HealthChecks({ listen: healthChecks, clock: this.#clock, logger: this.#logger });
  }

  async run({ signal, ready }: ComponentContext): Promise<void> {
    const { client, backend, nodeName, zone, random = systemRandom } = this.#options;
    const factory = new InformerFactory({ client, clock: this.#clock, random, logger: this.#logger });
    const onChange = (): void => {
      this.#changed = true;
      this.#wake.ring();
    };
    const tracker = new ServiceTracker({
      factory,
      nodeName,
      zone,
      onChange,
      onSeen: (kind, key, sinceMs) => this.#status.seen(kind, key, sinceMs),
      onNode: (node) => this.#status.node(node),
    });
    const pages = this.#servePages();
    try {
      factory.start(signal);
      await factory.whenSynced(signal);
      await this.#loop(tracker, signal, ready);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      await factory[Symbol.asyncDispose]();
      for (const each of pages) await each[Symbol.asyncDispose]();
      await this.#health?.[Symbol.asyncDispose]();
      if (!this.#options.keep) await backend[Symbol.asyncDispose]();
    }
  }

  #servePages(): readonly KeptListener[] {
    const { healthPages, metricsPages } = this.#options;
    const serve = (listen: PageListener | undefined, pages: Pages): readonly KeptListener[] => {
      const failed = (error: unknown): void => this.#logger.warn("pages cannot be served; trying again", { error });
      return listen === undefined ? [] : [new KeptListener(() => listen(pages), this.#clock, failed)];
    };
    return [...serve(healthPages, this.#status.health), ...serve(metricsPages, this.#status.metrics)];
  }

  async #loop(tracker: ServiceTracker, signal: AbortSignal, ready: () => void): Promise<void> {
    let started = false;
    this.#lastCheck = this.#clock.now();
    this.#counted = this.#clock.now();
    while (!signal.aborted) {
      if (this.#changed || this.#full) {
        await this.#pace(signal);
        if (signal.aborted) return;
        if ((await this.#sync(tracker, signal)) && !started) {
          started = true;
          ready();
        }
        continue;
      }
      await this.#wake.rung(this.#clock, this.#nextLook(), signal);
      if (!signal.aborted) await this.#look(signal);
    }
  }

  /** Gives whether the host now follows. */
  async #sync(tracker: ServiceTracker, signal: AbortSignal): Promise<boolean> {
    const { backend } = this.#options;
    const { table, changed } = tracker.take();
    this.#status.taking();
    this.#changed = false;
    const full = this.#full;
    if (!full && changed.size === 0) {
      this.#status.upToDate();
      return true;
    }
    const startedMs = this.#clock.now();
    try {
      await backend.sync({ table, changed: full ? undefined : changed }, signal);
      this.#status.synced(table, this.#clock.now() - startedMs, full);
      this.#health?.sync(table);
      this.#health?.synced(true);
      this.#full = false;
      this.#failures = 0;
      if (full) this.#lastFull = this.#clock.now();
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      if (error instanceof ProxyError && error.code === "unsupported") throw error;
      this.#logger.error("services could not be put into effect; trying again", { error });
      this.#health?.synced(false);
      this.#status.failed(full);
      this.#full = true;
      this.#failures++;
      await this.#pause(Math.min(maxRetryMs, 500 * 2 ** this.#failures), signal);
      return false;
    }
  }

  /** Waits until the next sync may start. */
  async #pace(signal: AbortSignal): Promise<void> {
    const period = this.#options.minSyncPeriodMs ?? 100;
    if (period <= 0) return;
    const refill = (): void => {
      const now = this.#clock.now();
      this.#tokens = Math.min(burst, this.#tokens + (now - this.#counted) / period);
      this.#counted = now;
    };
    refill();
    if (this.#tokens < 1) {
      await this.#pause((1 - this.#tokens) * period, signal);
      refill();
    }
    this.#tokens = Math.max(0, this.#tokens - 1);
  }

  #nextLook(): number {
    const { checkPeriodMs = 30_000, fullSyncPeriodMs = 3_600_000 } = this.#options;
    const now = this.#clock.now();
    return Math.max(0, Math.min(this.#lastCheck + checkPeriodMs, this.#lastFull + fullSyncPeriodMs) - now);
  }

  /** Finds out whether, although nothing changed, something is to be done. */
  async #look(signal: AbortSignal): Promise<void> {
    const { backend, checkPeriodMs = 30_000, fullSyncPeriodMs = 3_600_000 } = this.#options;
    const now = this.#clock.now();
    if (now >= this.#lastFull + fullSyncPeriodMs) this.#full = true;
    if (now < this.#lastCheck + checkPeriodMs) return;
    this.#lastCheck = now;
    try {
      if ((await backend.check?.(signal)) !== false) return;
      this.#logger.warn("somebody removed forwarding rules; putting them back");
    } catch (error) {
      if (signal.aborted) return;
      this.#logger.warn("forwarding rules could not be checked; writing them again", { error });
    }
    this.#full = true;
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Wake().rung(this.#clock, ms, signal);
  }
}
