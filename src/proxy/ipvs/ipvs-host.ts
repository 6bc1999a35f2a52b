import { parseCidr, parseIp } from "../../api/index.js";
import type { Logger } from "../../internal/logger.js";
import { ConntrackCleaner } from "../conntrack.js";
import type { Exec } from "../exec.js";
import { IptablesTools } from "../netfilter/iptables-tools.js";
import { ownsChain } from "../netfilter/owned-chains.js";
import { must } from "../netfilter/run.js";
import { addJumps, hasAllJumps, parseSaved, removeOwned } from "../netfilter/saved-rules.js";
import { renderEdits, TableEdit } from "../netfilter/table-edit.js";
import { ProxyError, type ProxyServicePort } from "../proxy.js";
import { createLines, memberLines, parseMembers, parseSetNames, type SetMember } from "./ip-sets.js";
import type { IpvsProxyOptions } from "./ipvs-options.js";
import { ipvsChains, ipvsJumps, type RuleOptions } from "./ipvs-rules.js";
import { VirtualAddresses } from "./virtual-addresses.js";
import { difference, parseServers, sameServers, type VirtualServers } from "./virtual-servers.js";

interface Wanted {
  readonly port: ProxyServicePort;
  readonly servers: VirtualServers;
  readonly members: ReadonlySet<SetMember>;
}

const tables = ["filter", "nat"] as const;

/** What a host has of IPVS, sets, addresses and rules, and the programs that change it. */
export class IpvsHost {
  readonly #exec: Exec;
  readonly #iptables: IptablesTools;
  readonly #addresses: VirtualAddresses;
  readonly #conntrack: ConntrackCleaner;
  readonly #rules: RuleOptions;
  readonly #family: 4 | 6;
  #servers: VirtualServers = new Map();
  #members: ReadonlySet<SetMember> = new Set();
  #held: ReadonlySet<string> = new Set();
  /** Undefined: they do not matter. */
  #nodeAddresses: ReadonlySet<string> | undefined;
  readonly #fixedAddresses: readonly string[] | undefined;

