export { type Exec, type ExecResult, type HostExecOptions, hostExec } from "../exec.js";
export type { IptablesProxyOptions, MasqueradeMark } from "./iptables-options.js";
export { IptablesProxy } from "./iptables-proxy.js";
