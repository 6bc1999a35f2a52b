import { endpointsFor, type ProxyProtocol, type ProxyServicePort } from "../proxy.js";

/** One address and port that IPVS forwards. */
export interface VirtualServer {
  readonly protocol: ProxyProtocol;
  readonly ip: string;
  readonly port: number;
  readonly scheduler: string;
  /** Seconds; 0: none. */
  readonly persistence: number;
  /** Weights by `ip:port`, `[ip]:port` of IPv6. */
  readonly real: ReadonlyMap<string, number>;
}

/** By `-t 10.96.0.10:80`: as ipvsadm calls it. */
export type VirtualServers = Map<string, VirtualServer>;

const flags: Readonly<Record<ProxyProtocol, string>> = { TCP: "-t", UDP: "-u", SCTP: "--sctp-service" };

export function serverKey(protocol: ProxyProtocol, ip: string, port: number): string {
  return `${flags[protocol]} ${socketText(ip, port)}`;
}

function socketText(ip: string, port: number): string {
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}

/** What one service port is served at. `nodeAddresses` are for node ports. */
export function virtualServersOf(
  service: ProxyServicePort,
  nodeAddresses: readonly string[],
  scheduler: string,
): VirtualServers {
  const result: VirtualServers = new Map();
  const { protocol } = service;
  const add = (ip: string, port: number, traffic: "internal" | "external"): void => {
    const real = new Map(endpointsFor(service, traffic).map((one) => [socketText(one.ip, one.port), 1]));
    const persistence = service.affinitySeconds ?? 0;
    const key = serverKey(protocol, ip, port);
    if (!result.has(key)) result.set(key, { protocol, ip, port, scheduler, persistence, real });
  };
  // One without endpoints refuses by itself.
  add(service.clusterIP, service.port, "internal");
  for (const ip of [...service.externalIPs, ...service.loadBalancerIPs]) add(ip, service.port, "external");
  if (service.nodePort !== 0) for (const ip of nodeAddresses) add(ip, service.nodePort, "external");
  return result;
}

/** Reads `ipvsadm -Sn` for the servers of a family. */
export function parseServers(text: string, family: 4 | 6 = 4): VirtualServers {
  const result: VirtualServers = new Map();
  for (const line of text.split("\n")) {
    const words = line.trim().split(/\s+/);
    const after = (flag: string): string | undefined => {
      const at = words.indexOf(flag);
      return at < 0 ? undefined : words[at + 1];
    };
    const found = (["TCP", "UDP", "SCTP"] as const).find((one) => words.includes(flags[one]));
    const address = found && after(flags[found]);
    if (found === undefined || address?.startsWith("[") !== (family === 6)) continue;
    const key = `${flags[found]} ${address}`;
    const colon = address.lastIndexOf(":");
    if (words[0] === "-A") {
      result.set(key, {
        protocol: found,
        ip: address.slice(0, colon).replace(/[[\]]/g, ""),
        port: Number(address.slice(colon + 1)),
        scheduler: after("-s") ?? "",
        persistence: Number(after("-p") ?? 0),
        real: new Map(),
      });
    }
    const server = result.get(key);
    const real = after("-r");
    if (words[0] === "-a" && server !== undefined && real !== undefined) {
      result.set(key, { ...server, real: new Map([...server.real, [real, Number(after("-w") ?? 1)]]) });
    }
  }
  return result;
}

export interface ServerDifference {
  /** Input for `ipvsadm -R`. */
  readonly lines: readonly string[];
  /** What the kernel has afterwards. */
  readonly after: VirtualServers;
}

/**
 * How to get from what the kernel has to what is wanted, for the servers with these keys. Real servers of TCP that are no longer
 * wanted get weight 0, so that their connections may finish; those of UDP have none.
 */
export function difference(has: VirtualServers, wants: VirtualServers, keys: Iterable<string>): ServerDifference {
  const lines: string[] = [];
  const after: VirtualServers = new Map(has);
  for (const key of keys) {
    const old = has.get(key);
    const want = wants.get(key);
    if (want === undefined) {
      if (old !== undefined) lines.push(`-D ${key}`);
      after.delete(key);
      continue;
    }
    const options = `-s ${want.scheduler}${want.persistence > 0 ? ` -p ${want.persistence}` : ""}`;
    if (old === undefined) lines.push(`-A ${key} ${options}`);
    else if (old.scheduler !== want.scheduler || old.persistence !== want.persistence)
      lines.push(`-E ${key} ${options}`);
    const real = new Map(want.real);
    for (const [address, weight] of want.real) {
      const known = old?.real.get(address);
      if (known === weight) continue;
      lines.push(`${known === undefined ? "-a" : "-e"} ${key} -r ${address} -m -w ${weight}`);
    }
    for (const [address, weight] of old?.real ?? []) {
      if (real.has(address)) continue;
      if (want.protocol === "UDP") lines.push(`-d ${key} -r ${address}`);
      else {
        if (weight !== 0) lines.push(`-e ${key} -r ${address} -m -w 0`);
        real.set(address, 0);
      }
    }
    after.set(key, { ...want, real });
  }
  return { lines, after };
}

export function sameServers(a: VirtualServers, b: VirtualServers): boolean {
  if (a.size !== b.size) return false;
  for (const [key, one] of a) {
    const other = b.get(key);
    if (other === undefined || other.scheduler !== one.scheduler || other.persistence !== one.persistence) return false;
    if (other.real.size !== one.real.size) return false;
    for (const [address, weight] of one.real) if (other.real.get(address) !== weight) return false;
  }
  return true;
}

/** Reads `ipvsadm -Ln` for real servers of weight 0 that have no connection left: lines for `ipvsadm -R` that remove them. */
export function finishedServers(listing: string): readonly { readonly key: string; readonly real: string }[] {
  const result: { readonly key: string; readonly real: string }[] = [];
  let key: string | undefined;
  for (const line of listing.split("\n")) {
    const server = /^(TCP|UDP|SCTP)\s+(\S+)/.exec(line);
    if (server !== null) {
      const protocol = server[1] === "UDP" ? "UDP" : server[1] === "SCTP" ? "SCTP" : "TCP";
      key = `${flags[protocol]} ${server[2]}`;
    }
    const real = /^\s+->\s+(\S+)\s+Masq\s+0\s+0\s+0\s*$/.exec(line)?.[1];
    if (key !== undefined && real !== undefined) result.push({ key, real });
  }
  return result;
}
