import { type Clock, type ClockTimer, realClock } from "../../internal/clock.js";
import { type Logger, silentLogger } from "../../internal/logger.js";
import { ConntrackTimeouts } from "../conntrack-timeouts.js";
import { type Exec, hostExec } from "../exec.js";
import type { ProxyBackend, ProxyServicePort, ServiceTableUpdate } from "../proxy.js";
import { membersOf, type SetMember } from "./ip-sets.js";
import { IpvsHost } from "./ipvs-host.js";
import type { IpvsProxyOptions } from "./ipvs-options.js";
import { finishedServers, type VirtualServers, virtualServersOf } from "./virtual-servers.js";

interface Wanted {
  readonly port: ProxyServicePort;
  readonly servers: VirtualServers;
  readonly members: ReadonlySet<SetMember>;
}

/**
 * Forwards by the kernel's IPVS, for IPv4: a virtual server for each address of a service, ipsets and a fixed number of iptables rules
 * for what IPVS cannot do. Needs root, and has the IPVS table of its network namespace to itself. Endpoints that are removed take no
 * new TCP connections and finish those they have.
 */
export class IpvsProxy implements ProxyBackend {
  readonly name = "ipvs";
  readonly #options: IpvsProxyOptions;
  readonly #host: IpvsHost;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #wanted = new Map<string, Wanted>();
  #nodeAddresses: readonly string[] = [];
  #known = false;
  readonly #timeouts: ConntrackTimeouts;
  #disposed = false;
  #drain: ClockTimer | undefined;
  /** Draining and syncing both edit servers: one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: IpvsProxyOptions = {}) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#logger = options.logger ?? silentLogger;
    const exec: Exec = options.exec ?? hostExec();
    this.#host = new IpvsHost(exec, this.#logger, options);
    this.#timeouts = new ConntrackTimeouts(exec, this.#logger);
  }

  sync(update: ServiceTableUpdate, signal?: AbortSignal): Promise<void> {
    if (this.#disposed) return Promise.reject(new Error("the IPVS proxy was disposed"));
    return this.#exclusively(() => this.#sync(update, signal));
  }

  check(signal?: AbortSignal): Promise<boolean> {
    return this.#exclusively(async () => !this.#known || this.#host.intact(signal));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#drain?.cancel();
    await this.#exclusively(async () => {
      await this.#host.clean();
      await this.#timeouts.release();
    });
  }

  async #sync({ table, changed }: ServiceTableUpdate, signal?: AbortSignal): Promise<void> {
    const all = changed === undefined || !this.#known;
    if (all) this.#nodeAddresses = await this.#host.read(signal);
    const next = new Map(all ? [] : this.#wanted);
    const servers = new Set<string>();
    for (const id of all ? table.ports.keys() : changed) {
      const port = table.ports.get(id);
      for (const key of this.#wanted.get(id)?.servers.keys() ?? []) servers.add(key);
      next.delete(id);
      if (port === undefined || port.family !== 4) continue;
      const wanted = this.#want(port);
      next.set(id, wanted);
      for (const key of wanted.servers.keys()) servers.add(key);
    }
    const gone = this.#goneUdp(table.ports, changed);
    this.#known = false;
    await this.#host.apply(next.values(), all ? undefined : servers, signal);
    await this.#host.endStaleFlows(
      [...next.values()].map(({ port }) => port).filter((port) => changed === undefined || changed.has(port.id)),
      gone,
      signal,
    );
    if (all) await this.#timeouts.hold(signal);
    this.#wanted = next;
    this.#known = true;
    this.#drainLater();
  }

  #want(port: ProxyServicePort): Wanted {
    const scheduler = this.#options.scheduler ?? "rr";
    return {
      port,
      servers: virtualServersOf(port, this.#nodeAddresses, scheduler),
      members: membersOf(port, this.#nodeAddresses),
    };
  }

  #goneUdp(
    ports: ReadonlyMap<string, ProxyServicePort>,
    changed: ReadonlySet<string> | undefined,
  ): readonly ProxyServicePort[] {
    const gone: ProxyServicePort[] = [];
    for (const id of changed ?? this.#wanted.keys()) {
      const old = this.#wanted.get(id)?.port;
      if (old !== undefined && old !== ports.get(id)) gone.push(old);
    }
    return gone;
  }

  #drainLater(): void {
    if (this.#drain !== undefined || this.#disposed || !this.#host.draining) return;
    this.#drain = this.#clock.setTimeout(() => {
      this.#drain = undefined;
      void this.#exclusively(() => this.#removeFinished())
        .catch((error: unknown) => this.#logger.warn("drained endpoints could not be removed", { error }))
        .finally(() => this.#drainLater());
    }, this.#options.drainPeriodMs ?? 15_000);
  }

  async #removeFinished(): Promise<void> {
    if (this.#disposed || !this.#known) return;
    await this.#host.removeReal(finishedServers(await this.#host.listing()));
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work, work);
    this.#last = result.catch(() => {});
    return result;
  }
}
