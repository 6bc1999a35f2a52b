import { cidrContains, type IpPrefix, parseCidr, parseIp } from "../../api/index.js";
import type { Clock } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import { endpointsFor, type ProxyEndpoint, type ProxyServicePort, servicePortName } from "../proxy.js";
import type { Balancer } from "./balancer.js";

/** One address and port that a service is reached at. */
export interface Claim {
  /** `TCP/127.96.0.10/80` */
  readonly key: string;
  readonly ip: string;
  readonly listenPort: number;
  readonly target: Target;
}

/** Where connections go from there; replaced as a whole when the service changes. */
export interface Target {
  readonly service: string;
  readonly endpoints: readonly ProxyEndpoint[];
  readonly affinitySeconds: number | undefined;
  /** Empty: everybody may. */
  readonly sources: readonly IpPrefix[];
  readonly balancer: Balancer;
}

export interface FrontendContext {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Shared by all frontends of a proxy. */
  readonly slots: Slots;
  readonly connectTimeoutMs: number;
  readonly drainMs: number;
  readonly udpIdleMs: number;
}

export interface Frontend {
  /** What keeps it from listening, in a sentence. */
  readonly problem: string | undefined;
  /** Resolves when it listens, or failed once and goes on trying. */
  open(): Promise<void>;
  update(target: Target): void;
  /** Takes nothing new; what is under way may go on for the drain time. Resolves when all is over. */
  close(): Promise<void>;
  /** Ends everything now. */
  destroy(): Promise<void>;
}

/** A bounded number of things at once. */
export class Slots {
  readonly max: number;
  #used = 0;

  constructor(max: number) {
    this.max = max;
  }

  get used(): number {
    return this.#used;
  }

  take(): boolean {
    if (this.#used >= this.max) return false;
    this.#used++;
    return true;
  }

  give(): void {
    this.#used--;
  }
}

/** Everything a service port is to be reached at. Nothing where there is no endpoint: the kernel then refuses by itself. */
export function claimsOf(
  port: ProxyServicePort,
  nodeAddresses: readonly string[],
  clusterIPs: boolean,
  balancer: Balancer,
): readonly Claim[] {
  const claims = new Map<string, Claim>();
  const claim = (
    ip: string,
    listenPort: number,
    traffic: "internal" | "external",
    sources: readonly string[] = [],
  ): void => {
    const endpoints = endpointsFor(port, traffic);
    const key = `${port.protocol}/${ip}/${listenPort}`;
    if (endpoints.length === 0 || claims.has(key) || parseIp(ip)?.family !== port.family) return;
    const target: Target = {
      service: servicePortName(port),
      endpoints,
      affinitySeconds: port.affinitySeconds,
      sources: sources.flatMap((range) => parseCidr(range) ?? []),
      balancer,
    };
    claims.set(key, { key, ip, listenPort, target });
  };
  if (clusterIPs) {
    claim(port.clusterIP, port.port, "internal");
    for (const ip of port.externalIPs) claim(ip, port.port, "external");
    for (const ip of port.loadBalancerIPs) claim(ip, port.port, "external", port.loadBalancerSourceRanges);
  }
  if (port.nodePort !== 0) for (const ip of nodeAddresses) claim(ip, port.nodePort, "external");
  return [...claims.values()];
}

export function admits(target: Target, source: string): boolean {
  if (target.sources.length === 0) return true;
  const address = parseIp(source);
  return address !== undefined && target.sources.some((range) => cidrContains(range, address));
}

/** The address to connect from, so that an endpoint sees who its client is; undefined where only the kernel's choice works. */
export function sourceToKeep(client: string, endpoint: string): string | undefined {
  return client.startsWith("127.") && client !== "127.0.0.1" && endpoint.startsWith("127.") ? client : undefined;
}
