import type { Clock } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import type { Exec } from "../exec.js";
import type { IptablesVariant } from "../netfilter/iptables-tools.js";
import type { MasqueradeMark } from "../netfilter/masquerade-mark.js";

export interface IpvsProxyOptions {
  /** How programs are run; default `hostExec()`. For a node in a network namespace: `hostExec({ netns })`. */
  readonly exec?: Exec | undefined;
  /** The address families to care for. Default IPv4 only. */
  readonly families?: readonly (4 | 6)[] | undefined;
  /** The range of all pods; for two families two with a comma between. What comes to a cluster IP from elsewhere is masqueraded. Absent: only what the node itself sends. */
  readonly clusterCidr?: string | undefined;
  /** Masquerades all traffic to cluster IPs. Default false. */
  readonly masqueradeAll?: boolean | undefined;
  /** Bit 14, as kube-proxy. */
  readonly masqueradeMark?: MasqueradeMark | undefined;
  /** A scheduler of IPVS whose module the kernel has: `rr` (default), `wrr`, `lc`, `wlc`, `sh`, `mh` ... */
  readonly scheduler?: string | undefined;
  /** Where node ports are served. Absent: all addresses of the node; a change is noticed by `check`. */
  readonly nodeAddresses?: readonly string[] | undefined;
  /** How often it is looked whether endpoints that take no new connections have any left. Default 15 s. */
  readonly drainPeriodMs?: number | undefined;
  readonly variant?: IptablesVariant | undefined;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
}

/** The device that holds virtual addresses, named as kube-proxy's. */
export const virtualDevice = "kube-ipvs0";
