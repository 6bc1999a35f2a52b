import { formatIp, parseCidr } from "../../api/index.js";
import { endpointsFor, type ProxyServicePort } from "../proxy.js";

/** The sets that the rules look into, with kube-proxy's names. */
export type SetName =
  | "KUBE-LOOP-BACK"
  | "KUBE-CLUSTER-IP"
  | "KUBE-EXTERNAL-IP"
  | "KUBE-EXTERNAL-IP-LOCAL"
  | "KUBE-LOAD-BALANCER"
  | "KUBE-LOAD-BALANCER-LOCAL"
  | "KUBE-LOAD-BALANCER-FW"
  | "KUBE-LOAD-BALANCER-SOURCE-CIDR"
  | "KUBE-NODE-PORT-TCP"
  | "KUBE-NODE-PORT-LOCAL-TCP"
  | "KUBE-NODE-PORT-UDP"
  | "KUBE-NODE-PORT-LOCAL-UDP"
  | "KUBE-NODE-PORT-SCTP-HASH"
  | "KUBE-NODE-PORT-LOCAL-SCTP-HASH"
  | "KUBE-HEALTH-CHECK-NODE-PORT"
  | "KUBE-IPVS-IPS";

const setTypes: Readonly<Record<SetName, string>> = {
  "KUBE-LOOP-BACK": "hash:ip,port,ip",
  "KUBE-CLUSTER-IP": "hash:ip,port",
  "KUBE-EXTERNAL-IP": "hash:ip,port",
  "KUBE-EXTERNAL-IP-LOCAL": "hash:ip,port",
  "KUBE-LOAD-BALANCER": "hash:ip,port",
  "KUBE-LOAD-BALANCER-LOCAL": "hash:ip,port",
  "KUBE-LOAD-BALANCER-FW": "hash:ip,port",
  "KUBE-LOAD-BALANCER-SOURCE-CIDR": "hash:ip,port,net",
  "KUBE-NODE-PORT-TCP": "bitmap:port",
  "KUBE-NODE-PORT-LOCAL-TCP": "bitmap:port",
  "KUBE-NODE-PORT-UDP": "bitmap:port",
  "KUBE-NODE-PORT-LOCAL-UDP": "bitmap:port",
  "KUBE-NODE-PORT-SCTP-HASH": "hash:ip,port",
  "KUBE-NODE-PORT-LOCAL-SCTP-HASH": "hash:ip,port",
  "KUBE-HEALTH-CHECK-NODE-PORT": "bitmap:port",
  "KUBE-IPVS-IPS": "hash:ip",
};

export function isSetName(name: string): name is SetName {
  return Object.hasOwn(setTypes, name);
}

const maxElements = 262_144;

/** `SET MEMBER`, as ipset writes it. */
export type SetMember = `${SetName} ${string}`;

/** Creates what is missing; what is there stays as it is. */
export function createLines(): readonly string[] {
  return Object.entries(setTypes).map(([name, type]) => {
    const size = type === "bitmap:port" ? "range 0-65535" : `family inet hashsize 1024 maxelem ${maxElements}`;
    return `create ${name} ${type} ${size}`;
  });
}

/** What one service port puts into the sets. */
export function membersOf(service: ProxyServicePort, nodeAddresses: readonly string[]): ReadonlySet<SetMember> {
  const members = new Set<SetMember>();
  const { clusterIP, port, externalIPs, loadBalancerIPs, loadBalancerSourceRanges } = service;
  const proto = service.protocol.toLowerCase();
  const local = service.externalTrafficPolicy === "Local";
  const at = (ip: string): string => `${ip},${proto}:${port}`;
  members.add(`KUBE-CLUSTER-IP ${at(clusterIP)}`);
  for (const ip of externalIPs) members.add(`${local ? "KUBE-EXTERNAL-IP-LOCAL" : "KUBE-EXTERNAL-IP"} ${at(ip)}`);
  for (const ip of loadBalancerIPs) {
    members.add(`KUBE-LOAD-BALANCER ${at(ip)}`);
    if (local) members.add(`KUBE-LOAD-BALANCER-LOCAL ${at(ip)}`);
    if (loadBalancerSourceRanges.length === 0) continue;
    members.add(`KUBE-LOAD-BALANCER-FW ${at(ip)}`);
    for (const range of loadBalancerSourceRanges)
      members.add(`KUBE-LOAD-BALANCER-SOURCE-CIDR ${at(ip)},${canonicalRange(range)}`);
  }
  for (const ip of [clusterIP, ...externalIPs, ...loadBalancerIPs]) members.add(`KUBE-IPVS-IPS ${ip}`);
  for (const member of nodePortMembers(service, nodeAddresses)) members.add(member);
  if (service.healthCheckNodePort !== 0) members.add(`KUBE-HEALTH-CHECK-NODE-PORT ${service.healthCheckNodePort}`);
  // An endpoint that is its own client would otherwise answer itself past the translation.
  for (const endpoint of new Set([...endpointsFor(service, "internal"), ...endpointsFor(service, "external")])) {
    if (endpoint.local) members.add(`KUBE-LOOP-BACK ${endpoint.ip},${proto}:${endpoint.port},${endpoint.ip}`);
  }
  return members;
}

function* nodePortMembers(service: ProxyServicePort, nodeAddresses: readonly string[]): Generator<SetMember> {
  const { nodePort, protocol } = service;
  if (nodePort === 0) return;
  const kinds = service.externalTrafficPolicy === "Local" ? (["", "LOCAL-"] as const) : ([""] as const);
  for (const kind of kinds) {
    if (protocol !== "SCTP") yield `KUBE-NODE-PORT-${kind}${protocol} ${nodePort}`;
    else for (const ip of nodeAddresses) yield `KUBE-NODE-PORT-${kind}SCTP-HASH ${ip},sctp:${nodePort}`;
  }
}

/** As ipset prints it: without host bits, and a single address without its length. */
function canonicalRange(range: string): string {
  const prefix = parseCidr(range);
  if (prefix === undefined) return range;
  const ip = formatIp({ family: prefix.family, value: prefix.first });
  return prefix.prefixLength === 32 ? ip : `${ip}/${prefix.prefixLength}`;
}

/** Reads `ipset save` for our sets. */
export function parseMembers(text: string): ReadonlySet<SetMember> {
  const members = new Set<SetMember>();
  for (const line of text.split("\n")) {
    const [verb, name = "", member] = line.trim().split(" ");
    if (verb === "add" && member !== undefined && isSetName(name)) members.add(`${name} ${member}`);
  }
  return members;
}

/** Our sets that exist. */
export function parseSetNames(text: string): readonly SetName[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter(isSetName);
}

export function memberLines(has: ReadonlySet<SetMember>, wants: ReadonlySet<SetMember>): readonly string[] {
  const lines: string[] = [];
  for (const member of has) if (!wants.has(member)) lines.push(`del ${member}`);
  for (const member of wants) if (!has.has(member)) lines.push(`add ${member}`);
  return lines;
}
