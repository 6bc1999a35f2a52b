import type { Logger } from "../../internal/logger.js";
import type { Exec } from "../exec.js";
import type { FamilyRules } from "../netfilter/family-proxy.js";
import type { ProxyServicePort, ServiceTableUpdate } from "../proxy.js";
import { membersOf, type SetMember } from "./ip-sets.js";
import { IpvsHost } from "./ipvs-host.js";
import type { IpvsProxyOptions } from "./ipvs-options.js";
import { finishedServers, type VirtualServers, virtualServersOf } from "./virtual-servers.js";

interface Wanted {
  readonly port: ProxyServicePort;
  readonly servers: VirtualServers;
  readonly members: ReadonlySet<SetMember>;
}

/** What IPVS is to do in one address family. Calls must not overlap. */
export class IpvsFamily implements FamilyRules {
  readonly #family: 4 | 6;
  readonly #options: IpvsProxyOptions;
  readonly #host: IpvsHost;
  #wanted = new Map<string, Wanted>();
  #nodeAddresses: readonly string[] = [];
  #known = false;

  constructor(family: 4 | 6, exec: Exec, logger: Logger, options: IpvsProxyOptions) {
    this.#family = family;
    this.#options = options;
    this.#host = new IpvsHost(family, exec, logger, options);
  }

  /** Whether an endpoint that takes no new connections is still there. */
  get draining(): boolean {
    return this.#host.draining;
  }

  async check(signal?: AbortSignal): Promise<boolean> {
    return !this.#known || this.#host.intact(signal);
  }

  clean(): Promise<void> {
    return this.#host.clean();
  }

  /** Takes out the endpoints that have no connections left. */
  async removeFinished(): Promise<void> {
    if (this.#known) await this.#host.removeReal(finishedServers(await this.#host.listing()));
  }

  async sync({ table, changed }: ServiceTableUpdate, signal?: AbortSignal): Promise<void> {
    const all = changed === undefined || !this.#known;
    if (all) this.#nodeAddresses = await this.#host.read(signal);
    const next = new Map(all ? [] : this.#wanted);
    const servers = new Set<string>();
    for (const id of all ? table.ports.keys() : changed) {
      const port = table.ports.get(id);
      for (const key of this.#wanted.get(id)?.servers.keys() ?? []) servers.add(key);
      next.delete(id);
      if (port === undefined || port.family !== this.#family) continue;
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
    this.#wanted = next;
    this.#known = true;
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
}
