import type { PrinterColumn } from "../description.js";
import type {
  EndpointSlice,
  Endpoints,
  Ingress,
  IngressClass,
  IPAddress,
  NetworkPolicy,
  Service,
  ServiceCIDR,
} from "../gen/types.js";
import { ageColumn, columns, firstOf, labelsText, name, orNone, orUnset, selectorText, text, wide } from "./column.js";

function externalAddresses(service: Service): string {
  const external = service.spec?.externalIPs ?? [];
  switch (service.spec?.type ?? "ClusterIP") {
    case "ClusterIP":
    case "NodePort":
      return orNone(external.join(","));
    case "LoadBalancer": {
      const balancer = balancerAddresses(service.status?.loadBalancer?.ingress);
      const all = [...balancer, ...external];
      return all.length > 0 ? all.join(",") : "<pending>";
    }
    case "ExternalName":
      return service.spec?.externalName ?? "";
    default:
      return "<unknown>";
  }
}

function balancerAddresses(
  ingress: readonly { readonly ip?: string; readonly hostname?: string }[] | undefined,
): readonly string[] {
  const addresses = new Set((ingress ?? []).map(({ ip, hostname }) => ip || hostname || ""));
  return [...addresses].filter((address) => address !== "").sort();
}

function servicePorts(service: Service): string {
  const ports = (service.spec?.ports ?? []).map(({ port, nodePort, protocol = "TCP" }) =>
    nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
  );
  return orNone(ports.join(","));
}

export const serviceColumns: readonly PrinterColumn[] = columns<Service>(
  name,
  text("Type", "How the service is reached.", (service) => service.spec?.type ?? ""),
  text("Cluster-IP", "The service's first address in the cluster.", (service) =>
    orNone(service.spec?.clusterIPs?.[0] ?? service.spec?.clusterIP),
  ),
  text("External-IP", "The addresses that reach it from outside.", externalAddresses),
  text("Port(s)", "Its ports, with node ports.", servicePorts),
  ageColumn,
  wide("Selector", "The labels of the pods behind it.", (service) => labelsText(service.spec?.selector)),
);

function joinHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function endpointsText(endpoints: Endpoints): string {
  const subsets = endpoints.subsets ?? [];
  if (subsets.length === 0) return "<none>";
  const all = subsets.flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map(({ ip }) => ip)
      : ports.flatMap(({ port }) => addresses.map(({ ip }) => joinHostPort(ip, port))),
  );
  return firstOf(all, 3);
}

export const endpointsColumns: readonly PrinterColumn[] = columns<Endpoints>(
  name,
  text("Endpoints", "The addresses behind the service.", endpointsText),
  ageColumn,
);

export const endpointSliceColumns: readonly PrinterColumn[] = columns<EndpointSlice>(
  name,
  text("AddressType", "The family of the addresses.", (slice) => slice.addressType),
  text("Ports", "The ports of every endpoint.", (slice) =>
    orUnset(
      firstOf(
        (slice.ports ?? []).map((port) => port.port?.toString() ?? port.name ?? "*"),
        3,
      ),
    ),
  ),
  text("Endpoints", "The addresses of the endpoints.", (slice) =>
    orUnset(
      firstOf(
        (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses),
        3,
      ),
    ),
  ),
  ageColumn,
);

const maxHosts = 3;

/** Rules without a host count among those that are left out, as upstream counts. */
function hosts(ingress: Ingress): string {
  const rules = ingress.spec?.rules ?? [];
  const named = rules.flatMap(({ host }, index) => (host ? [{ host, index }] : []));
  if (named.length === 0) return "*";
  const shown = named.slice(0, maxHosts);
  const more = shown.length === maxHosts && (shown.at(-1)?.index ?? 0) < rules.length - 1;
  const text = shown.map(({ host }) => host).join(",");
  return more ? `${text} + ${rules.length - maxHosts} more...` : text;
}

export const ingressColumns: readonly PrinterColumn[] = columns<Ingress>(
  name,
  text("Class", "The class of controllers that serve it.", (ingress) => ingress.spec?.ingressClassName ?? "<none>"),
  text("Hosts", "The hosts that it answers for.", hosts),
  text("Address", "Where its load balancer is reached.", (ingress) =>
    balancerAddresses(ingress.status?.loadBalancer?.ingress).join(","),
  ),
  text("Ports", "The ports that are open.", (ingress) => ((ingress.spec?.tls ?? []).length > 0 ? "80, 443" : "80")),
  ageColumn,
);

export const ingressClassColumns: readonly PrinterColumn[] = columns<IngressClass>(
  name,
  text("Controller", "The controller that serves the class.", (ingressClass) => ingressClass.spec?.controller ?? ""),
  text("Parameters", "The object with further settings.", (ingressClass) => {
    const parameters = ingressClass.spec?.parameters;
    if (parameters === undefined) return "<none>";
    const kind = parameters.apiGroup === undefined ? parameters.kind : `${parameters.kind}.${parameters.apiGroup}`;
    return `${kind}/${parameters.name}`;
  }),
  ageColumn,
);

export const networkPolicyColumns: readonly PrinterColumn[] = columns<NetworkPolicy>(
  name,
  text("Pod-Selector", "The pods that the policy is for.", (policy) => selectorText(policy.spec?.podSelector)),
  ageColumn,
);

export const ipAddressColumns: readonly PrinterColumn[] = columns<IPAddress>(
  name,
  text("ParentRef", "The object that uses the address.", (address) => {
    const parent = address.spec?.parentRef;
    if (parent === undefined) return "<none>";
    const resource = (parent.group ? `${parent.resource}.${parent.group}` : parent.resource).toLowerCase();
    return parent.namespace ? `${resource}/${parent.namespace}/${parent.name}` : `${resource}/${parent.name}`;
  }),
  ageColumn,
);

export const serviceCidrColumns: readonly PrinterColumn[] = columns<ServiceCIDR>(
  name,
  text("CIDRs", "The ranges of addresses.", (range) => (range.spec?.cidrs ?? []).join(",")),
  ageColumn,
);
