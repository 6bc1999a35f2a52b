import { type Clock, realClock } from "../../internal/clock.js";
import { type Logger, silentLogger } from "../../internal/logger.js";
import type { ProxyBackend, ProxyServicePort, ServiceTableUpdate } from "../proxy.js";
import { Balancer } from "./balancer.js";
import { type Claim, claimsOf, type Frontend, type FrontendContext, Slots } from "./frontend.js";
import { TcpFrontend } from "./tcp-frontend.js";
import { UdpFrontend } from "./udp-frontend.js";

export interface UserspaceProxyOptions {
  /** Where node ports are served. Default 127.0.0.1. */
  readonly nodeAddresses?: readonly string[] | undefined;
  /**
   * False serves node ports only: when several nodes share the host's loopback device, one of their proxies serves the
   * cluster IPs for all. Default true.
   */
  readonly clusterIPs?: boolean | undefined;
  /** TCP connections and UDP sessions at once, over all services. Default 10,000. */
  readonly maxConnections?: number | undefined;
  /** How long an endpoint may take to accept before the next is tried. Default 5,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long connections of a removed service may go on. Default 30,000. */
  readonly drainMs?: number | undefined;
  /** After how long without packets a UDP session ends. Default 60,000. */
  readonly udpIdleMs?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
}

interface Open {
  readonly owner: string;
  readonly frontend: Frontend;
}

/**
 * Forwards in this process, without any right: it listens on each service's addresses, all of which Linux has when they are in
 * 127.0.0.0/8. Loopback clients keep their source address towards loopback endpoints. A port that somebody else has is a warning
 * and is tried again; it does not keep other services from working.
 */
export class UserspaceProxy implements ProxyBackend {
  readonly name = "userspace";
  readonly #nodeAddresses: readonly string[];
  readonly #clusterIPs: boolean;
  readonly #context: FrontendContext;
  readonly #open = new Map<string, Open>();
  readonly #keysOf = new Map<string, readonly string[]>();
  readonly #balancers = new Map<string, Balancer>();
  readonly #closing = new Map<Frontend, Promise<void>>();
  #conflicts = new Map<string, string>();
  #disposed = false;

  constructor(options: UserspaceProxyOptions = {}) {
    this.#nodeAddresses = options.nodeAddresses ?? ["127.0.0.1"];
    this.#clusterIPs = options.clusterIPs ?? true;
    this.#context = {
      clock: options.clock ?? realClock,
      logger: options.logger ?? silentLogger,
      slots: new Slots(options.maxConnections ?? 10_000),
      connectTimeoutMs: options.connectTimeoutMs ?? 5000,
      drainMs: options.drainMs ?? 30_000,
      udpIdleMs: options.udpIdleMs ?? 60_000,
    };
  }

  /** TCP connections and UDP sessions under way. */
  get connections(): number {
    return this.#context.slots.used;
  }

  /** What is not served at present and why, a sentence each. */
  get problems(): readonly string[] {
    const own = [...this.#open.values()].flatMap(({ frontend }) => frontend.problem ?? []);
    return [...own, ...this.#conflicts.values()];
  }

  async sync({ table, changed }: ServiceTableUpdate): Promise<void> {
    if (this.#disposed) throw new Error("the userspace proxy was disposed");
    // Who gives up an address that two services want may be neither that changed.
    const look = changed === undefined || this.#conflicts.size > 0 ? this.#everything(table.ports) : changed;
    this.#conflicts = new Map();
    const claims: { readonly owner: string; readonly claim: Claim }[] = [];
    for (const id of look) {
      const port = table.ports.get(id);
      const wanted = port === undefined ? [] : this.#claims(id, port);
      if (port === undefined) this.#balancers.delete(id);
      const keys = new Set(wanted.map(({ key }) => key));
      for (const key of this.#keysOf.get(id) ?? []) if (!keys.has(key)) this.#close(key);
      this.#keysOf.delete(id);
      for (const claim of wanted) claims.push({ owner: id, claim });
    }
    await Promise.all(claims.map(({ owner, claim }) => this.#take(owner, claim)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    const frontends = [...[...this.#open.values()].map(({ frontend }) => frontend), ...this.#closing.keys()];
    this.#open.clear();
    this.#keysOf.clear();
    await Promise.all(frontends.map((frontend) => frontend.destroy()));
  }

  #everything(ports: ReadonlyMap<string, ProxyServicePort>): readonly string[] {
    return [...new Set([...this.#keysOf.keys(), ...ports.keys()])].sort();
  }

  #claims(id: string, port: ProxyServicePort): readonly Claim[] {
    if (port.protocol === "SCTP") {
      this.#context.logger.warn("the userspace proxy cannot forward SCTP", { port: id });
      return [];
    }
    const balancer = this.#balancers.get(id) ?? new Balancer(this.#context.clock);
    this.#balancers.set(id, balancer);
    return claimsOf(port, this.#nodeAddresses, this.#clusterIPs, balancer);
  }

  async #take(owner: string, claim: Claim): Promise<void> {
    const { key, target } = claim;
    const known = this.#open.get(key);
    if (known !== undefined && known.owner !== owner) {
      const problem = `${key} is wanted by ${target.service}, but another service has it`;
      this.#conflicts.set(`${owner}\n${key}`, problem);
      this.#context.logger.warn("two services want one address", { problem });
      return;
    }
    this.#keysOf.set(owner, [...(this.#keysOf.get(owner) ?? []), key]);
    if (known !== undefined) {
      known.frontend.update(target);
      return;
    }
    const frontend = key.startsWith("UDP/")
      ? new UdpFrontend(claim, this.#context)
      : new TcpFrontend(claim, this.#context);
    this.#open.set(key, { owner, frontend });
    await frontend.open();
  }

  #close(key: string): void {
    const frontend = this.#open.get(key)?.frontend;
    this.#open.delete(key);
    if (frontend === undefined) return;
    this.#closing.set(
      frontend,
      frontend.close().finally(() => this.#closing.delete(frontend)),
    );
  }
}
