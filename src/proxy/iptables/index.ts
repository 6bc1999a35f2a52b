export { type Exec, type ExecResult, type HostExecOptions, hostExec } from "../exec.js";
export type { IptablesVariant, MasqueradeMark } from "../netfilter/iptables-tools.js";
export type { IptablesProxyOptions } from "./iptables-options.js";
export { IptablesProxy } from "./iptables-proxy.js";
