import { type EndpointSlice, formatIp, parseCidr, parseIp, type Service } from "../api/index.js";
import { type NodePlace, pickEndpoints } from "./pick-endpoints.js";
import type { ProxyEndpoint, ProxyProtocol, ProxyServicePort, TrafficPolicy } from "./proxy.js";

const defaultAffinitySeconds = 10_800;

type Family = 4 | 6;

/** What the table says about one service: a port for each of its ports and address families. */
export function portsOfService(
  service: Service,
  slices: readonly EndpointSlice[],
  place: NodePlace,
): readonly ProxyServicePort[] {
  const { spec } = service;
  if (spec === undefined || spec.type === "ExternalName" || spec.clusterIP === undefined) return [];
  if (spec.clusterIP === "" || spec.clusterIP === "None") return [];
  const clusterIPs = new Set([spec.clusterIP, ...(spec.clusterIPs ?? [])]);
  const result: ProxyServicePort[] = [];
  for (const clusterIP of clusterIPs) {
    const address = parseIp(clusterIP);
    if (address !== undefined) {
      result.push(...portsOfFamily(service, slices, place, formatIp(address), address.family));
    }
  }
  return result;
}

function portsOfFamily(
  service: Service,
  slices: readonly EndpointSlice[],
  place: NodePlace,
  clusterIP: string,
  family: Family,
): readonly ProxyServicePort[] {
  const spec = service.spec ?? {};
  const { namespace = "", name } = service.metadata;
  const shared = {
    namespace,
    name,
    family,
    clusterIP,
    externalIPs: ofFamily(spec.externalIPs ?? [], family),
    loadBalancerIPs: loadBalancerIPs(service, family),
    loadBalancerSourceRanges: sourceRanges(spec.loadBalancerSourceRanges ?? [], family),
    affinitySeconds:
      spec.sessionAffinity === "ClientIP"
        ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? defaultAffinitySeconds)
        : undefined,
    internalTrafficPolicy: policy(spec.internalTrafficPolicy),
    externalTrafficPolicy: policy(spec.externalTrafficPolicy),
    healthCheckNodePort: spec.healthCheckNodePort ?? 0,
  };
  return (spec.ports ?? []).flatMap((port) => {
    const protocol = protocolOf(port.protocol);
    if (protocol === undefined) return [];
    const portName = port.name ?? "";
    const endpoints = endpointsOf(slices, portName, protocol, family, place.nodeName);
    const policies = { ...shared, nodePort: port.nodePort ?? 0 };
    return [
      {
        ...policies,
        id: `${namespace}/${name}:${portName}/${family}`,
        portName,
        protocol,
        port: port.port,
        endpoints,
        ...pickEndpoints(policies, endpoints, place),
      },
    ];
  });
}

function protocolOf(text: string | undefined): ProxyProtocol | undefined {
  if (text === undefined || text === "TCP") return "TCP";
  return text === "UDP" || text === "SCTP" ? text : undefined;
}

function policy(text: string | undefined): TrafficPolicy {
  return text === "Local" ? "Local" : "Cluster";
}

/** The one text of an address of the family, which kernels and their tools write too. */
function canonicalIn(family: Family, text: string): string | undefined {
  const address = parseIp(text);
  return address?.family === family ? formatIp(address) : undefined;
}

function ofFamily(addresses: readonly string[], family: Family): readonly string[] {
  return addresses.flatMap((text) => canonicalIn(family, text) ?? []);
}

function loadBalancerIPs(service: Service, family: Family): readonly string[] {
  if (service.spec?.type !== "LoadBalancer") return [];
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  const virtual = ingress.filter(({ ipMode }) => ipMode === undefined || ipMode === "VIP");
  return ofFamily(
    virtual.flatMap(({ ip }) => (ip === undefined ? [] : [ip])),
    family,
  );
}

/** A range that holds everything is no restriction. */
function sourceRanges(ranges: readonly string[], family: Family): readonly string[] {
  const trimmed = ranges.map((range) => range.trim());
  const matching = trimmed.filter((range) => parseCidr(range)?.family === family);
  return matching.some((range) => parseCidr(range)?.prefixLength === 0) ? [] : matching;
}

function endpointsOf(
  slices: readonly EndpointSlice[],
  portName: string,
  protocol: ProxyProtocol,
  family: Family,
  nodeName: string,
): readonly ProxyEndpoint[] {
  const found = new Map<string, ProxyEndpoint>();
  for (const slice of slices) {
    if (slice.addressType !== `IPv${family}`) continue;
    const port = slice.ports?.find((one) => (one.name ?? "") === portName && (one.protocol ?? "TCP") === protocol);
    if (port?.port === undefined) continue;
    for (const { addresses, conditions = {}, hints, nodeName: on, zone } of slice.endpoints ?? []) {
      const ip = canonicalIn(family, addresses[0] ?? "");
      if (ip === undefined) continue;
      const key = `${ip}\n${port.port}`;
      const ready = conditions.ready ?? true;
      // While an endpoint moves from one slice to another it may be in both; ready wins.
      if (found.get(key)?.ready === true) continue;
      found.set(key, {
        ip,
        port: port.port,
        ready,
        serving: conditions.serving ?? ready,
        terminating: conditions.terminating ?? false,
        local: on !== undefined && on === nodeName,
        nodeName: on,
        zone,
        forZones: hints?.forZones?.map((hint) => hint.name) ?? [],
        forNodes: hints?.forNodes?.map((hint) => hint.name) ?? [],
      });
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
}
