import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";

/** Addresses that nothing outside of this machine can have, and that a node, service or pod object must not lead the server to. */
function forbiddenAddresses(): BlockList {
  const list = new BlockList();
  list.addSubnet("0.0.0.0", 8, "ipv4");
  list.addSubnet("127.0.0.0", 8, "ipv4");
  list.addSubnet("169.254.0.0", 16, "ipv4");
  list.addSubnet("224.0.0.0", 4, "ipv4");
  list.addAddress("255.255.255.255", "ipv4");
  list.addAddress("::", "ipv6");
  list.addAddress("::1", "ipv6");
  list.addSubnet("fe80::", 10, "ipv6");
  list.addSubnet("ff00::", 8, "ipv6");
  return list;
}

const forbidden = forbiddenAddresses();

export function isProxyableAddress(address: string): boolean {
  const version = isIP(address);
  if (version === 0) return false;
  // An IPv4 address in IPv6 dress is looked at as what it is.
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return isProxyableAddress(mapped);
  if (/^::ffff:/i.test(address)) return false;
  return !forbidden.check(address, version === 4 ? "ipv4" : "ipv6");
}

export type Resolve = (host: string) => Promise<string>;

export const systemResolve: Resolve = async (host) => (await lookup(host)).address;

/**
 * The address to connect to. Names are resolved here, once, and the answer is what is checked and connected to, so that a name cannot
 * mean something else the second time. Throws for addresses that are not allowed.
 */
export async function allowedAddress(host: string, allowLocal: boolean, resolve: Resolve): Promise<string> {
  const address = isIP(host) === 0 ? await resolve(host) : host;
  if (!allowLocal && !isProxyableAddress(address)) throw new Error("address not allowed");
  return address;
}
