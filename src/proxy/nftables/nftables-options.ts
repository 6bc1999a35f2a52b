import type { Logger } from "../../internal/logger.js";
import type { Exec } from "../exec.js";
import type { MasqueradeMark } from "../netfilter/iptables-tools.js";

export interface NftablesProxyOptions {
  /** How programs are run; default `hostExec()`. For a node in a network namespace: `hostExec({ netns })`. */
  readonly exec?: Exec | undefined;
  /** The address families to care for. Default IPv4 only. */
  readonly families?: readonly (4 | 6)[] | undefined;
  /**
   * The range of all pods; for two families two with a comma between. What comes to a cluster IP from elsewhere is masqueraded, and
   * with external policy Local pods reach every endpoint. Absent: neither.
   */
  readonly clusterCidr?: string | undefined;
  /** Masquerades all traffic to cluster IPs. Default false. */
  readonly masqueradeAll?: boolean | undefined;
  /** Bit 14, as kube-proxy. */
  readonly masqueradeMark?: MasqueradeMark | undefined;
  readonly logger?: Logger | undefined;
}
