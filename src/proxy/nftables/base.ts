import type { FamilyRuleOptions } from "../netfilter/family-proxy.js";

/** kube-proxy's own, so that one takes over from the other, and its clean-up removes ours. */
export const tableName = "kube-proxy";

export interface FamilyWords {
  /** Of the table: `ip`, `ip6`. */
  readonly family: "ip" | "ip6";
  readonly address: "ipv4_addr" | "ipv6_addr";
  readonly loopback: string;
}

export function familyWords(family: 4 | 6): FamilyWords {
  return family === 4
    ? { family: "ip", address: "ipv4_addr", loopback: "127.0.0.0/8" }
    : { family: "ip6", address: "ipv6_addr", loopback: "::1" };
}

/** Sets and maps that are always there, to which services add elements. */
export type SharedSet =
  | "service-ips"
  | "service-nodeports"
  | "no-endpoint-services"
  | "no-endpoint-nodeports"
  | "cluster-ips"
  | "firewall-ips"
  | "firewall-allowed"
  | "hairpin-connections";

/** How they are declared, without their names. */
export function sharedSets({ address }: FamilyWords): ReadonlyMap<SharedSet, string> {
  const service = `${address} . inet_proto . inet_service`;
  return new Map<SharedSet, string>([
    ["service-ips", `map { type ${service} : verdict; }`],
    ["service-nodeports", "map { type inet_proto . inet_service : verdict; }"],
    ["no-endpoint-services", `map { type ${service} : verdict; }`],
    ["no-endpoint-nodeports", "map { type inet_proto . inet_service : verdict; }"],
    ["cluster-ips", `set { type ${address}; }`],
    ["firewall-ips", `set { type ${service}; }`],
    ["firewall-allowed", `set { type ${address} . ${service}; flags interval; }`],
    ["hairpin-connections", `set { type ${address} . ${address}; }`],
  ]);
}

export interface BaseChain {
  readonly name: string;
  /** Where the kernel calls it; absent: only other chains do. */
  readonly hook?: string;
  readonly rules: readonly string[];
}

/**
 * Chains whose rules do not depend on services, each behind those that it refers to. A packet is looked up once by where it goes,
 * however many services there are.
 */
export function baseChains({ family, loopback }: FamilyWords, { mark }: FamilyRuleOptions): readonly BaseChain[] {
  const to = `${family} daddr . meta l4proto . th dport`;
  const toNodePort = `fib daddr type local ${family} daddr != ${loopback} meta l4proto . th dport`;
  // The kernel tells a client on the node itself of an ICMPv6 error only when its packet is sent again, a second later.
  const reject = family === "ip" ? ["reject"] : ["meta l4proto tcp reject with tcp reset", "reject"];
  const others = `0x${(~Number(mark) >>> 0).toString(16)}`;
  return [
    { name: "reject-chain", rules: reject },
    { name: "mark-for-masquerade", rules: [`meta mark set meta mark | ${mark}`] },
    {
      name: "masquerading",
      rules: [
        // An endpoint that is its own client would otherwise answer itself past the translation.
        `ct status dnat ${family} saddr . ${family} daddr @hairpin-connections masquerade fully-random`,
        `meta mark & ${mark} == 0 return`,
        // Cleared, so that a packet that meets this again, as through an overlay, is not masqueraded twice.
        `meta mark set meta mark & ${others}`,
        "masquerade fully-random",
      ],
    },
    { name: "services", rules: [`${to} vmap @service-ips`, `${toNodePort} vmap @service-nodeports`] },
    {
      name: "firewall-check",
      rules: [`${to} @firewall-ips ${family} saddr . ${to} != @firewall-allowed drop`],
    },
    { name: "service-endpoints-check", rules: [`${to} vmap @no-endpoint-services`] },
    { name: "nodeport-endpoints-check", rules: [`${toNodePort} vmap @no-endpoint-nodeports`] },
    { name: "cluster-ips-check", rules: [`${family} daddr @cluster-ips goto reject-chain`] },
    {
      name: "firewall-prerouting",
      hook: "type filter hook prerouting priority -110",
      rules: ["ct state new jump firewall-check"],
    },
    {
      name: "firewall-output",
      hook: "type filter hook output priority -110",
      rules: ["ct state new jump firewall-check"],
    },
    { name: "nat-prerouting", hook: "type nat hook prerouting priority -100", rules: ["jump services"] },
    { name: "nat-output", hook: "type nat hook output priority -100", rules: ["jump services"] },
    { name: "nat-postrouting", hook: "type nat hook postrouting priority 100", rules: ["jump masquerading"] },
    {
      name: "filter-input",
      hook: "type filter hook input priority 0",
      rules: ["ct state new jump nodeport-endpoints-check", "ct state new jump service-endpoints-check"],
    },
    {
      name: "filter-forward",
      hook: "type filter hook forward priority 0",
      rules: [
        "ct state invalid drop",
        "ct state new jump service-endpoints-check",
        "ct state new jump cluster-ips-check",
      ],
    },
    {
      name: "filter-output",
      hook: "type filter hook output priority 0",
      rules: ["ct state new jump service-endpoints-check", "ct state new jump cluster-ips-check"],
    },
  ];
}
