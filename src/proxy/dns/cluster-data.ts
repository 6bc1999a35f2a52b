import {
  type EndpointSlice,
  endpointSlices,
  formatIp,
  type KubeObject,
  namespaces,
  parseIp,
  type Service,
  services,
} from "../../api/index.js";
import type { InformerFactory, InformerHandler } from "../../client/index.js";
import type { Clock } from "../../internal/clock.js";

/** What names are made of. Everything is read anew for each question, and nothing is changed. */
export interface ClusterData {
  /** False while there may be more than is known: then nothing is said not to exist. */
  readonly synced: boolean;
  /** When something last changed, in seconds since the epoch; the serial number of the zones. */
  readonly serial: number;
  hasNamespace(name: string): boolean;
  service(namespace: string, name: string): Service | undefined;
  /** All slices of a service. */
  slices(namespace: string, service: string): Iterable<EndpointSlice>;
  /** Services with this cluster IP or external IP, in canonical form. */
  servicesByAddress(ip: string): Iterable<Service>;
  /** Slices with an endpoint of this address, in canonical form. */
  slicesByAddress(ip: string): Iterable<EndpointSlice>;
}

const serviceNameLabel = "kubernetes.io/service-name";
const byService = "dns-service";
const byAddress = "dns-address";

/** Follows Services, EndpointSlices and Namespaces. To be called before the factory is started. */
export function followCluster(factory: InformerFactory, clock: Clock): ClusterData {
  let serial = seconds(clock);
  const changed = (): void => {
    serial = seconds(clock);
  };
  const handler: InformerHandler<KubeObject> = { add: changed, update: changed, delete: changed };
  const ofServices = factory.informer(services, { indexers: { [byAddress]: addressesOfService } });
  const ofSlices = factory.informer(endpointSlices, {
    indexers: { [byService]: serviceOf, [byAddress]: addressesOfSlice },
  });
  const ofNamespaces = factory.informer(namespaces);
  ofServices.addHandler(handler);
  ofSlices.addHandler(handler);
  return {
    get synced() {
      return ofServices.synced && ofSlices.synced && ofNamespaces.synced;
    },
    get serial() {
      return serial;
    },
    hasNamespace: (name) => ofNamespaces.get(name) !== undefined,
    service: (namespace, name) => ofServices.get(`${namespace}/${name}`),
    slices: (namespace, service) => ofSlices.byIndex(byService, `${namespace}/${service}`),
    servicesByAddress: (ip) => ofServices.byIndex(byAddress, ip),
    slicesByAddress: (ip) => ofSlices.byIndex(byAddress, ip),
  };
}

function seconds(clock: Clock): number {
  return Math.floor(clock.now() / 1000);
}

/** The service that a slice belongs to. */
export function serviceNameOf({ metadata }: EndpointSlice): string {
  return new Map(Object.entries(metadata.labels ?? {})).get(serviceNameLabel) ?? "";
}

/** One form of each address; undefined for what is none. */
export function canonicalIp(text: string): string | undefined {
  const address = parseIp(text);
  return address === undefined ? undefined : formatIp(address);
}

/** A service's own addresses, none for a headless one and for one of another name. */
export function clusterIpsOf({ spec }: Service): readonly string[] {
  const { clusterIP = "", clusterIPs = [] } = spec ?? {};
  return (clusterIPs.length > 0 ? clusterIPs : [clusterIP]).filter((ip) => ip !== "" && ip !== "None");
}

function addressesOfService(service: Service): readonly string[] {
  return canonical([...clusterIpsOf(service), ...(service.spec?.externalIPs ?? [])]);
}

function serviceOf(slice: EndpointSlice): readonly string[] {
  const name = serviceNameOf(slice);
  return name === "" ? [] : [`${slice.metadata.namespace ?? ""}/${name}`];
}

function addressesOfSlice({ endpoints }: EndpointSlice): readonly string[] {
  return canonical((endpoints ?? []).flatMap(({ addresses }) => addresses ?? []));
}

function canonical(ips: readonly string[]): readonly string[] {
  return [...new Set(ips.flatMap((ip) => canonicalIp(ip) ?? []))];
}
