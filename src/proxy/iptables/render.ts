import { endpointChain, endpointText, serviceChain, servicePortHash } from "../netfilter/chain-names.js";
import type { FamilyRuleOptions } from "../netfilter/family-proxy.js";
import { externallyAccessible, type ProxyEndpoint, type ProxyServicePort, servicePortName } from "../proxy.js";
import type { SharedChain } from "./base-chains.js";

/** The rules of one service port, without `-A CHAIN`. */
export interface RenderedPort {
  /** What it adds to chains shared by all; order among services does not matter. */
  readonly shared: readonly { readonly chain: SharedChain; readonly rule: string }[];
  /** Its own chains, all in the nat table. A chain is behind those that it refers to. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
}

/** What one service port needs, in kube-proxy's architecture of chains. */
export function renderPort(port: ProxyServicePort, options: FamilyRuleOptions): RenderedPort {
  return new PortRenderer(port, options).render();
}

class PortRenderer {
  readonly #port: ProxyServicePort;
  readonly #options: FamilyRuleOptions;
  readonly #name: string;
  readonly #proto: string;
  readonly #hash: string;
  readonly #shared: { readonly chain: SharedChain; readonly rule: string }[] = [];
  readonly #chains = new Map<string, readonly string[]>();

  constructor(port: ProxyServicePort, options: FamilyRuleOptions) {
    this.#port = port;
    this.#options = options;
    this.#name = servicePortName(port);
    this.#proto = port.protocol.toLowerCase();
    this.#hash = servicePortHash(port);
  }

  render(): RenderedPort {
    const { clusterEndpoints, localEndpoints } = this.#port;
    for (const endpoint of new Set([...clusterEndpoints, ...localEndpoints])) this.#endpointChain(endpoint);
    this.#policyChains();
    if (externallyAccessible(this.#port) && this.#externalEndpoints().length > 0) this.#externalChain();
    this.#clusterIP();
    this.#external();
    return { shared: this.#shared, chains: this.#chains };
  }

  #internalEndpoints(): readonly ProxyEndpoint[] {
    const { internalTrafficPolicy, localEndpoints, clusterEndpoints } = this.#port;
    return internalTrafficPolicy === "Local" ? localEndpoints : clusterEndpoints;
  }

  #externalEndpoints(): readonly ProxyEndpoint[] {
    const { externalTrafficPolicy, localEndpoints, clusterEndpoints, hasEndpoints } = this.#port;
    if (externalTrafficPolicy === "Cluster") return clusterEndpoints;
    // Pods and the node itself may go to any endpoint, so that the chain is needed even without a local one.
    if (!hasEndpoints) return [];
    return localEndpoints.length > 0 ? localEndpoints : clusterEndpoints;
  }

  #chain(kind: "SVC" | "SVL" | "EXT" | "FW"): string {
    return serviceChain(kind, this.#hash);
  }

  #endpointChain(endpoint: ProxyEndpoint): void {
    const chain = endpointChain(this.#port, endpoint);
    const remember = this.#port.affinitySeconds === undefined ? "" : `-m recent --name ${chain} --set `;
    const comment = this.#comment(this.#name);
    this.#chains.set(chain, [
      // An endpoint that is its own client would otherwise answer itself past the translation.
      `${comment} -s ${endpoint.ip} -j KUBE-MARK-MASQ`,
      `${comment} ${remember}-m ${this.#proto} -p ${this.#proto} -j DNAT --to-destination ${endpointText(endpoint)}`,
    ]);
  }

