import { FamilyProxy, type FamilyProxyOptions } from "../netfilter/family-proxy.js";
import { IptablesTools, type IptablesVariant } from "../netfilter/iptables-tools.js";
import { IptablesFamily } from "./iptables-family.js";

export interface IptablesProxyOptions extends FamilyProxyOptions {
  /** Default `iptables`. */
  readonly variant?: IptablesVariant | undefined;
}

/**
 * Forwards in the kernel by iptables (either variant), with kube-proxy's chains and names, so that one can take over from the other.
 * Needs root. Only what changed is written; the rest of the host's rules stays untouched.
 */
export class IptablesProxy extends FamilyProxy {
  constructor(options: IptablesProxyOptions = {}) {
    const { variant = "iptables" } = options;
    super("iptables", options, (family, exec, rules) => {
      return new IptablesFamily(family, new IptablesTools(exec, family, variant), rules);
    });
  }
}
