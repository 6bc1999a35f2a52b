import { RuntimeError } from "./errors.js";

/** Hands out the IPv4 addresses of a range, lowest free first after the last one given, so that reuse comes late. */
export class IpPool {
  readonly cidr: string;
  readonly #base: number;
  readonly #size: number;
  readonly #used = new Set<number>();
  #next = 0;

  /** Keeps back the network's own address, the first one (the node's) and the broadcast address. */
  constructor(cidr: string) {
    const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr);
    const octets = match?.slice(1, 5).map(Number) ?? [];
    const bits = Number(match?.[5]);
    if (octets.length !== 4 || octets.some((octet) => octet > 255) || bits < 8 || bits > 30) {
      throw new RuntimeError("invalid", `pod range ${JSON.stringify(cidr)} is not an IPv4 network of /8 to /30`);
    }
    this.cidr = cidr;
    this.#size = 2 ** (32 - bits);
    const address = octets.reduce((sum, octet) => sum * 256 + octet, 0);
    this.#base = address - (address % this.#size);
  }

  allocate(): string {
    const usable = this.#size - 3;
    for (let tried = 0; tried < usable; tried++) {
      const offset = 2 + ((this.#next + tried) % usable);
      if (this.#used.has(offset)) continue;
      this.#used.add(offset);
      this.#next = (offset - 1) % usable;
      return toText(this.#base + offset);
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
    const offset = ip.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0) - this.#base;
    return offset >= 0 && offset < this.#size ? offset : undefined;
  }
}

function toText(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}
