export { type Exec, type ExecResult, type HostExecOptions, hostExec } from "../exec.js";
export type { MasqueradeMark } from "../netfilter/iptables-tools.js";
export type { NftablesProxyOptions } from "./nftables-options.js";
export { NftablesProxy } from "./nftables-proxy.js";