  #policyChains(): void {
    const { clusterEndpoints, localEndpoints, internalTrafficPolicy } = this.#port;
    const svc = [...this.#toEndpoints(clusterEndpoints)];
    const svl = [...this.#toEndpoints(localEndpoints)];
    const masquerade = this.#clusterMasquerade();
    if (masquerade !== undefined) (internalTrafficPolicy === "Local" ? svl : svc).unshift(masquerade);
    if (clusterEndpoints.length > 0) this.#chains.set(this.#chain("SVC"), svc);
    if (localEndpoints.length > 0) this.#chains.set(this.#chain("SVL"), svl);
  }

  /** A client outside the pods' range is masqueraded, so that the answer comes back through this node. */
  #clusterMasquerade(): string | undefined {
    const { podCidr, masqueradeAll } = this.#options;
    if (!masqueradeAll && podCidr === undefined) return undefined;
    const who = masqueradeAll ? "" : `! -s ${podCidr} `;
    return `${this.#match("cluster IP", this.#port.clusterIP, this.#port.port)} ${who}-j KUBE-MARK-MASQ`;
  }

  #toEndpoints(endpoints: readonly ProxyEndpoint[]): readonly string[] {
    const { affinitySeconds } = this.#port;
    const rules: string[] = [];
    const comment = (endpoint: ProxyEndpoint): string => this.#comment(`${this.#name} -> ${endpointText(endpoint)}`);
    if (affinitySeconds !== undefined) {
      for (const endpoint of endpoints) {
        const chain = endpointChain(this.#port, endpoint);
        rules.push(
          `${comment(endpoint)} -m recent --name ${chain} --rcheck --seconds ${affinitySeconds} --reap -j ${chain}`,
        );
      }
    }
    for (const [index, endpoint] of endpoints.entries()) {
      // Each rule takes its share of what those before it let through; the last takes the rest.
      const left = endpoints.length - index;
      const share = left > 1 ? ` -m statistic --mode random --probability ${(1 / left).toFixed(10)}` : "";
      rules.push(`${comment(endpoint)}${share} -j ${endpointChain(this.#port, endpoint)}`);
    }
    return rules;
  }

