import type { IPAddress, ServiceCIDR } from "../../api/index.js";
import { cidrContains, type IpPrefix, parseCidr, parseIp } from "../../api/ip.js";

/** Which allocator made an IPAddress. */
export const managedBy = "ipaddress.kubernetes.io/managed-by";
export const familyLabel = "ipaddress.kubernetes.io/ip-family";
/** The API server's own. */
export const serviceAllocator = "ipallocator.k8s.io";

export function isForServices({ metadata }: IPAddress): boolean {
  return metadata.labels?.[managedBy] === serviceAllocator;
}

export function blocksOf({ spec }: ServiceCIDR): readonly IpPrefix[] {
  return (spec?.cidrs ?? []).map(parseCidr).filter((block) => block !== undefined);
}

/** Whether `outer` has all of `inner`; the same block counts. */
export function holdsBlock(outer: IpPrefix, inner: IpPrefix): boolean {
  return outer.prefixLength <= inner.prefixLength && cidrContains(outer, { family: inner.family, value: inner.first });
}

export function overlap(one: ServiceCIDR, other: ServiceCIDR): boolean {
  const others = blocksOf(other);
  return blocksOf(one).some((a) => others.some((b) => holdsBlock(a, b) || holdsBlock(b, a)));
}

/** Whether a Service may get the address from there. The first address of a block, and the last of family 4, are nobody's. */
export function holdsAddress(cidr: ServiceCIDR, ip: string): boolean {
  const address = parseIp(ip);
  if (address === undefined) return false;
  return blocksOf(cidr).some((block) => {
    if (!cidrContains(block, address) || address.value === block.first) return false;
    return block.family === 6 || address.value !== block.first + (1n << BigInt(32 - block.prefixLength)) - 1n;
  });
}
