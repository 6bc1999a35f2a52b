import { parseCidr } from "../../api/index.js";
import { ConntrackCleaner } from "../conntrack.js";
import { hostExec } from "../exec.js";
import type { ProxyBackend, ServiceTableUpdate } from "../proxy.js";
import { NftablesFamily } from "./nftables-family.js";
import type { NftablesProxyOptions } from "./nftables-options.js";

/**
 * Forwards in the kernel by nftables, in a table of its own with kube-proxy's name. Services are elements of maps and have no chains, so
 * that a packet costs the same whether there are ten or ten thousand of them, and a change writes what changed. Needs root, nft 1.0.1
 * and Linux 5.13.
 */
export class NftablesProxy implements ProxyBackend {
  readonly name = "nftables";
  readonly #families: readonly NftablesFamily[];
  readonly #conntrack: ConntrackCleaner;
  #disposed = false;

  constructor(options: NftablesProxyOptions = {}) {
    const exec = options.exec ?? hostExec();
    this.#conntrack = new ConntrackCleaner(exec, options.logger);
    this.#families = (options.families ?? [4]).map(
      (family) =>
        new NftablesFamily(family, exec, {
          podCidr: options.clusterCidr?.split(",").find((cidr) => parseCidr(cidr)?.family === family),
          masqueradeAll: options.masqueradeAll ?? false,
          mark: options.masqueradeMark ?? "0x4000",
        }),
    );
  }

  async sync(update: ServiceTableUpdate, signal?: AbortSignal): Promise<void> {
    if (this.#disposed) throw new Error("the nftables proxy was disposed");
    for (const family of this.#families) await family.sync(update, signal);
    await this.#conntrack.follow(update, signal);
  }

  async check(signal?: AbortSignal): Promise<boolean> {
    for (const family of this.#families) if (!(await family.check(signal))) return false;
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const family of this.#families) await family.clean();
  }
}
