import type { Endpoint, EndpointSlice, Service } from "../../api/index.js";
import { type ClusterData, canonicalIp, clusterIpsOf } from "./cluster-data.js";
import { dashed, type NameRequest, undashed } from "./name.js";

/** What a name leads to: an address, or another name. */
export interface Target {
  readonly host: string;
  /** Absent: `host` is a name. */
  readonly family?: 4 | 6 | undefined;
  /** The name that has this address alone, by which SRV records point to it. */
  readonly owner: string;
  /** Absent: nothing listens there that is known. */
  readonly port?: number | undefined;
}

/** What a name leads to, in the order of what it was found in; undefined: there is no such name. Empty: there is, with no addresses. */
export function targetsOf(request: NameRequest, data: ClusterData, zone: string): readonly Target[] | undefined {
  const { area, namespace = "", service } = request;
  if (!data.hasNamespace(namespace)) return undefined;
  if (service === undefined) return [];
  return area === "pod"
    ? podTargets(service, `${service}.${namespace}.pod.${zone}`)
    : serviceTargets(request, data, zone);
}

/** As CoreDNS with `pods insecure`: every address has a name in every namespace, and labels before it do not matter. */
function podTargets(label: string, owner: string): readonly Target[] | undefined {
  const host = canonicalIp(undashed(label));
  return host === undefined ? undefined : [{ host, family: familyOf(host), owner }];
}

function serviceTargets(request: NameRequest, data: ClusterData, zone: string): readonly Target[] | undefined {
  const { namespace = "", service: name = "" } = request;
  const service = data.service(namespace, name);
  if (service === undefined) return undefined;
  const found = findTargets(service, `${name}.${namespace}.svc.${zone}`, request, data);
  return found.length > 0 ? found : undefined;
}

function findTargets(service: Service, owner: string, request: NameRequest, data: ClusterData): readonly Target[] {
  const { type, externalName = "", ports = [] } = service.spec ?? {};
  if (type === "ExternalName") {
    const host = externalName.replace(/\.$/, "");
    return request.endpoint !== undefined || host === "" || canonicalIp(host) !== undefined ? [] : [{ host, owner }];
  }
  if (isHeadless(service) || request.endpoint !== undefined) {
    const { namespace = "", name } = service.metadata;
    return [...data.slices(namespace, name)].flatMap((slice) => endpointTargets(slice, owner, request));
  }
  return ports
    .filter(({ name = "", protocol = "TCP" }) => matches(request, name, protocol))
    .flatMap(({ port }) =>
      clusterIpsOf(service).flatMap((ip) => {
        const host = canonicalIp(ip);
        return host === undefined ? [] : [{ host, family: familyOf(host), owner, port }];
      }),
    );
}

export function isHeadless({ spec }: Service): boolean {
  return spec?.clusterIP === "None" || spec?.clusterIPs?.[0] === "None";
}

function endpointTargets(slice: EndpointSlice, service: string, request: NameRequest): readonly Target[] {
  const ports = (slice.ports ?? []).length === 0 ? [{}] : (slice.ports ?? []);
  const wanted: readonly { readonly name?: string; readonly protocol?: string; readonly port?: number }[] = ports;
  return [...readyAddresses(slice)].flatMap(({ ip, hostname }) => {
    if (request.endpoint !== undefined && request.endpoint !== hostname.toLowerCase()) return [];
    const owner = `${hostname}.${service}`;
    return wanted
      .filter(({ name = "", protocol = "" }) => matches(request, name, protocol))
      .map(({ port }) => ({ host: ip, family: familyOf(ip), owner, port }));
  });
}

export interface EndpointAddress {
  readonly ip: string;
  /** The endpoint's own, or the dashed address. */
  readonly hostname: string;
}

/** Addresses that are ready. Where a service publishes those that are not, their slices say that they are. */
export function* readyAddresses({ endpoints }: EndpointSlice): IterableIterator<EndpointAddress> {
  for (const endpoint of endpoints ?? []) {
    if (!isReady(endpoint)) continue;
    for (const address of endpoint.addresses ?? []) {
      const ip = canonicalIp(address);
      if (ip !== undefined) yield { ip, hostname: endpoint.hostname || dashed(ip) };
    }
  }
}

function isReady({ conditions }: Endpoint): boolean {
  return conditions?.ready ?? true;
}

function matches({ port, protocol }: NameRequest, name: string, has: string): boolean {
  return (!port || port === name.toLowerCase()) && (!protocol || protocol === has.toLowerCase());
}

export function familyOf(ip: string): 4 | 6 {
  return ip.includes(":") ? 6 : 4;
}
