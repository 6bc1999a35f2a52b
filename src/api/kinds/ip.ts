import { isIPv4, isIPv6 } from "node:net";
import { formatIp, parseCidr, parseIp } from "../ip.js";
import { addInvalid, type Errors } from "./checks.js";

const ipMessage = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
const cidrMessage = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

export type IpFamily = "IPv4" | "IPv6";

export function ipFamily(text: string): IpFamily | undefined {
  if (isIPv4(text)) return "IPv4";
  return isIPv6(text) && !text.includes("%") ? "IPv6" : undefined;
}

export function checkIp(errors: Errors, path: string, text: string): void {
  const message = ipError(text);
  if (message !== undefined) addInvalid(errors, path, text, [message]);
}

function ipError(text: string): string | undefined {
  if (ipFamily(text) === undefined) return withZeros(text) ? "must not have leading 0s" : ipMessage;
  return isMapped(text) ? "must not be an IPv4-mapped IPv6 address" : undefined;
}

/** As checkIp, of a field in which one address has one text. */
export function canonicalIpError(text: string): string | undefined {
  const address = parseIp(text);
  return ipError(text) ?? (address === undefined ? undefined : differs(text, formatIp(address)));
}

export function canonicalCidrError(text: string): string | undefined {
  const range = parseCidr(text);
  const canonical = range && `${formatIp({ family: range.family, value: range.address })}/${range.prefixLength}`;
  return cidrError(text) ?? (canonical === undefined ? undefined : differs(text, canonical));
}

function differs(text: string, canonical: string): string | undefined {
  return text === canonical ? undefined : `must be in canonical form (${JSON.stringify(canonical)})`;
}

/** Whether it is an address but for zeros before its numbers, which some programs take for octal. */
function withZeros(text: string): boolean {
  return isIPv4(text.replace(/(^|\.)0+(?=[0-9])/g, "$1"));
}

function isMapped(text: string): boolean {
  if (!text.includes(":")) return false;
  const groups = ipv6Groups(text);
  return groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
}

export function cidrFamily(text: string): IpFamily | undefined {
  const slash = text.indexOf("/");
  if (slash < 0) return undefined;
  const family = ipFamily(text.slice(0, slash));
  const prefix = text.slice(slash + 1);
  if (family === undefined || !/^(0|[1-9][0-9]{0,2})$/.test(prefix)) return undefined;
  return Number(prefix) <= (family === "IPv4" ? 32 : 128) ? family : undefined;
}

export function checkCidr(errors: Errors, path: string, text: string): void {
  const message = cidrError(text);
  if (message !== undefined) addInvalid(errors, path, text, [message]);
}

function cidrError(text: string): string | undefined {
  const [address = "", bits = ""] = text.split("/");
  const family = cidrFamily(text);
  if (family === undefined) {
    const plain = `${withZeros(address) ? address.replace(/(^|\.)0+(?=[0-9])/g, "$1") : address}/${bits.replace(/^0+(?=[0-9])/, "")}`;
    return cidrFamily(plain) === undefined ? cidrMessage : "must not have leading 0s in IP or prefix length";
  }
  if (isMapped(address)) return "must not have an IPv4-mapped IPv6 address";
  const hostBits = BigInt((family === "IPv4" ? 32 : 128) - Number(bits));
  const value = ipValue(address);
  return (value >> hostBits) << hostBits === value ? undefined : "must not have bits set beyond the prefix length";
}

const loopback = "may not be in the loopback range (127.0.0.0/8, ::1/128)";
const linkLocal = "may not be in the link-local range (169.254.0.0/16, fe80::/10)";
const linkLocalMulticast = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)";

function v4Reasons([a = 0, b = 0, c = 0, d = 0]: readonly number[], text: string): readonly string[] {
  const reasons: string[] = [];
  if (a === 0 && b === 0 && c === 0 && d === 0) reasons.push(`may not be unspecified (${text})`);
  if (a === 127) reasons.push(loopback);
  if (a === 169 && b === 254) reasons.push(linkLocal);
  if (a === 224 && b === 0 && c === 0) reasons.push(linkLocalMulticast);
  return reasons;
}

/** Addresses that only make sense on one host or link: no endpoint may have one, else traffic could be led into nodes. */
export function checkNotSpecialIp(errors: Errors, path: string, text: string): void {
  const family = ipFamily(text);
  if (family === undefined) {
    addInvalid(errors, path, text, ["must be a valid IP address"]);
    return;
  }
  const reasons: string[] = [];
  if (family === "IPv4") {
    reasons.push(...v4Reasons(text.split(".").map(Number), text));
  } else {
    const groups = ipv6Groups(text);
    const [first = 0] = groups;
    const onlyLast = groups.slice(0, 7).every((group) => group === 0);
    if (onlyLast && groups[7] === 0) reasons.push(`may not be unspecified (${text})`);
    if (onlyLast && groups[7] === 1) reasons.push(loopback);
    if (first >= 0xfe80 && first <= 0xfebf) reasons.push(linkLocal);
    if (first >> 8 === 0xff && (first & 0xf) === 2) reasons.push(linkLocalMulticast);
    if (isMapped(text)) {
      const [high = 0, low = 0] = groups.slice(6);
      reasons.push(...v4Reasons([high >> 8, high & 255, low >> 8, low & 255], text));
    }
  }
  addInvalid(errors, path, text, reasons);
}

/** The eight groups of a valid IPv6 address. */
function ipv6Groups(text: string): readonly number[] {
  let source = text;
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted !== null) {
    const [, head = "", a, b, c, d] = dotted;
    const high = (Number(a) << 8) | Number(b);
    const low = (Number(c) << 8) | Number(d);
    source = `${head}${high.toString(16)}:${low.toString(16)}`;
  }
  const parse = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  const [left = "", right] = source.split("::");
  const head = parse(left);
  if (right === undefined) return head;
  const tail = parse(right);
  return [...head, ...new Array<number>(Math.max(0, 8 - head.length - tail.length)).fill(0), ...tail];
}

/** Whether one valid range is a part of another valid range, and not all of it. */
export function isStrictSubnet(inner: string, outer: string): boolean {
  const family = cidrFamily(outer);
  const [innerAddress = "", innerBits = ""] = inner.split("/");
  const [outerAddress = "", outerBits = ""] = outer.split("/");
  if (family === undefined || cidrFamily(inner) !== family || Number(innerBits) <= Number(outerBits)) return false;
  const width = family === "IPv4" ? 32 : 128;
  const shift = BigInt(width - Number(outerBits));
  return ipValue(innerAddress) >> shift === ipValue(outerAddress) >> shift;
}

function ipValue(text: string): bigint {
  return isIPv4(text)
    ? text.split(".").reduce((value, part) => (value << 8n) | BigInt(part), 0n)
    : ipv6Groups(text).reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}