  constructor(family: 4 | 6, exec: Exec, logger: Logger, options: IpvsProxyOptions) {
    this.#family = family;
    this.#exec = exec;
    this.#iptables = new IptablesTools(exec, family, options.variant ?? "iptables");
    this.#addresses = new VirtualAddresses(exec, family);
    this.#conntrack = new ConntrackCleaner(exec, logger);
    this.#fixedAddresses = options.nodeAddresses?.filter((address) => parseIp(address)?.family === family);
    this.#rules = {
      family,
      clusterCidr: options.clusterCidr?.split(",").find((cidr) => parseCidr(cidr)?.family === family),
      masqueradeAll: options.masqueradeAll ?? false,
      mark: options.masqueradeMark ?? "0x4000",
    };
  }

  /** Whether a real server of weight 0 is there. */
  get draining(): boolean {
    for (const { real } of this.#servers.values()) for (const weight of real.values()) if (weight === 0) return true;
    return false;
  }

  /** Finds out what is there, and makes the ground on which services stand. Gives the addresses for node ports. */
  async read(signal?: AbortSignal): Promise<readonly string[]> {
    this.#servers = parseServers(await this.#ipvsadm(["-Sn"], undefined, signal), this.#family);
    // Without conntrack nothing that IPVS forwards can be masqueraded; the others end what leads to removed endpoints. Whether the node
    // forwards IPv6 is left to whoever set it up: it would no longer heed routers' advertisements.
    await must(
      this.#exec,
      "sysctl",
      [
        "-qw",
        "net.ipv4.vs.conntrack=1",
        "net.ipv4.vs.expire_nodest_conn=1",
        "net.ipv4.vs.expire_quiescent_template=1",
        ...(this.#family === 4 ? ["net.ipv4.ip_forward=1"] : []),
      ],
      { signal },
    );
    await this.#addresses.ensureDevice(signal);
    const { held, node } = await this.#addresses.list(signal);
    this.#held = held;
    this.#nodeAddresses = this.#fixedAddresses === undefined ? node : undefined;
    await this.#ipset(createLines(this.#family), signal);
    this.#members = parseMembers(await must(this.#exec, "ipset", ["save"], { signal }), this.#family);
    await this.#writeRules(signal);
    return this.#fixedAddresses ?? [...node];
  }

  /** `changed`: the servers to look at; undefined: all. */
  async apply(wanted: Iterable<Wanted>, changed: ReadonlySet<string> | undefined, signal?: AbortSignal): Promise<void> {
    const servers: VirtualServers = new Map();
    const members = new Set<SetMember>();
    const addresses = new Set<string>();
    for (const one of wanted) {
      for (const [key, server] of one.servers) if (!servers.has(key)) servers.set(key, server);
      for (const member of one.members) members.add(member);
      for (const ip of [one.port.clusterIP, ...one.port.externalIPs, ...one.port.loadBalancerIPs]) addresses.add(ip);
    }
    // An address is served as soon as it is there, so it comes last and goes first.
    const stale = [...this.#held].filter((ip) => !addresses.has(ip));
    await this.#addresses.change([], stale, signal);
    await this.#ipset(memberLines(this.#members, members, this.#family), signal);
    this.#members = members;
    const keys = changed ?? new Set([...this.#servers.keys(), ...servers.keys()]);
    const { lines, after } = difference(this.#servers, servers, keys);
    if (lines.length > 0) await this.#ipvsadm(["-R"], `${lines.join("\n")}\n`, signal);
    this.#servers = after;
    const added = [...addresses].filter((ip) => !this.#held.has(ip));
    await this.#addresses.change(added, [], signal);
    this.#held = addresses;
  }

  /** Whether the host still has what was applied, and the addresses that it was made for. */
  async intact(signal?: AbortSignal): Promise<boolean> {
    const servers = parseServers(await this.#ipvsadm(["-Sn"], undefined, signal), this.#family);
    if (!sameServers(this.#servers, servers)) return false;
    const { held, node } = await this.#addresses.list(signal);
    if ([...this.#held].some((ip) => !held.has(ip))) return false;
    const known = this.#nodeAddresses;
    if (known !== undefined && (known.size !== node.size || [...node].some((ip) => !known.has(ip)))) return false;
    const members = parseMembers(await must(this.#exec, "ipset", ["save"], { signal }), this.#family);
    if (memberLines(members, this.#members, this.#family).length > 0) return false;
    for (const table of tables) {
      const saved = parseSaved(table, await this.#iptables.save(table, signal));
      const chains = ipvsChains(this.#rules).filter((chain) => chain.table === table);
      const rules = chains.reduce((sum, chain) => sum + chain.rules.length, 0);
      if (saved.ownRules !== rules || !hasAllJumps(saved, ipvsJumps)) return false;
    }
    return true;
  }

  async endStaleFlows(
    ports: readonly ProxyServicePort[],
    gone: readonly ProxyServicePort[],
    signal?: AbortSignal,
  ): Promise<void> {
    const udp = (port: ProxyServicePort): boolean => port.protocol === "UDP";
    if (ports.some(udp) || gone.some(udp)) await this.#conntrack.clean(ports, gone, signal);
  }

  listing(): Promise<string> {
    return this.#ipvsadm(["-Ln"], undefined, undefined);
  }

  async removeReal(finished: readonly { readonly key: string; readonly real: string }[]): Promise<void> {
    const lines: string[] = [];
    for (const { key, real } of finished) {
      const server = this.#servers.get(key);
      if (server?.real.get(real) !== 0) continue;
      lines.push(`-d ${key} -r ${real}`);
      const left = new Map(server.real);
      left.delete(real);
      this.#servers.set(key, { ...server, real: left });
    }
    if (lines.length > 0) await this.#ipvsadm(["-R"], `${lines.join("\n")}\n`, undefined);
  }

  /** Removes all of it, as far as it is there. */
  async clean(): Promise<void> {
    await this.#addresses.remove();
    await this.#exec("ipvsadm", ["-C"]);
    const edits: TableEdit[] = [];
    for (const table of tables) {
      const edit = new TableEdit(table);
      removeOwned(edit, parseSaved(table, await this.#iptables.save(table)));
      edits.push(edit);
    }
    for (const input of renderEdits([edits])) await this.#iptables.restore(input);
    const { code, stdout } = await this.#exec("ipset", ["list", "-n"]);
    const lines = code === 0 ? parseSetNames(stdout, this.#family).map((name) => `destroy ${name}`) : [];
    await this.#ipset(lines, undefined);
    this.#servers = new Map();
    this.#members = new Set();
    this.#held = new Set();
  }

  async #writeRules(signal: AbortSignal | undefined): Promise<void> {
    const edits: TableEdit[] = [];
    const wanted = ipvsChains(this.#rules);
    for (const table of tables) {
      const edit = new TableEdit(table);
      const saved = parseSaved(table, await this.#iptables.save(table, signal));
      const chains = wanted.filter((chain) => chain.table === table);
      for (const { chain, rules } of chains) edit.write(chain, rules);
      for (const chain of saved.chains) if (ownsChain(table, chain)) edit.remove(chain);
      addJumps(edit, saved, ipvsJumps);
      edits.push(edit);
    }
    for (const input of renderEdits([edits])) await this.#iptables.restore(input, signal);
  }

  async #ipset(lines: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    if (lines.length > 0)
      await must(this.#exec, "ipset", ["restore", "-exist"], { stdin: `${lines.join("\n")}\n`, signal });
  }

  async #ipvsadm(args: readonly string[], stdin: string | undefined, signal: AbortSignal | undefined): Promise<string> {
    try {
      return await must(this.#exec, "ipvsadm", args, { stdin, signal });
    } catch (error) {
      const missing = error instanceof ProxyError && /Protocol not available|initialize ipvs/.test(error.message);
      if (missing) throw new ProxyError("unsupported", "this kernel has no IPVS (module ip_vs)", { cause: error });
      throw error;
    }
  }
}
