import { FamilyProxy, type FamilyProxyOptions } from "../netfilter/family-proxy.js";
import { NftablesFamily } from "./nftables-family.js";

export interface NftablesProxyOptions extends FamilyProxyOptions {}

/**
 * Forwards in the kernel by nftables, in a table of its own with kube-proxy's name. Services are elements of maps and have no chains, so
 * that a packet costs the same whether there are ten or ten thousand of them, and a change writes what changed. Needs root and nft 1.0.1.
 */
export class NftablesProxy extends FamilyProxy {
  constructor(options: NftablesProxyOptions = {}) {
    super("nftables", options, (family, exec, rules) => new NftablesFamily(family, exec, rules));
  }
}
