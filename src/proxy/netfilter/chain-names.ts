import { createHash } from "node:crypto";
import { type ProxyEndpoint, type ProxyServicePort, servicePortName } from "../proxy.js";

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The first 16 characters of the SHA-256 in base 32: kube-proxy's names, so that one finds the other's chains. */
export function shortHash(text: string): string {
  const bytes = createHash("sha256").update(text).digest();
  let result = "";
  for (let index = 0; index < 16; index++) {
    const bit = index * 5;
    const pair = ((bytes[bit >> 3] ?? 0) << 8) | (bytes[(bit >> 3) + 1] ?? 0);
    result += alphabet[(pair >> (11 - (bit & 7))) & 31];
  }
  return result;
}

type Named = Pick<ProxyServicePort, "namespace" | "name" | "portName" | "protocol">;

export type ServiceChain = "SVC" | "SVL" | "EXT" | "FW";

/** The hash that all chains of a service port share. */
export function servicePortHash(port: Named): string {
  return shortHash(servicePortName(port) + port.protocol.toLowerCase());
}

/** `KUBE-SVC-TCOU7JCQXEZGVUNU` */
export function serviceChain(kind: ServiceChain, hash: string): string {
  return `KUBE-${kind}-${hash}`;
}

/** `KUBE-SEP-...` */
export function endpointChain(port: Named, endpoint: ProxyEndpoint): string {
  return `KUBE-SEP-${shortHash(servicePortName(port) + port.protocol.toLowerCase() + endpointText(endpoint))}`;
}

/** `10.0.0.1:80`, `[fd00::1]:80` */
export function endpointText({ ip, port }: Pick<ProxyEndpoint, "ip" | "port">): string {
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}
