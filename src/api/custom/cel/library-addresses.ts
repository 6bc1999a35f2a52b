import type { Environment } from "@marcbachmann/cel-js";
import { cidrContains, formatIp, type IpAddress, type IpPrefix, parseCidr, parseIp } from "../../ip.js";
import type { Define } from "./library.js";

class Ip {
  readonly address: IpAddress;
  constructor(address: IpAddress) {
    this.address = address;
  }
}

class Cidr {
  readonly prefix: IpPrefix;
  constructor(prefix: IpPrefix) {
    this.prefix = prefix;
  }
}

class IpNamespace {}

function ipOf(text: string): Ip {
  const address = readIp(text);
  if (address === undefined) {
    throw new Error(`IP Address ${JSON.stringify(text)} parse error during conversion from string`);
  }
  return new Ip(address);
}

/** Addresses of family 4 in the clothes of family 6 are refused, as upstream does. */
function readIp(text: string): IpAddress | undefined {
  const address = parseIp(text);
  return address?.family === 6 && address.value >> 32n === 0xffffn ? undefined : address;
}

function cidrOf(text: string): Cidr {
  const prefix = parseCidr(text);
  if (prefix === undefined) {
    throw new Error(`network address parse error during conversion from string: ${JSON.stringify(text)}`);
  }
  return new Cidr(prefix);
}

/** ip(), cidr() and url(), and what can be asked of them. */
export function registerAddresses(define: Define, environment: Environment): void {
  environment.registerType("net.IP", { ctor: Ip, fields: {} });
  environment.registerType("net.CIDR", { ctor: Cidr, fields: {} });
  environment.registerType("IpNamespace", IpNamespace);
  environment.registerConstant("ip", "IpNamespace", new IpNamespace());
  define("ip(string): net.IP", ipOf);
  define("isIP(string): bool", (text: string) => readIp(text) !== undefined);
  define("string(net.IP): string", ({ address }: Ip) => formatIp(address));
  define("IpNamespace.isCanonical(string): bool", (_: unknown, text: string) => formatIp(ipOf(text).address) === text);
  define("net.IP.family(): int", ({ address }: Ip) => BigInt(address.family));
  define("net.IP.isUnspecified(): bool", ({ address }: Ip) => address.value === 0n);
  const defineWithin = (name: string, ...prefixes: readonly string[]): void => {
    const parsed = prefixes.map((text) => cidrOf(text).prefix);
    define(`net.IP.${name}(): bool`, ({ address }: Ip) => parsed.some((prefix) => cidrContains(prefix, address)));
  };
  defineWithin("isLoopback", "127.0.0.0/8", "::1/128");
  defineWithin("isLinkLocalMulticast", "224.0.0.0/24", "ff02::/16");
  defineWithin("isLinkLocalUnicast", "169.254.0.0/16", "fe80::/10");
  const special = ["127.0.0.0/8", "::1/128", "224.0.0.0/4", "ff00::/8", "169.254.0.0/16", "fe80::/10", "0.0.0.0/32"];
  const notGlobal = [...special, "255.255.255.255/32", "::/128"].map((text) => cidrOf(text).prefix);
  define("net.IP.isGlobalUnicast(): bool", ({ address }: Ip) =>
    notGlobal.every((prefix) => !cidrContains(prefix, address)),
  );
  environment.registerOperator("net.IP == net.IP", (a: Ip, b: Ip) => formatIp(a.address) === formatIp(b.address));
  registerCidrs(define, environment);
  registerUrls(define, environment);
}

