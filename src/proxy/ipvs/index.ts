export { type Exec, type ExecResult, type HostExecOptions, hostExec } from "../exec.js";
export type { IptablesVariant, MasqueradeMark } from "../netfilter/iptables-tools.js";
export type { IpvsProxyOptions } from "./ipvs-options.js";
export { IpvsProxy } from "./ipvs-proxy.js";
