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

const maxElements = 262_144;
const maxNameLength = 31;

/** The name on the host: as kube-proxy's, sets of the two families have different ones. */
export function hostName(name: SetName, family: 4 | 6): string {
  return family === 4 ? name : name.replace(/^KUBE-/, "KUBE-6-").slice(0, maxNameLength);
}

/** Our names by the host's, of one family. */
function namesOf(family: 4 | 6): ReadonlyMap<string, SetName> {
  return new Map((Object.keys(setTypes) as SetName[]).map((name) => [hostName(name, family), name]));
}

/** `SET MEMBER`, as ipset writes it. */
export type SetMember = `${SetName} ${string}`;

/** Creates what is missing; what is there stays as it is. */
export function createLines(family: 4 | 6): readonly string[] {
  const inet = family === 4 ? "inet" : "inet6";
  return [...namesOf(family)].map(([name, own]) => {
    const type = setTypes[own];
    const size = type === "bitmap:port" ? "range 0-65535" : `family ${inet} hashsize 1024 maxelem ${maxElements}`;
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
  return prefix.prefixLength === (prefix.family === 4 ? 32 : 128) ? ip : `${ip}/${prefix.prefixLength}`;
}

/** Reads `ipset save` for our sets of a family. */
export function parseMembers(text: string, family: 4 | 6): ReadonlySet<SetMember> {
  const names = namesOf(family);
  const members = new Set<SetMember>();
  for (const line of text.split("\n")) {
    const [verb, onHost = "", member] = line.trim().split(" ");
    const name = names.get(onHost);
    if (verb === "add" && member !== undefined && name !== undefined) members.add(`${name} ${member}`);
  }
  return members;
}

/** Our sets of a family that exist, by the host's names. */
export function parseSetNames(text: string, family: 4 | 6): readonly string[] {
  const names = namesOf(family);
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((name) => names.has(name));
}

export function memberLines(
  has: ReadonlySet<SetMember>,
  wants: ReadonlySet<SetMember>,
  family: 4 | 6,
): readonly string[] {
  const onHost = (member: SetMember): string => {
    const [name, ...rest] = member.split(" ");
    return [hostName(name as SetName, family), ...rest].join(" ");
  };
  const lines: string[] = [];
  for (const member of has) if (!wants.has(member)) lines.push(`del ${onHost(member)}`);
  for (const member of wants) if (!has.has(member)) lines.push(`add ${onHost(member)}`);
  return lines;
}
