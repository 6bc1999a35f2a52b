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

  constructor(exec: Exec) {
    this.#exec = exec;
  }

  /** A dummy device; where the kernel has none, a bridge without ports. */
  async ensureDevice(signal?: AbortSignal): Promise<void> {
    const { code } = await this.#exec("ip", ["link", "show", "dev", virtualDevice], { signal });
    if (code === 0) return;
    const dummy = await this.#exec("ip", ["link", "add", virtualDevice, "type", "dummy"], { signal });
    if (dummy.code !== 0) await must(this.#exec, "ip", ["link", "add", virtualDevice, "type", "bridge"], { signal });
  }

  /** IPv4 addresses: those of the device, and the node's others that are not loopback. */
  async list(
    signal?: AbortSignal,
  ): Promise<{ readonly held: ReadonlySet<string>; readonly node: ReadonlySet<string> }> {
    const links: readonly Link[] = JSON.parse(await must(this.#exec, "ip", ["-j", "-4", "addr", "show"], { signal }));
    const held = new Set<string>();
    const node = new Set<string>();
    for (const { ifname, addr_info = [] } of links) {
      for (const { local } of addr_info) {
        if (local === undefined || local.startsWith("127.")) continue;
        if (ifname === virtualDevice) held.add(local);
        else node.add(local);
      }
    }
    return { held, node };
  }

  async change(add: Iterable<string>, remove: Iterable<string>, signal?: AbortSignal): Promise<void> {
    const lines = [...add].map((ip) => `addr replace ${ip}/32 dev ${virtualDevice}`);
    lines.push(...[...remove].map((ip) => `addr del ${ip}/32 dev ${virtualDevice}`));
    if (lines.length > 0) await must(this.#exec, "ip", ["-batch", "-"], { stdin: `${lines.join("\n")}\n`, signal });
  }

  async remove(): Promise<void> {
    await this.#exec("ip", ["link", "del", virtualDevice]);
  }
}
