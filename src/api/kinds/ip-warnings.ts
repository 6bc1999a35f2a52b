import { formatIp, parseCidr, parseIp } from "../ip.js";

/** Of addresses there should be one text each: longer forms of IPv6 are taken, but not advised. */
export function legacyIpWarnings(path: string, text: string): readonly string[] {
  const address = parseIp(text);
  if (address === undefined || address.family === 4) return [];
  const canonical = formatIp(address);
  if (canonical === text) return [];
  return [`${path}: IPv6 address "${text}" should be in RFC 5952 canonical format ("${canonical}")`];
}

export function legacyCidrWarnings(path: string, text: string): readonly string[] {
  const range = parseCidr(text);
  if (range === undefined || range.family === 4) return [];
  const canonical = `${formatIp({ family: 6, value: range.address })}/${range.prefixLength}`;
  if (canonical === text) return [];
  return [`${path}: IPv6 CIDR value "${text}" should be in RFC 5952 canonical format ("${canonical}")`];
}
