import { type GroupVersionResource, isStatusError, type Transport } from "../../api/index.js";
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

  /** Takes any free address of the ranges that are ready; undefined when all are taken. */
  async takeAny(service: ServiceName, dryRun = false): Promise<string | undefined> {
    for (const range of this.ranges.ready()) {
      const ip = await this.#takeFrom(range, service, dryRun);
      if (ip !== undefined) return ip;
    }
    return undefined;
  }

  /** From the upper part of a range while there is room there. */
  async #takeFrom(range: IpRange, service: ServiceName, dryRun: boolean): Promise<string | undefined> {
    const { size } = range;
    // The lower part is left to addresses that people choose; see "Avoiding Collisions in Assigning Ports to ... Services".
    const reserved = Math.min(Math.max(16, size >>> 4), 256);
    const dynamic = size - 1 - reserved;
    for (let attempt = 0; dynamic > 0 && attempt < randomTries; attempt++) {
      const ip = range.at(reserved + randomInt(this.#random, dynamic));
      if (range.contains(ip) && (await this.take(ip, service, dryRun))) return ip;
    }
    for (let step = 1; step < size - 1; step++) {
      const ip = range.at(((reserved + step - 1) % (size - 2)) + 1);
      if (ip !== this.ranges.main.first && (await this.take(ip, service, dryRun))) return ip;
    }
    return undefined;
  }

  async release(ip: string): Promise<void> {
    try {
      await this.#transport.request({ ...resource, verb: "delete", name: ip });
    } catch (error) {
      if (!isStatusError(error, "NotFound")) throw error;
    }
  }
}

function addressObject(ip: string, { namespace, name }: ServiceName): unknown {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "IPAddress",
    metadata: {
      name: ip,
      labels: {
        "ipaddress.kubernetes.io/ip-family": "IPv4",
        "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
      },
    },
    spec: { parentRef: { group: "", resource: "services", namespace, name } },
  };
}
