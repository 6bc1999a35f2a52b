import type { MasqueradeMark } from "../netfilter/masquerade-mark.js";
import { type Jump, jump } from "../netfilter/saved-rules.js";
import type { TableName } from "../netfilter/table-edit.js";

/** Chains to which all services add rules. */
export type SharedChain =
  | "filter KUBE-SERVICES"
  | "filter KUBE-EXTERNAL-SERVICES"
  | "filter KUBE-NODEPORTS"
  | "filter KUBE-PROXY-FIREWALL"
  | "nat KUBE-SERVICES"
  | "nat KUBE-NODEPORTS";

export const sharedChains: readonly SharedChain[] = [
  "filter KUBE-SERVICES",
  "filter KUBE-EXTERNAL-SERVICES",
  "filter KUBE-NODEPORTS",
  "filter KUBE-PROXY-FIREWALL",
  "nat KUBE-SERVICES",
  "nat KUBE-NODEPORTS",
];

const fresh = "-m conntrack --ctstate NEW ";

/** In the order in which they are to stand, each group before what others put there. */
export const jumps: readonly Jump[] = [
  jump("filter", "INPUT", "KUBE-PROXY-FIREWALL", "kubernetes load balancer firewall", fresh),
  jump("filter", "INPUT", "KUBE-NODEPORTS", "kubernetes health check service ports"),
  jump("filter", "INPUT", "KUBE-EXTERNAL-SERVICES", "kubernetes externally-visible service portals", fresh),
  jump("filter", "FORWARD", "KUBE-PROXY-FIREWALL", "kubernetes load balancer firewall", fresh),
  jump("filter", "FORWARD", "KUBE-FORWARD", "kubernetes forwarding rules"),
  jump("filter", "FORWARD", "KUBE-SERVICES", "kubernetes service portals", fresh),
  jump("filter", "FORWARD", "KUBE-EXTERNAL-SERVICES", "kubernetes externally-visible service portals", fresh),
  jump("filter", "OUTPUT", "KUBE-PROXY-FIREWALL", "kubernetes load balancer firewall", fresh),
  jump("filter", "OUTPUT", "KUBE-SERVICES", "kubernetes service portals", fresh),
  jump("nat", "PREROUTING", "KUBE-SERVICES", "kubernetes service portals"),
  jump("nat", "OUTPUT", "KUBE-SERVICES", "kubernetes service portals"),
  jump("nat", "POSTROUTING", "KUBE-POSTROUTING", "kubernetes postrouting rules"),
];

/** Chains whose rules do not depend on services. */
export function fixedChains(mark: MasqueradeMark): readonly {
  readonly table: TableName;
  readonly chain: string;
  readonly rules: readonly string[];
}[] {
  return [
    {
      table: "filter",
      chain: "KUBE-FORWARD",
      rules: [
        "-m conntrack --ctstate INVALID -j DROP",
        `-m comment --comment "kubernetes forwarding rules" -m mark --mark ${mark}/${mark} -j ACCEPT`,
        '-m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      ],
    },
    {
      table: "nat",
      chain: "KUBE-POSTROUTING",
      rules: [
        `-m mark ! --mark ${mark}/${mark} -j RETURN`,
        // Cleared, so that a packet that meets this again, as through an overlay, is not masqueraded twice.
        `-j MARK --xor-mark ${mark}`,
        '-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
      ],
    },
    { table: "nat", chain: "KUBE-MARK-MASQ", rules: [`-j MARK --or-mark ${mark}`] },
  ];
}

/** Behind the rules of all services. */
export const lastRules: Readonly<Partial<Record<SharedChain, string>>> = {
  "nat KUBE-SERVICES":
    '-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS',
};
