import type { MasqueradeMark } from "../netfilter/masquerade-mark.js";
import { type Jump, jump } from "../netfilter/saved-rules.js";
import type { TableName } from "../netfilter/table-edit.js";
import { hostName, type SetName } from "./ip-sets.js";

export interface RuleOptions {
  readonly clusterCidr: string | undefined;
  readonly masqueradeAll: boolean;
  readonly mark: MasqueradeMark;
  readonly family: 4 | 6;
}

export const ipvsJumps: readonly Jump[] = [
  jump("filter", "INPUT", "KUBE-IPVS-FILTER", "kubernetes ipvs access filter"),
  jump("filter", "INPUT", "KUBE-PROXY-FIREWALL", "kube-proxy firewall rules"),
  jump("filter", "INPUT", "KUBE-NODE-PORT", "kubernetes health check rules"),
  jump("filter", "FORWARD", "KUBE-PROXY-FIREWALL", "kube-proxy firewall rules"),
  jump("filter", "FORWARD", "KUBE-FORWARD", "kubernetes forwarding rules"),
  jump("filter", "OUTPUT", "KUBE-IPVS-OUT-FILTER", "kubernetes ipvs access filter"),
  jump("nat", "PREROUTING", "KUBE-SERVICES", "kubernetes service portals"),
  jump("nat", "OUTPUT", "KUBE-SERVICES", "kubernetes service portals"),
  jump("nat", "POSTROUTING", "KUBE-POSTROUTING", "kubernetes postrouting rules"),
];

interface FixedChain {
  readonly table: TableName;
  readonly chain: string;
  readonly rules: readonly string[];
}

type ToSet = (set: SetName, by?: string) => string;

const matching =
  (family: 4 | 6): ToSet =>
  (set, by = "dst,dst") =>
    `-m set --match-set ${hostName(set, family)} ${by}`;
const say = (text: string): string => `-m comment --comment "${text}"`;

/** All rules: services differ in the sets only, so that these are written once. */
export function ipvsChains(options: RuleOptions): readonly FixedChain[] {
  const to = matching(options.family);
  return [...natChains(options, to), ...filterChains(options.mark, to)];
}

function natChains({ clusterCidr, masqueradeAll, mark }: RuleOptions, to: ToSet): readonly FixedChain[] {
  const cluster = "Kubernetes service cluster ip + port for masquerade purpose";
  const external = "Kubernetes service external ip + port for masquerade and filter purpose";
  const masquerade: string[] = [];
  if (masqueradeAll) masquerade.push(`${say(cluster)} ${to("KUBE-CLUSTER-IP")} -j KUBE-MARK-MASQ`);
  else {
    if (clusterCidr !== undefined)
      masquerade.push(`! -s ${clusterCidr} ${say(cluster)} ${to("KUBE-CLUSTER-IP")} -j KUBE-MARK-MASQ`);
    // The node's own clients have the virtual address itself as their source: it is local.
    masquerade.push(`${say(cluster)} ${to("KUBE-CLUSTER-IP", "src,dst")} -j KUBE-MARK-MASQ`);
  }
  return [
    {
      table: "nat",
      chain: "KUBE-SERVICES",
      rules: [
        `${say("Kubernetes service lb portal")} ${to("KUBE-LOAD-BALANCER")} -j KUBE-LOAD-BALANCER`,
        ...masquerade,
        `${say(external)} ${to("KUBE-EXTERNAL-IP")} -j KUBE-MARK-MASQ`,
        "-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT",
      ],
    },
    {
      table: "nat",
      chain: "KUBE-NODE-PORT",
      rules: (["TCP", "UDP"] as const).flatMap((protocol) => {
        const proto = `-p ${protocol.toLowerCase()}`;
        const local = to(`KUBE-NODE-PORT-LOCAL-${protocol}`, "dst");
        const all = to(`KUBE-NODE-PORT-${protocol}`, "dst");
        return [
          `${proto} ${say(`Kubernetes nodeport ${protocol} port with externalTrafficPolicy=local`)} ${local} -j RETURN`,
          `${proto} ${say(`Kubernetes nodeport ${protocol} port for masquerade purpose`)} ${all} -j KUBE-MARK-MASQ`,
        ];
      }),
    },
    {
      table: "nat",
      chain: "KUBE-LOAD-BALANCER",
      rules: [
        `${say("Kubernetes service load balancer ip + port with externalTrafficPolicy=local")} ${to("KUBE-LOAD-BALANCER-LOCAL")} -j RETURN`,
        "-j KUBE-MARK-MASQ",
      ],
    },
    {
      table: "nat",
      chain: "KUBE-POSTROUTING",
      rules: [
        `${say("Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose")} ${to("KUBE-LOOP-BACK", "dst,dst,src")} -j MASQUERADE`,
        `-m mark ! --mark ${mark}/${mark} -j RETURN`,
        `-j MARK --xor-mark ${mark}`,
        `${say("kubernetes service traffic requiring SNAT")} -j MASQUERADE --random-fully`,
      ],
    },
    { table: "nat", chain: "KUBE-MARK-MASQ", rules: [`-j MARK --or-mark ${mark}`] },
  ];
}

function filterChains(mark: MasqueradeMark, to: ToSet): readonly FixedChain[] {
  const served = (["KUBE-LOAD-BALANCER", "KUBE-CLUSTER-IP", "KUBE-EXTERNAL-IP", "KUBE-EXTERNAL-IP-LOCAL"] as const).map(
    (set) => `${to(set)} -j RETURN`,
  );
  // A virtual address is local to the node; without this its own services would answer at it.
  const refuse = `-m conntrack --ctstate NEW ${to("KUBE-IPVS-IPS", "dst")} -j REJECT`;
  return [
    {
      table: "filter",
      chain: "KUBE-FORWARD",
      rules: [
        `${say("kubernetes forwarding rules")} -m mark --mark ${mark}/${mark} -j ACCEPT`,
        `${say("kubernetes forwarding conntrack rule")} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
      ],
    },
    {
      table: "filter",
      chain: "KUBE-NODE-PORT",
      rules: [`${say("Kubernetes health check node port")} ${to("KUBE-HEALTH-CHECK-NODE-PORT", "dst")} -j ACCEPT`],
    },
    {
      table: "filter",
      chain: "KUBE-PROXY-FIREWALL",
      rules: [
        `${say("Kubernetes service load balancer ip + port for load balancer with sourceRange")} ${to("KUBE-LOAD-BALANCER-FW")} -j KUBE-SOURCE-RANGES-FIREWALL`,
      ],
    },
    {
      table: "filter",
      chain: "KUBE-SOURCE-RANGES-FIREWALL",
      rules: [
        `${say("Kubernetes service load balancer ip + port + source cidr for packet filter purpose")} ${to("KUBE-LOAD-BALANCER-SOURCE-CIDR", "dst,dst,src")} -j RETURN`,
        "-j DROP",
      ],
    },
    {
      table: "filter",
      chain: "KUBE-IPVS-FILTER",
      rules: [...served, `${to("KUBE-HEALTH-CHECK-NODE-PORT", "dst")} -j RETURN`, refuse],
    },
    { table: "filter", chain: "KUBE-IPVS-OUT-FILTER", rules: [...served, refuse] },
  ];
}
