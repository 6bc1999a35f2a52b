import { createServer, type Server } from "node:http";
import { type Clock, type ClockTimer, realClock } from "../internal/clock.js";
import { type Logger, silentLogger } from "../internal/logger.js";
import type { ServiceTable } from "./proxy.js";

/** What a load balancer is told at a service's health check node port. */
export interface ServiceHealth {
  readonly namespace: string;
  readonly name: string;
  readonly localEndpoints: number;
  /** Whether the host's forwarding is as it should be. */
  readonly proxyHealthy: boolean;
}

/**
 * Serves HTTP on a port of the node, answering from `health` anew each time. Resolves when listening, rejects when the port
 * is not to be had; what it gives is disposed to stop listening.
 */
export type HealthCheckListener = (port: number, health: () => ServiceHealth) => Promise<AsyncDisposable>;

interface Entry {
  readonly port: number;
  health: ServiceHealth;
  listening: AsyncDisposable | undefined;
  retry: ClockTimer | undefined;
  gone: boolean;
}

const retryMs = 5000;

/** Keeps one listener for each service with a health check node port. */
export class HealthChecks implements AsyncDisposable {
  readonly #listen: HealthCheckListener;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #entries = new Map<number, Entry>();
  readonly #work = new Set<Promise<void>>();
  #healthy = true;

  constructor(options: {
    readonly listen: HealthCheckListener;
    readonly clock?: Clock | undefined;
    readonly logger?: Logger | undefined;
  }) {
    this.#listen = options.listen;
    this.#clock = options.clock ?? realClock;
    this.#logger = options.logger ?? silentLogger;
  }

  synced(healthy: boolean): void {
    this.#healthy = healthy;
  }

  sync(table: ServiceTable): void {
    const wanted = healthOf(table);
    for (const [port, entry] of this.#entries) if (!wanted.has(port)) this.#close(entry);
    for (const [port, health] of wanted) {
      const entry = this.#entries.get(port);
      if (entry !== undefined) {
        entry.health = health;
        continue;
      }
      const made: Entry = { port, health, listening: undefined, retry: undefined, gone: false };
      this.#entries.set(port, made);
      this.#open(made);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const entry of [...this.#entries.values()]) this.#close(entry);
    while (this.#work.size > 0) await Promise.all(this.#work);
  }

  #open(entry: Entry): void {
    entry.retry = undefined;
    this.#track(async () => {
      try {
        const listening = await this.#listen(entry.port, () => ({ ...entry.health, proxyHealthy: this.#healthy }));
        if (entry.gone) await listening[Symbol.asyncDispose]();
        else entry.listening = listening;
      } catch (error) {
        const { namespace, name } = entry.health;
        this.#logger.warn("health check node port cannot be served", { namespace, name, port: entry.port, error });
        if (!entry.gone) entry.retry = this.#clock.setTimeout(() => this.#open(entry), retryMs);
      }
    });
  }

  #close(entry: Entry): void {
    entry.gone = true;
    entry.retry?.cancel();
    this.#entries.delete(entry.port);
    const { listening } = entry;
    if (listening !== undefined) this.#track(async () => listening[Symbol.asyncDispose]());
  }

  #track(work: () => Promise<void>): void {
    const running = work()
      .catch((error: unknown) => this.#logger.warn("health check node port did not close", { error }))
      .finally(() => this.#work.delete(running));
    this.#work.add(running);
  }
}

function healthOf(table: ServiceTable): Map<number, ServiceHealth> {
  const addresses = new Map<string, Set<string>>();
  const result = new Map<number, ServiceHealth>();
  for (const { healthCheckNodePort: port, namespace, name, family, endpoints } of table.ports.values()) {
    if (port === 0) continue;
    const key = `${port}/${family}`;
    const local = addresses.get(key) ?? new Set<string>();
    for (const endpoint of endpoints) if (endpoint.local && endpoint.ready) local.add(endpoint.ip);
    addresses.set(key, local);
    // A pod that has an address of each family is one endpoint.
    const localEndpoints = Math.max(local.size, result.get(port)?.localEndpoints ?? 0);
    result.set(port, { namespace, name, localEndpoints, proxyHealthy: true });
  }
  return result;
}

/** Listens on `host` of this very process's network: for a proxy that runs where its node is. */
export function listenForHealthChecks(host: string): HealthCheckListener {
  return async (port, health) => {
    const server = createServer((_, response) => {
      const { namespace, name, localEndpoints, proxyHealthy } = health();
      response.writeHead(localEndpoints > 0 && proxyHealthy ? 200 : 503, {
        "Content-Type": "application/json",
        "X-Content-Type-Options": "nosniff",
        "X-Load-Balancing-Endpoint-Weight": String(localEndpoints),
      });
      const body = { service: { namespace, name }, localEndpoints, serviceProxyHealthy: proxyHealthy };
      response.end(JSON.stringify(body, undefined, "\t"));
    });
    server.maxConnections = 100;
    await listening(server, port, host);
    return {
      async [Symbol.asyncDispose]() {
        const closed = new Promise<void>((resolve) => server.close(() => resolve()));
        server.closeAllConnections();
        await closed;
      },
    };
  };
}

function listening(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
}