function registerCidrs(define: Define, environment: Environment): void {
  define("cidr(string): net.CIDR", cidrOf);
  define("isCIDR(string): bool", (text: string) => parseCidr(text) !== undefined);
  define("string(net.CIDR): string", ({ prefix }: Cidr) => textOf(prefix, prefix.address));
  define("net.CIDR.ip(): net.IP", ({ prefix }: Cidr) => new Ip({ family: prefix.family, value: prefix.address }));
  define("net.CIDR.masked(): net.CIDR", ({ prefix }: Cidr) => new Cidr({ ...prefix, address: prefix.first }));
  define("net.CIDR.prefixLength(): int", ({ prefix }: Cidr) => BigInt(prefix.prefixLength));
  define("net.CIDR.containsIP(net.IP): bool", ({ prefix }: Cidr, { address }: Ip) => cidrContains(prefix, address));
  define("net.CIDR.containsIP(string): bool", ({ prefix }: Cidr, text: string) =>
    cidrContains(prefix, ipOf(text).address),
  );
  const contains = ({ prefix }: Cidr, other: IpPrefix): boolean =>
    other.prefixLength >= prefix.prefixLength && cidrContains(prefix, { family: other.family, value: other.first });
  define("net.CIDR.containsCIDR(net.CIDR): bool", (cidr: Cidr, other: Cidr) => contains(cidr, other.prefix));
  define("net.CIDR.containsCIDR(string): bool", (cidr: Cidr, text: string) => contains(cidr, cidrOf(text).prefix));
  environment.registerOperator("net.CIDR == net.CIDR", (a: Cidr, b: Cidr) => {
    return textOf(a.prefix, a.prefix.address) === textOf(b.prefix, b.prefix.address);
  });
}

function textOf(prefix: IpPrefix, value: bigint): string {
  return `${formatIp({ family: prefix.family, value })}/${prefix.prefixLength}`;
}

/** An absolute URL or an absolute path, taken apart. */
class Url {
  readonly text: string;
  readonly parsed: URL;
  readonly hasHost: boolean;
  constructor(text: string, parsed: URL, hasHost: boolean) {
    this.text = text;
    this.parsed = parsed;
    this.hasHost = hasHost;
  }
}

function parseUrl(text: string): Url | undefined {
  if (/[\s\p{Cc}]/u.test(text)) return undefined;
  const absolute = /^[A-Za-z][A-Za-z0-9+.-]*:/.test(text);
  if (!absolute && !text.startsWith("/")) return undefined;
  try {
    return new Url(text, new URL(text, "http://none.invalid"), absolute);
  } catch {
    return undefined;
  }
}

function registerUrls(define: Define, environment: Environment): void {
  environment.registerType("kubernetes.URL", { ctor: Url, fields: {} });
  define("url(string): kubernetes.URL", (text: string) => {
    const url = parseUrl(text);
    if (url === undefined)
      throw new Error(
        `URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`,
      );
    return url;
  });
  define("isURL(string): bool", (text: string) => parseUrl(text) !== undefined);
  const part = (name: string, read: (url: URL, text: string) => string): void =>
    define(`kubernetes.URL.${name}(): string`, ({ parsed, text, hasHost }: Url) =>
      hasHost || name === "getEscapedPath" ? read(parsed, text) : "",
    );
  part("getScheme", (url) => url.protocol.slice(0, -1));
  // As it was written: a URL object forgets ports that are the scheme's own.
  part("getHost", (_, text) => authorityOf(text));
  part("getHostname", (url) => url.hostname.replace(/^\[|\]$/g, ""));
  part("getPort", (_, text) => /:(\d+)$/.exec(authorityOf(text))?.[1] ?? "");
  part("getEscapedPath", (url, text) =>
    url.pathname === "/" && !/[^/]\/(?:[?#]|$)|^\/(?:[?#]|$)/.test(text) ? "" : url.pathname,
  );
  define("kubernetes.URL.getQuery(): map<string, list<string>>", ({ parsed }: Url) => {
    const query = new Map<string, string[]>();
    for (const [key, value] of parsed.searchParams) query.set(key, [...(query.get(key) ?? []), value]);
    return query;
  });
  environment.registerOperator("kubernetes.URL == kubernetes.URL", (a: Url, b: Url) => a.text === b.text);
}

function authorityOf(text: string): string {
  return /^[^:/?#]+:\/\/(?:[^@/?#]*@)?([^/?#]*)/.exec(text)?.[1] ?? "";
}
