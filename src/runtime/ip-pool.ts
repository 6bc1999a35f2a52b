import { cidrContains, formatIp, type IpPrefix, parseCidr, parseIp } from "../api/index.js";
import { RuntimeError } from "./errors.js";

const maxUsable = 2 ** 31;

/** Hands out the addresses of a range, lowest free first after the last one given, so that reuse comes late. */
export class IpPool {
  readonly cidr: string;
  readonly #prefix: IpPrefix;
  readonly #usable: number;
  readonly #used = new Set<number>();
  #next = 0;

  /** Keeps back the network's own address, the first one (the node's) and the last one (of IPv4 the broadcast address). */
  constructor(cidr: string) {
    const prefix = parseCidr(cidr);
    const hostBits = (prefix?.family === 6 ? 128 : 32) - (prefix?.prefixLength ?? 0);
    if (prefix === undefined || hostBits < 2 || hostBits > (prefix.family === 6 ? 64 : 24)) {
      const text = JSON.stringify(cidr);
      throw new RuntimeError("invalid", `pod range ${text} is not a network of /8 to /30, or of IPv6 /64 to /126`);
    }
    this.cidr = cidr;
    this.#prefix = prefix;
    this.#usable = Math.min(2 ** hostBits - 3, maxUsable);
  }

  allocate(): string {
    const usable = this.#usable;
    for (let tried = 0; tried < usable; tried++) {
      const offset = 2 + ((this.#next + tried) % usable);
      if (this.#used.has(offset)) continue;
      this.#used.add(offset);
      this.#next = (offset - 1) % usable;
      return formatIp({ family: this.#prefix.family, value: this.#prefix.first + BigInt(offset) });
    }
    throw new RuntimeError("unavailable", `no free address in ${this.cidr}`);
  }

  /** Marks an address as taken, as after a restart; false when it is not of this range. */
  reserve(ip: string): boolean {
    const offset = this.#offset(ip);
    if (offset === undefined) return false;
    this.#used.add(offset);
    return true;
  }

  release(ip: string): void {
    const offset = this.#offset(ip);
    if (offset !== undefined) this.#used.delete(offset);
  }

  #offset(ip: string): number | undefined {
    const address = parseIp(ip);
    if (address === undefined || !cidrContains(this.#prefix, address)) return undefined;
    return Number(address.value - this.#prefix.first);
  }
}
