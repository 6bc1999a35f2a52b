/** Addresses of an IPv4 block, as numbers. The network address and the broadcast address are not given out. */
export interface IpRange {
  readonly cidr: string;
  /** The first usable address: of the cluster's own block, the `kubernetes` service's. */
  readonly first: string;
  readonly size: number;
  /** Whether an address may be given out. */
  contains(ip: string): boolean;
  /** The address at an offset from the network address. */
  at(offset: number): string;
}

/** The block that a cluster is set up with. Errors: RangeError for what is not an IPv4 block with room for services. */
export function ipRange(cidr: string): IpRange {
  const range = blockOf(cidr);
  if (range === undefined || range.size < 2 ** 3 || range.size > 2 ** 24) {
    throw new RangeError(`${cidr} is not an IPv4 block of size /8 to /29`);
  }
  return range;
}

/** Undefined for what is not an IPv4 block. */
export function blockOf(cidr: string): IpRange | undefined {
  const match = /^(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})\/(\d{1,2})$/.exec(cidr);
  const bits = Number(match?.[2]);
  const base = parseIpv4(match?.[1] ?? "");
  if (match === null || base === undefined || bits > 32) return undefined;
  const size = 2 ** (32 - bits);
  const network = Math.floor(base / size) * size;
  const at = (offset: number): string => formatIpv4(network + offset);
  const offsetOf = (ip: string): number => (parseIpv4(ip) ?? Number.NaN) - network;
  return {
    cidr: `${formatIpv4(network)}/${bits}`,
    first: at(1),
    size,
    at,
    contains: (ip) => offsetOf(ip) > 0 && offsetOf(ip) < size - 1,
  };
}

function parseIpv4(ip: string): number | undefined {
  const parts = ip.split(".").map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}
