import { cidrContains, formatIp, parseCidr } from "../../api/index.js";
import { endpointText, servicePortHash, shortHash } from "../netfilter/chain-names.js";
import type { FamilyRuleOptions } from "../netfilter/family-proxy.js";
import { endpointsFor, externallyAccessible, type ProxyEndpoint, type ProxyServicePort } from "../proxy.js";
import type { FamilyWords, SharedSet } from "./base.js";

export interface Element {
  readonly set: string;
  readonly key: string;
  /** Of a map. */
  readonly value?: string;
}

/** What one service port needs. */
export interface RenderedPort {
  readonly elements: readonly Element[];
  /** By name. Most are shared with services that have as many endpoints; those of affinity are its own. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
  /** How they are declared, by name; shared and own as the chains are. */
  readonly sets: ReadonlyMap<string, string>;
}

/**
 * What one service port needs: a few elements of maps, and chains of its own only where clients are to be remembered. A packet's
 * destination leads to the chain for so many endpoints, chance to the map of all services' nth endpoints, and the destination
 * again to the endpoint.
 */
export function renderPort(port: ProxyServicePort, words: FamilyWords, options: FamilyRuleOptions): RenderedPort {
  return new PortRenderer(port, words, options).render();
}

/** Where packets that are not for a cluster IP go, and how they are looked up. */
interface Front {
  readonly key: string;
  readonly verdicts: "service-ips" | "service-nodeports";
  /** Before the names of chains and maps that look up this way. */
  readonly prefix: "" | "nodeport-";
}

class PortRenderer {
  readonly #port: ProxyServicePort;
  readonly #words: FamilyWords;
  readonly #options: FamilyRuleOptions;
  readonly #proto: string;
  readonly #elements: Element[] = [];
  readonly #chains = new Map<string, readonly string[]>();
  readonly #sets = new Map<string, string>();

  constructor(port: ProxyServicePort, words: FamilyWords, options: FamilyRuleOptions) {
    this.#port = port;
    this.#words = words;
    this.#options = options;
    this.#proto = port.protocol.toLowerCase();
  }

