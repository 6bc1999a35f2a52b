import type { DiscoveryEndpointPort, Endpoint, EndpointSlice, Node, Pod, Service } from "../../api/index.js";
import { type AddressType, addressIn, addressTypesOf, hostnameIn, targetPortOn } from "../endpoints/service-pods.js";
import { canonicalJson, equalJson } from "../shared/hash.js";
import { isReady, isTerminating } from "../shared/pods.js";

export const maxEndpointsPerSlice = 100;
const zoneLabel = "topology.kubernetes.io/zone";

/** Endpoints that have the same ports, and so can share slices. */
export interface PortGroup {
  readonly addressType: AddressType;
  readonly ports: readonly DiscoveryEndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

export interface SliceChanges {
  readonly create: readonly { readonly group: Omit<PortGroup, "endpoints">; readonly endpoints: readonly Endpoint[] }[];
  readonly update: readonly { readonly slice: EndpointSlice; readonly endpoints: readonly Endpoint[] }[];
  readonly remove: readonly EndpointSlice[];
}

/** The endpoints of a service as they should be, by address family and ports. */
export function portGroups(
  service: Service,
  pods: readonly Pod[],
  nodeOf: (name: string) => Node | undefined,
): readonly PortGroup[] {
  const groups = new Map<
    string,
    { addressType: AddressType; ports: readonly DiscoveryEndpointPort[]; endpoints: Endpoint[] }
  >();
  for (const addressType of addressTypesOf(service)) {
    for (const pod of pods) {
      const address = addressIn(pod, addressType);
      if (address === undefined) continue;
      const ports = portsOn(service, pod);
      const id = `${addressType}${canonicalJson(ports)}`;
      const group = groups.get(id) ?? { addressType, ports, endpoints: [] };
      groups.set(id, group);
      group.endpoints.push(endpointOf(service, pod, address, nodeOf(pod.spec?.nodeName ?? "")));
    }
  }
  return [...groups.values()];
}

function portsOn(service: Service, pod: Pod): readonly DiscoveryEndpointPort[] {
  const ports: DiscoveryEndpointPort[] = [];
  for (const { name = "", protocol = "TCP", appProtocol, ...port } of service.spec?.ports ?? []) {
    const number = targetPortOn(pod, { ...port, protocol });
    if (number !== undefined) {
      ports.push({ name, port: number, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) });
    }
  }
  return ports;
}

function endpointOf(service: Service, pod: Pod, address: string, node: Node | undefined): Endpoint {
  const { namespace, name, uid } = pod.metadata;
  const serving = isReady(pod);
  const terminating = isTerminating(pod);
  const ready = service.spec?.publishNotReadyAddresses === true || (serving && !terminating);
  const hostname = hostnameIn(pod, service);
  const nodeName = pod.spec?.nodeName;
  const zone = node?.metadata.labels?.[zoneLabel];
  const hints = ready ? hintsFor(service, nodeName, zone) : undefined;
  return {
    addresses: [address],
    conditions: { ready, serving, terminating },
    ...(hostname === undefined ? {} : { hostname }),
    targetRef: { kind: "Pod", ...(namespace === undefined ? {} : { namespace }), name, uid },
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(zone === undefined ? {} : { zone }),
    ...(hints === undefined ? {} : { hints }),
  };
}

function hintsFor(service: Service, nodeName: string | undefined, zone: string | undefined): Endpoint["hints"] {
  const wish = service.spec?.trafficDistribution;
  if (wish !== "PreferClose" && wish !== "PreferSameZone" && wish !== "PreferSameNode") return undefined;
  const hints = {
    ...(zone === undefined ? {} : { forZones: [{ name: zone }] }),
    ...(wish === "PreferSameNode" && nodeName !== undefined ? { forNodes: [{ name: nodeName }] } : {}),
  };
  return Object.keys(hints).length === 0 ? undefined : hints;
}

function identity(endpoint: Endpoint): string {
  return `${endpoint.targetRef?.uid ?? ""} ${endpoint.addresses[0] ?? ""}`;
}

/**
 * How to bring slices to what should be with few writes: endpoints stay in the slice they are in; new ones go first where a write
 * is due anyway, then where they all fit, else into new slices. Each address type keeps one slice, if an empty one.
 */
export function planSlices(
  groups: readonly PortGroup[],
  existing: readonly EndpointSlice[],
  types: readonly AddressType[],
): SliceChanges {
  const create: { group: Omit<PortGroup, "endpoints">; endpoints: readonly Endpoint[] }[] = [];
  const update: { slice: EndpointSlice; endpoints: readonly Endpoint[] }[] = [];
  const unused = new Set(existing);
  const kept = new Set<string>();
  for (const group of groups) {
    const own = existing.filter(
      (slice) => slice.addressType === group.addressType && equalJson(slice.ports ?? [], group.ports),
    );
    const plan = planGroup(group, own);
    for (const slice of own) if (!plan.empty.has(slice)) unused.delete(slice);
    update.push(...plan.update);
    for (const endpoints of plan.create) create.push({ group, endpoints });
    if (plan.create.length > 0 || plan.empty.size < own.length) kept.add(group.addressType);
  }
  for (const addressType of types) {
    if (kept.has(addressType)) continue;
    const spare = [...unused].find((slice) => slice.addressType === addressType);
    if (spare === undefined) create.push({ group: { addressType, ports: [] }, endpoints: [] });
    else {
      unused.delete(spare);
      if ((spare.endpoints ?? []).length > 0) update.push({ slice: spare, endpoints: [] });
    }
  }
  return { create, update, remove: [...unused] };
}

function planGroup(
  group: PortGroup,
  slices: readonly EndpointSlice[],
): {
  update: { slice: EndpointSlice; endpoints: readonly Endpoint[] }[];
  create: (readonly Endpoint[])[];
  empty: ReadonlySet<EndpointSlice>;
} {
  const wanted = new Map(group.endpoints.map((endpoint) => [identity(endpoint), endpoint]));
  const drafts = slices.map((slice) => {
    const endpoints: Endpoint[] = [];
    let changed = false;
    for (const endpoint of slice.endpoints ?? []) {
      const next = wanted.get(identity(endpoint));
      if (next === undefined) changed = true;
      else {
        wanted.delete(identity(endpoint));
        endpoints.push(next);
        if (!equalJson(next, endpoint)) changed = true;
      }
    }
    return { slice, endpoints, changed };
  });
  const missing = [...wanted.values()];
  const fill = (draft: { endpoints: Endpoint[]; changed: boolean }): void => {
    const added = missing.splice(0, maxEndpointsPerSlice - draft.endpoints.length);
    draft.endpoints.push(...added);
    if (added.length > 0) draft.changed = true;
  };
  for (const draft of drafts) if (draft.changed && draft.endpoints.length > 0) fill(draft);
  const create: (readonly Endpoint[])[] = [];
  while (missing.length >= maxEndpointsPerSlice) create.push(missing.splice(0, maxEndpointsPerSlice));
  if (missing.length > 0) {
    const roomy = drafts
      .filter(({ endpoints }) => endpoints.length + missing.length <= maxEndpointsPerSlice)
      .sort((a, b) => b.endpoints.length - a.endpoints.length)[0];
    if (roomy === undefined) create.push(missing.splice(0));
    else fill(roomy);
  }
  const empty = new Set(drafts.filter(({ endpoints }) => endpoints.length === 0).map(({ slice }) => slice));
  const update = drafts.filter(({ changed, endpoints }) => changed && endpoints.length > 0);
  return { update, create, empty };
}
