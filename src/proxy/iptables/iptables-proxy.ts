import { parseCidr } from "../../api/index.js";
import { ConntrackCleaner } from "../conntrack.js";
import { type Exec, hostExec } from "../exec.js";
import { IptablesTools } from "../netfilter/iptables-tools.js";
import type { ProxyBackend, ServiceTableUpdate } from "../proxy.js";
import { IptablesFamily } from "./iptables-family.js";
import type { IptablesProxyOptions } from "./iptables-options.js";

/**
 * Forwards in the kernel by iptables (either variant), with kube-proxy's chains and names, so that one can take over from the other.
 * Needs root. Only what changed is written; the rest of the host's rules stays untouched.
 */
export class IptablesProxy implements ProxyBackend {
  readonly name = "iptables";
  readonly #families: readonly IptablesFamily[];
  readonly #conntrack: ConntrackCleaner;
  #disposed = false;

  constructor(options: IptablesProxyOptions = {}) {
    const exec: Exec = options.exec ?? hostExec();
    this.#conntrack = new ConntrackCleaner(exec, options.logger);
    this.#families = (options.families ?? [4]).map(
      (family) =>
        new IptablesFamily(family, new IptablesTools(exec, family, options.variant ?? "iptables"), {
          podCidr: options.clusterCidr?.split(",").find((cidr) => parseCidr(cidr)?.family === family),
          masqueradeAll: options.masqueradeAll ?? false,
          mark: options.masqueradeMark ?? "0x4000",
        }),
    );
  }

  async sync(update: ServiceTableUpdate, signal?: AbortSignal): Promise<void> {
    if (this.#disposed) throw new Error("the iptables proxy was disposed");
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
