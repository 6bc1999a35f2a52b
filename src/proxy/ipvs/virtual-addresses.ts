import type { Exec } from "../exec.js";
import { must } from "../netfilter/run.js";
import { virtualDevice } from "./ipvs-options.js";

interface Link {
  readonly ifname?: string;
  readonly addr_info?: readonly { readonly family?: string; readonly local?: string }[];
}

/** The device that makes virtual addresses local to the node, so that packets to them come to IPVS at all. */
export class VirtualAddresses {
  readonly #exec: Exec;
  readonly #family: 4 | 6;

  constructor(exec: Exec, family: 4 | 6) {
    this.#exec = exec;
    this.#family = family;
  }

  /** A dummy device; where the kernel has none, a bridge without ports. */
  async ensureDevice(signal?: AbortSignal): Promise<void> {
    const { code } = await this.#exec("ip", ["link", "show", "dev", virtualDevice], { signal });
    if (code === 0) return;
    const dummy = await this.#exec("ip", ["link", "add", virtualDevice, "type", "dummy"], { signal });
    if (dummy.code !== 0) await must(this.#exec, "ip", ["link", "add", virtualDevice, "type", "bridge"], { signal });
  }

  /** Addresses of the family: those of the device, and the node's others that are neither loopback nor of one link only. */
  async list(
    signal?: AbortSignal,
  ): Promise<{ readonly held: ReadonlySet<string>; readonly node: ReadonlySet<string> }> {
    const links: readonly Link[] = JSON.parse(
      await must(this.#exec, "ip", ["-j", `-${this.#family}`, "addr", "show"], { signal }),
    );
    const held = new Set<string>();
    const node = new Set<string>();
    for (const { ifname, addr_info = [] } of links) {
      for (const { local } of addr_info) {
        if (local === undefined || /^(127\.|::1$|fe[89ab])/.test(local)) continue;
        if (ifname === virtualDevice) held.add(local);
        else node.add(local);
      }
    }
    return { held, node };
  }

  async change(add: Iterable<string>, remove: Iterable<string>, signal?: AbortSignal): Promise<void> {
    // Every node has them: nobody is to be asked for them first.
    const [bits, atOnce] = this.#family === 4 ? [32, ""] : [128, " nodad"];
    const lines = [...add].map((ip) => `addr replace ${ip}/${bits} dev ${virtualDevice}${atOnce}`);
    lines.push(...[...remove].map((ip) => `addr del ${ip}/${bits} dev ${virtualDevice}`));
    if (lines.length > 0) await must(this.#exec, "ip", ["-batch", "-"], { stdin: `${lines.join("\n")}\n`, signal });
  }

  async remove(): Promise<void> {
    await this.#exec("ip", ["link", "del", virtualDevice]);
  }
}
