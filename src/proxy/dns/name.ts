import { formatIp } from "../../api/index.js";

/** What a name below a cluster's domain asks for. */
export interface NameRequest {
  readonly area: "svc" | "pod";
  readonly namespace?: string | undefined;
  /** Of a service; below `pod` the dashed address. */
  readonly service?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly port?: string | undefined;
  readonly protocol?: string | undefined;
}

/**
 * Takes apart the labels before the domain, in lower case. `apex` is the domain itself and what is not below a namespace; undefined what
 * no cluster has. Two labels before a service are a port and a protocol, with or without underscores, as in CoreDNS.
 */
export function parseName(labels: readonly string[]): NameRequest | "apex" | undefined {
  if (labels.length === 0) return "apex";
  const [area, namespace, service, ...rest] = [...labels].reverse();
  if (area !== "svc" && area !== "pod") return undefined;
  if (namespace === undefined) return "apex";
  const [nearer, farther] = rest;
  if (nearer === undefined) return { area, namespace, service };
  if (farther === undefined) return { area, namespace, service, endpoint: nearer };
  if (rest.length > 2) return undefined;
  return { area, namespace, service, port: farther.replace(/^_/, ""), protocol: nearer.replace(/^_/, "") };
}

/** The address that a name below in-addr.arpa or ip6.arpa stands for, in canonical form; undefined where it is none, or a part of one. */
export function addressOfReverse(labels: readonly string[], zone: string): string | undefined {
  if (zone === "in-addr.arpa") {
    const valid =
      labels.length === 4 && labels.every((label) => /^(0|[1-9]\d{0,2})$/.test(label) && Number(label) < 256);
    return valid ? [...labels].reverse().join(".") : undefined;
  }
  if (labels.length !== 32 || !labels.every((label) => /^[0-9a-f]$/.test(label))) return undefined;
  return formatIp({ family: 6, value: BigInt(`0x${[...labels].reverse().join("")}`) });
}

/** How an address is written in a name: `10-0-0-1`. */
export function dashed(ip: string): string {
  return ip.replaceAll(/[.:]/g, "-");
}

/** The reverse; undefined where it is no address. */
export function undashed(label: string): string {
  const v4 = label.split("-").length === 4 && !label.includes("--");
  return label.replaceAll("-", v4 ? "." : ":");
}
