export { type Exec, type ExecResult, type HostExecOptions, hostExec } from "../exec.js";
export type { FamilyProxyOptions } from "../netfilter/family-proxy.js";
export type { IptablesVariant } from "../netfilter/iptables-tools.js";
export type { MasqueradeMark } from "../netfilter/masquerade-mark.js";
export { IptablesProxy, type IptablesProxyOptions } from "./iptables-proxy.js";