  /** Where traffic from outside goes, whichever address brought it. */
  #externalChain(): void {
    const { externalTrafficPolicy, localEndpoints, clusterEndpoints } = this.#port;
    const what = `${this.#name} external destinations`;
    const rules: string[] = [];
    if (externalTrafficPolicy === "Cluster") {
      rules.push(`${this.#comment(`masquerade traffic for ${what}`)} -j KUBE-MARK-MASQ`);
      if (clusterEndpoints.length > 0) rules.push(`-j ${this.#chain("SVC")}`);
    } else {
      if (clusterEndpoints.length > 0) {
        const { podCidr } = this.#options;
        const svc = this.#chain("SVC");
        if (podCidr !== undefined) rules.push(`${this.#comment(`pod traffic for ${what}`)} -s ${podCidr} -j ${svc}`);
        const own = "-m addrtype --src-type LOCAL";
        rules.push(`${this.#comment(`masquerade LOCAL traffic for ${what}`)} ${own} -j KUBE-MARK-MASQ`);
        rules.push(`${this.#comment(`route LOCAL traffic for ${what}`)} ${own} -j ${svc}`);
      }
      if (localEndpoints.length > 0) rules.push(`-j ${this.#chain("SVL")}`);
    }
    this.#chains.set(this.#chain("EXT"), rules);
  }

  #clusterIP(): void {
    const { clusterIP, port, internalTrafficPolicy } = this.#port;
    if (this.#internalEndpoints().length > 0) {
      const to = this.#chain(internalTrafficPolicy === "Local" ? "SVL" : "SVC");
      this.#add("nat KUBE-SERVICES", `${this.#match("cluster IP", clusterIP, port)} -j ${to}`);
    } else this.#add("filter KUBE-SERVICES", this.#refusal(internalTrafficPolicy, `-d ${clusterIP} `, port));
  }

  #external(): void {
    const { externalIPs, loadBalancerIPs, port, nodePort, healthCheckNodePort } = this.#port;
    for (const ip of externalIPs) this.#externalAddress("external IP", ip, port, this.#chain("EXT"));
    if (loadBalancerIPs.length > 0) this.#loadBalancer();
    if (nodePort !== 0) {
      const { externalTrafficPolicy: policy } = this.#port;
      if (this.#externalEndpoints().length > 0)
        this.#add("nat KUBE-NODEPORTS", `${this.#match("", undefined, nodePort)} -j ${this.#chain("EXT")}`);
      if (this.#refusesExternal())
        this.#add("filter KUBE-EXTERNAL-SERVICES", this.#refusal(policy, "-m addrtype --dst-type LOCAL ", nodePort));
    }
    if (healthCheckNodePort !== 0) {
      const comment = this.#comment(`${this.#name} health check node port`);
      this.#add("filter KUBE-NODEPORTS", `${comment} -m tcp -p tcp --dport ${healthCheckNodePort} -j ACCEPT`);
    }
  }

  #loadBalancer(): void {
    const { loadBalancerIPs, loadBalancerSourceRanges: ranges, port } = this.#port;
    const restricted = ranges.length > 0 && this.#externalEndpoints().length > 0;
    const to = this.#chain(restricted ? "FW" : "EXT");
    for (const ip of loadBalancerIPs) {
      this.#externalAddress("loadbalancer IP", ip, port, to);
      if (!restricted) continue;
      const comment = this.#comment(`${this.#name} traffic not accepted by ${to}`);
      this.#add("filter KUBE-PROXY-FIREWALL", `${comment} ${this.#to(ip, port)} -j DROP`);
    }
    if (!restricted) return;
    const comment = this.#comment(`${this.#name} loadbalancer IP`);
    const rules = ranges.map((range) => `${comment} -s ${range} -j ${this.#chain("EXT")}`);
    rules.push(this.#comment(`other traffic to ${this.#name} will be dropped by KUBE-PROXY-FIREWALL`));
    this.#chains.set(to, rules);
  }

  #externalAddress(what: string, ip: string, port: number, to: string): void {
    if (this.#externalEndpoints().length > 0) this.#add("nat KUBE-SERVICES", `${this.#match(what, ip, port)} -j ${to}`);
    if (this.#refusesExternal())
      this.#add("filter KUBE-EXTERNAL-SERVICES", this.#refusal(this.#port.externalTrafficPolicy, `-d ${ip} `, port));
  }

  #refusesExternal(): boolean {
    const { externalTrafficPolicy, localEndpoints, clusterEndpoints } = this.#port;
    return (externalTrafficPolicy === "Local" ? localEndpoints : clusterEndpoints).length === 0;
  }

  /** Refused where nobody could answer; dropped where another node could, so that a load balancer tries that one. */
  #refusal(policy: "Cluster" | "Local", where: string, port: number): string {
    const elsewhere = policy === "Local" && this.#port.hasEndpoints;
    const comment = this.#comment(`${this.#name} has no ${elsewhere ? "local " : ""}endpoints`);
    const packets = `${where}-m ${this.#proto} -p ${this.#proto} --dport ${port}`;
    // The kernel tells a client on the node itself of an ICMPv6 error only when its packet is sent again, a second later.
    const reset = this.#port.family === 6 && this.#proto === "tcp" ? " --reject-with tcp-reset" : "";
    return `${comment} ${packets} -j ${elsewhere ? "DROP" : `REJECT${reset}`}`;
  }

  #match(what: string, ip: string | undefined, port: number): string {
    return `${this.#comment(what === "" ? this.#name : `${this.#name} ${what}`)} ${this.#to(ip, port)}`;
  }

  #to(ip: string | undefined, port: number): string {
    return `-m ${this.#proto} -p ${this.#proto} ${ip === undefined ? "" : `-d ${ip} `}--dport ${port}`;
  }

  #comment(text: string): string {
    // A name with a quote or a line break in it must not become a rule.
    return `-m comment --comment "${text.replace(/[^\x20-\x7e]|["\\]/g, "_").slice(0, 255)}"`;
  }

  #add(chain: SharedChain, rule: string): void {
    this.#shared.push({ chain, rule });
  }
}