  render(): RenderedPort {
    const { clusterEndpoints, localEndpoints } = this.#port;
    for (const { ip } of new Set([...clusterEndpoints, ...localEndpoints])) {
      this.#add("hairpin-connections", `${ip} . ${ip}`);
    }
    if (this.#port.affinitySeconds !== undefined) this.#stickyChains(this.#port.affinitySeconds);
    this.#clusterIP();
    if (externallyAccessible(this.#port)) for (const front of this.#fronts()) this.#external(front);
    this.#firewall();
    return { elements: this.#elements, chains: this.#chains, sets: this.#sets };
  }

  #clusterIP(): void {
    const { clusterIP, port, internalTrafficPolicy } = this.#port;
    const key = this.#key(clusterIP, port);
    this.#add("cluster-ips", clusterIP);
    const endpoints = endpointsFor(this.#port, "internal");
    if (endpoints.length === 0) {
      this.#add("no-endpoint-services", key, this.#refusal(internalTrafficPolicy));
      return;
    }
    const masquerade = this.#clusterMasquerade();
    if (this.#sticky) {
      const name = this.#own("internal");
      const pool = internalTrafficPolicy === "Local" ? "local" : "cluster";
      this.#chains.set(name, [...masquerade, `goto ${this.#own(pool)}`]);
      this.#add("service-ips", key, `goto ${name}`);
      return;
    }
    const pick = this.#pool("", key, endpoints) ?? "";
    const name = `internal-${endpoints.length}`;
    if (masquerade.length > 0) this.#chains.set(name, [...masquerade, `goto ${pick}`]);
    this.#add("service-ips", key, `goto ${masquerade.length > 0 ? name : pick}`);
  }

  /** A client outside the pods' range is masqueraded, so that the answer comes back through this node. */
  #clusterMasquerade(): readonly string[] {
    const { podCidr, masqueradeAll } = this.#options;
    if (masqueradeAll) return ["jump mark-for-masquerade"];
    return podCidr === undefined ? [] : [`${this.#words.family} saddr != ${podCidr} jump mark-for-masquerade`];
  }

  #fronts(): readonly Front[] {
    const { externalIPs, loadBalancerIPs, port, nodePort } = this.#port;
    const fronts = [...new Set([...externalIPs, ...loadBalancerIPs])].map((ip): Front => {
      return { key: this.#key(ip, port), verdicts: "service-ips", prefix: "" };
    });
    if (nodePort === 0) return fronts;
    return [...fronts, { key: `${this.#proto} . ${nodePort}`, verdicts: "service-nodeports", prefix: "nodeport-" }];
  }

  #external(front: Front): void {
    const { externalTrafficPolicy: policy, clusterEndpoints, localEndpoints } = this.#port;
    const { key, verdicts } = front;
    if (endpointsFor(this.#port, "external").length === 0) {
      const refusing = verdicts === "service-ips" ? "no-endpoint-services" : "no-endpoint-nodeports";
      this.#add(refusing, key, this.#refusal(policy));
    }
    if (!this.#reachable) return;
    const to = this.#pools(front);
    const name = this.#sticky
      ? this.#own("external")
      : policy === "Cluster"
        ? `${front.prefix}external-${clusterEndpoints.length}`
        : `${front.prefix}external-${clusterEndpoints.length}-local-${localEndpoints.length}`;
    const rules = policy === "Cluster" ? ["jump mark-for-masquerade", `goto ${to.cluster}`] : this.#localRules(to);
    this.#chains.set(name, rules);
    this.#add(verdicts, key, `goto ${name}`);
  }

  /** Pods and the node itself may go to any endpoint; others to those of this node, as whom they are. */
  #localRules(to: { readonly cluster: string | undefined; readonly local: string | undefined }): readonly string[] {
    const { podCidr } = this.#options;
    const rules: string[] = [];
    if (to.cluster !== undefined) {
      if (podCidr !== undefined) rules.push(`${this.#words.family} saddr ${podCidr} goto ${to.cluster}`);
      rules.push("fib saddr type local jump mark-for-masquerade", `fib saddr type local goto ${to.cluster}`);
    }
    if (to.local !== undefined) rules.push(`goto ${to.local}`);
    return rules;
  }

  /** The chains that choose among all endpoints, and among the node's own; undefined where there are none. */
  #pools({ key, prefix }: Front): {
    readonly cluster: string | undefined;
    readonly local: string | undefined;
  } {
    const { externalTrafficPolicy, clusterEndpoints, localEndpoints } = this.#port;
    const withLocal = externalTrafficPolicy === "Local" && localEndpoints.length > 0;
    if (this.#sticky) {
      return {
        cluster: clusterEndpoints.length > 0 ? this.#own("cluster") : undefined,
        local: withLocal ? this.#own("local") : undefined,
      };
    }
    return {
      cluster: this.#pool(prefix, key, clusterEndpoints),
      local: withLocal ? this.#pool(`${prefix}local-`, key, localEndpoints) : undefined,
    };
  }

  /** The chain that sends to one of so many endpoints of wherever the packet goes. */
  #pool(prefix: string, key: string, endpoints: readonly ProxyEndpoint[]): string | undefined {
    if (endpoints.length === 0) return undefined;
    const { family, address } = this.#words;
    const [where, type] = prefix.startsWith("nodeport-") ? ["", ""] : [`${family} daddr . `, `${address} . `];
    for (const [index, { ip, port }] of endpoints.entries()) {
      const name = `${prefix}endpoints-${index}` as const;
      this.#sets.set(name, `map { type ${type}inet_proto . inet_service : ${address} . inet_service; }`);
      this.#chains.set(name, [`dnat ${family} to ${where}meta l4proto . th dport map @${name}`]);
      this.#add(name, key, `${ip} . ${port}`);
    }
    if (endpoints.length === 1) return `${prefix}endpoints-0`;
    const chain = `${prefix}pick-${endpoints.length}`;
    const choices = endpoints.map((_, index) => `${index} : goto ${prefix}endpoints-${index}`);
    this.#chains.set(chain, [`numgen random mod ${endpoints.length} vmap { ${choices.join(", ")} }`]);
    return chain;
  }

  get #sticky(): boolean {
    return this.#port.affinitySeconds !== undefined;
  }

