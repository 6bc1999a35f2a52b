import { type GroupVersionResource, isStatusError, type Transport } from "../../api/index.js";
import { formatIp, parseIp } from "../../api/ip.js";
import type { IpFamily } from "../../api/kinds/ip.js";
import { type Random, randomInt } from "../../internal/random.js";
import type { IpRange } from "./ip-range.js";
import type { ServiceRanges } from "./service-ranges.js";

const resource: GroupVersionResource = { group: "networking.k8s.io", version: "v1", resource: "ipaddresses" };

/** How many addresses are tried at random before the rest is searched in order. */
const randomTries = 32;

export interface ServiceName {
  readonly namespace: string;
  readonly name: string;
}

/**
 * Cluster IPs, each taken by an IPAddress object that refers to its Service: creation of an object is atomic, so no two
 * Services get one address, whichever API server they are created through.
 */
export class ClusterIpAllocator {
  readonly ranges: ServiceRanges;
  readonly #transport: Transport;
  readonly #random: Random;

  constructor(ranges: ServiceRanges, transport: Transport, random: Random) {
    this.ranges = ranges;
    this.#transport = transport;
    this.#random = random;
  }

  /** Takes exactly this address, or in a dry run only looks whether it could; false when somebody else has it. */
  async take(ip: string, service: ServiceName, dryRun = false): Promise<boolean> {
    const options = dryRun ? { dryRun: ["All"] } : {};
    try {
      await this.#transport.request({ ...resource, verb: "create", options, body: addressObject(ip, service) });
      return true;
    } catch (error) {
      if (isStatusError(error, "AlreadyExists")) return false;
      throw error;
    }
  }

  /** Takes any free address of a family's ranges that are ready; undefined when all are taken. */
  async takeAny(family: IpFamily, service: ServiceName, dryRun = false): Promise<string | undefined> {
    for (const range of this.ranges.ready(family)) {
      const ip = await this.#takeFrom(range, service, dryRun);
      if (ip !== undefined) return ip;
    }
    return undefined;
  }

  /** From the upper part of a range while there is room there. */
  async #takeFrom(range: IpRange, service: ServiceName, dryRun: boolean): Promise<string | undefined> {
    const { size } = range;
    const last = size - (range.family === "IPv4" ? 2n : 1n);
    // The lower part is left to addresses that people choose; see "Avoiding Collisions in Assigning Ports to ... Services".
    const reserved = size <= 16n ? 0n : BigInt(Math.min(Math.max(16, Number(size >> 4n)), 256));
    const own = this.ranges.main.map(({ first }) => first);
    const tryAt = async (offset: bigint): Promise<string | undefined> => {
      const ip = range.at(offset);
      return !own.includes(ip) && (await this.take(ip, service, dryRun)) ? ip : undefined;
    };
    for (let attempt = 0; last > reserved && attempt < randomTries; attempt++) {
      const ip = await tryAt(reserved + 1n + this.#below(last - reserved));
      if (ip !== undefined) return ip;
    }
    for (let step = 0n; step < last; step++) {
      const ip = await tryAt(((reserved + step) % last) + 1n);
      if (ip !== undefined) return ip;
    }
    return undefined;
  }

  #below(bound: bigint): bigint {
    if (bound <= 1n << 32n) return BigInt(randomInt(this.#random, Number(bound)));
    let value = 0n;
    for (let left = bound; left > 0n; left >>= 32n) value = (value << 32n) | BigInt(randomInt(this.#random, 2 ** 32));
    return value % bound;
  }

  async release(ip: string): Promise<void> {
    try {
      await this.#transport.request({ ...resource, verb: "delete", name: nameOf(ip) });
    } catch (error) {
      if (!isStatusError(error, "NotFound")) throw error;
    }
  }
}

/** An address has one object, however it is written. */
function nameOf(ip: string): string {
  const address = parseIp(ip);
  return address === undefined ? ip : formatIp(address);
}

function addressObject(ip: string, { namespace, name }: ServiceName): unknown {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "IPAddress",
    metadata: {
      name: nameOf(ip),
      labels: {
        "ipaddress.kubernetes.io/ip-family": ip.includes(":") ? "IPv6" : "IPv4",
        "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
      },
    },
    spec: { parentRef: { group: "", resource: "services", namespace, name } },
  };
}
