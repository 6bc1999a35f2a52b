export { type Exec, type ExecResult, type HostExecOptions, hostExec } from "../exec.js";
export type { FamilyProxyOptions } from "../netfilter/family-proxy.js";
export type { MasqueradeMark } from "../netfilter/masquerade-mark.js";
export { NftablesProxy, type NftablesProxyOptions } from "./nftables-proxy.js";
