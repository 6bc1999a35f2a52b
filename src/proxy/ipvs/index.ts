export { type Exec, type ExecResult, type HostExecOptions, hostExec } from "../exec.js";
export type { IptablesVariant } from "../netfilter/iptables-tools.js";
export type { MasqueradeMark } from "../netfilter/masquerade-mark.js";
export type { IpvsProxyOptions } from "./ipvs-options.js";
export { IpvsProxy } from "./ipvs-proxy.js";