  /** A chain for each endpoint, which remembers its clients, and one for each way to choose: who is known first, then chance. */
  #stickyChains(seconds: number): void {
    const { clusterEndpoints, localEndpoints } = this.#port;
    const { family, address } = this.#words;
    const chains = new Map<ProxyEndpoint, { readonly chain: string; readonly clients: string }>();
    for (const endpoint of new Set([...clusterEndpoints, ...localEndpoints])) {
      const hash = shortHash(`${servicePortHash(this.#port)} ${endpointText(endpoint)}`).toLowerCase();
      const clients = `affinity-${hash}-${seconds}`;
      this.#sets.set(clients, `set { type ${address}; flags dynamic,timeout; timeout ${seconds}s; }`);
      const chain = `endpoint-${hash}`;
      this.#chains.set(chain, [
        `update @${clients} { ${family} saddr }`,
        `meta l4proto ${this.#proto} dnat to ${endpointText(endpoint)}`,
      ]);
      chains.set(endpoint, { chain, clients });
    }
    for (const [pool, endpoints] of [
      ["cluster", clusterEndpoints],
      ["local", localEndpoints],
    ] as const) {
      if (endpoints.length === 0) continue;
      const known = endpoints.map((endpoint) => {
        const { chain = "", clients = "" } = chains.get(endpoint) ?? {};
        return `${family} saddr @${clients} goto ${chain}`;
      });
      const anew = endpoints.map((endpoint, index) => `${index} : goto ${chains.get(endpoint)?.chain}`);
      this.#chains.set(this.#own(pool), [
        ...known,
        `numgen random mod ${endpoints.length} vmap { ${anew.join(", ")} }`,
      ]);
    }
  }

  #own(kind: "cluster" | "local" | "internal" | "external"): string {
    return `service-${servicePortHash(this.#port).toLowerCase()}-${kind}`;
  }

  #firewall(): void {
    const { loadBalancerIPs, loadBalancerSourceRanges: ranges, port } = this.#port;
    if (ranges.length === 0 || !this.#reachable) return;
    for (const ip of loadBalancerIPs) {
      const key = this.#key(ip, port);
      this.#add("firewall-ips", key);
      for (const range of disjoint(ranges)) this.#add("firewall-allowed", `${range} . ${key}`);
    }
  }

  /** Whether there is anything that traffic from outside, or from pods and this node by way of outside, can go to. */
  get #reachable(): boolean {
    const { externalTrafficPolicy, clusterEndpoints, localEndpoints } = this.#port;
    return clusterEndpoints.length > 0 || (externalTrafficPolicy === "Local" && localEndpoints.length > 0);
  }

  /** Refused where nobody could answer; dropped where another node could, so that a load balancer tries that one. */
  #refusal(policy: "Cluster" | "Local"): string {
    return policy === "Local" && this.#port.hasEndpoints ? "drop" : "goto reject-chain";
  }

  #key(ip: string, port: number): string {
    return `${ip} . ${this.#proto} . ${port}`;
  }

  #add(set: SharedSet | `${string}endpoints-${number}`, key: string, value?: string): void {
    this.#elements.push({ set, key, ...(value === undefined ? {} : { value }) });
  }
}

/** Without those that others contain, and without host bits: the kernel wants no interval twice. */
function disjoint(ranges: readonly string[]): readonly string[] {
  const prefixes = ranges.flatMap((range) => parseCidr(range) ?? []);
  const widest = prefixes.filter(
    (prefix, index) =>
      !prefixes.some((other, at) => {
        if (at === index || !cidrContains(other, { family: prefix.family, value: prefix.first })) return false;
        return other.prefixLength < prefix.prefixLength || (other.prefixLength === prefix.prefixLength && at < index);
      }),
  );
  return widest.map(({ family, first, prefixLength }) => `${formatIp({ family, value: first })}/${prefixLength}`);
}
