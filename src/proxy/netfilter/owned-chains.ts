import type { TableName } from "./table-edit.js";

/** The chains of service proxies, ours and kube-proxy's, of the iptables and of the IPVS sort: one takes over from the other. */
const owned: Readonly<Record<TableName, ReadonlySet<string>>> = {
  filter: new Set([
    "KUBE-SERVICES",
    "KUBE-EXTERNAL-SERVICES",
    "KUBE-NODEPORTS",
    "KUBE-NODE-PORT",
    "KUBE-FORWARD",
    "KUBE-PROXY-FIREWALL",
    "KUBE-SOURCE-RANGES-FIREWALL",
    "KUBE-IPVS-FILTER",
    "KUBE-IPVS-OUT-FILTER",
  ]),
  nat: new Set([
    "KUBE-SERVICES",
    "KUBE-NODEPORTS",
    "KUBE-NODE-PORT",
    "KUBE-LOAD-BALANCER",
    "KUBE-POSTROUTING",
    "KUBE-MARK-MASQ",
  ]),
};

/** Chains that belong to a single service port or endpoint. */
const perService = /^KUBE-(SVC|SVL|EXT|FW|SEP|XLB)-/;

export function ownsChain(table: TableName, chain: string): boolean {
  return owned[table].has(chain) || (table === "nat" && perService.test(chain));
}
