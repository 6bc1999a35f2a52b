import { cidrContains, formatIp, parseCidr, parseIp } from "../../api/ip.js";
import type { IpFamily } from "../../api/kinds/ip.js";

/** A block of addresses. Its first one is not given out, nor the last of an IPv4 block. */
export interface IpRange {
  /** As its text should be: without bits beyond the prefix. */
  readonly cidr: string;
  readonly family: IpFamily;
  /** The first usable address: of the cluster's own block, the `kubernetes` service's. */
  readonly first: string;
  /** With those that are not given out. */
  readonly size: bigint;
  /** Whether an address may be given out. */
  contains(ip: string): boolean;
  /** The address at an offset from the network address. */
  at(offset: bigint): string;
}

/** A block that a cluster is set up with. Errors: RangeError for what is none, or has no room for services, or is larger than upstream's. */
export function ipRange(cidr: string): IpRange {
  const range = blockOf(cidr);
  const most = range?.family === "IPv6" ? 64n : 24n;
  if (range === undefined || range.size < 1n << 3n || range.size > 1n << most) {
    throw new RangeError(`${cidr} is not a block of addresses of size /8 to /29, or /64 to /125 of IPv6`);
  }
  return range;
}

/**
 * The blocks of `--service-cluster-ip-range`, which is one, or one of each family with a comma between them: the first one's family is
 * that of Services which ask for none. Errors: RangeError.
 */
export function serviceIpRanges(text: string): readonly IpRange[] {
  const ranges = text.split(",").map((cidr) => ipRange(cidr.trim()));
  if (ranges.length > 2 || new Set(ranges.map(({ family }) => family)).size < ranges.length) {
    throw new RangeError(`${text} has more than one block of a family`);
  }
  return ranges;
}

/** Undefined for what is no block. */
export function blockOf(cidr: string): IpRange | undefined {
  const prefix = parseCidr(cidr);
  if (prefix === undefined) return undefined;
  const { family, first: network, prefixLength } = prefix;
  const size = 1n << BigInt((family === 4 ? 32 : 128) - prefixLength);
  const at = (offset: bigint): string => formatIp({ family, value: network + offset });
  const last = family === 4 ? network + size - 1n : undefined;
  return {
    cidr: `${at(0n)}/${prefixLength}`,
    family: family === 4 ? "IPv4" : "IPv6",
    first: at(1n),
    size,
    at,
    contains(ip) {
      const address = parseIp(ip);
      if (address === undefined || !cidrContains(prefix, address)) return false;
      return address.value !== network && address.value !== last;
    },
  };
}
