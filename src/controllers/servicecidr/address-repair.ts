import {
  type IPAddress,
  ipAddresses,
  isStatusError,
  type New,
  type Service,
  type ServiceCIDR,
  serviceCIDRs,
  services,
} from "../../api/index.js";
import { formatIp, parseIp } from "../../api/ip.js";
import type { Informer } from "../../client/index.js";
import type { Controller } from "../controller.js";
import { defineStatefulController, type ReconcileContext } from "../define-controller.js";
import { deleteExactly, getOrUndefined } from "../shared/write-status.js";
import { familyLabel, holdsAddress, isForServices, managedBy, serviceAllocator } from "./blocks.js";

/** So long a Service may be under way for which an address is taken already. */
const graceMs = 60_000;
const byIp = "cluster-ip";

/**
 * Keeps IPAddresses and the addresses of Services in step: one that was lost is made anew, one that no Service has any more is removed.
 * For the process of an API server, as upstream, with all rights; several may run.
 */
export const ipAddressRepair: Controller = defineStatefulController({
  name: "ipallocator-repair-controller",
  concurrency: 1,
  prepare: (context, enqueue) => {
    const known: Known = {
      services: context.informer(services),
      addresses: context.informer(ipAddresses),
      cidrs: context.informer(serviceCIDRs),
    };
    known.services.addIndex(byIp, clusterIps);
    const serviceChanged = (service: Service): void => {
      enqueue(`service:${service.metadata.namespace}/${service.metadata.name}`);
      for (const ip of clusterIps(service)) enqueue(`address:${ip}`);
    };
    const addressChanged = ({ metadata: { name } }: IPAddress): void => {
      enqueue(`address:${name}`);
      for (const { metadata } of known.services.byIndex(byIp, name)) {
        enqueue(`service:${metadata.namespace}/${metadata.name}`);
      }
    };
    known.services.addHandler({
      add: serviceChanged,
      update: (old, service) => {
        serviceChanged(old);
        serviceChanged(service);
      },
      delete: serviceChanged,
    });
    known.addresses.addHandler({
      add: addressChanged,
      update: (_, address) => addressChanged(address),
      delete: addressChanged,
    });
    return (task, reconcile) => {
      const at = task.indexOf(":");
      const key = task.slice(at + 1);
      return task.startsWith("service:") ? repairService(known, key, reconcile) : cleanAddress(known, key, reconcile);
    };
  },
});

interface Known {
  readonly services: Informer<Service>;
  readonly addresses: Informer<IPAddress>;
  readonly cidrs: Informer<ServiceCIDR>;
}

function clusterIps({ spec }: Service): readonly string[] {
  if (spec === undefined || spec.type === "ExternalName") return [];
  const all = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  return all.filter((ip) => ip !== "" && ip !== "None").map(canonical);
}

/** The name that an address has as an object. */
function canonical(ip: string): string {
  const address = parseIp(ip);
  return address === undefined ? ip : formatIp(address);
}

function familyOf(ip: string): string {
  return parseIp(ip)?.family === 6 ? "IPv6" : "IPv4";
}

async function repairService(known: Known, key: string, context: ReconcileContext): Promise<void> {
  const cached = known.services.get(key);
  if (cached === undefined) return;
  for (const ip of clusterIps(cached)) {
    const seen = known.addresses.get(ip);
    if (seen !== undefined && fits(seen, cached)) continue;
    // The caches of the two come by themselves, so what they say together is looked at again.
    const service = await getOrUndefined(context.client, services, cached, context.signal);
    if (service === undefined || !clusterIps(service).includes(ip)) continue;
    if (![...known.cidrs.list()].some((cidr) => holdsAddress(cidr, ip))) {
      const what = `Cluster IP [${familyOf(ip)}]: ${ip} is not within any configured Service CIDR`;
      context.events.event(service, "Warning", "ClusterIPOutOfRange", `${what}; please recreate service`);
      continue;
    }
    await repair(service, ip, context);
  }
}

/** Whether an address says of the Service, as its allocator does, that it has it. */
function fits({ metadata, spec }: IPAddress, service: Service): boolean {
  const labels = metadata.labels ?? {};
  const parent = spec?.parentRef;
  return (
    isServiceReference(parent) &&
    parent?.namespace === service.metadata.namespace &&
    parent?.name === service.metadata.name &&
    labels[managedBy] === serviceAllocator &&
    labels[familyLabel] === familyOf(metadata.name)
  );
}

function isServiceReference(parent: { readonly group?: string; readonly resource?: string } | undefined): boolean {
  return (parent?.group ?? "") === "" && parent?.resource === "services";
}

async function repair(service: Service, ip: string, { client, events, signal }: ReconcileContext): Promise<void> {
  const address = await getOrUndefined(client, ipAddresses, { metadata: { name: ip } }, signal);
  if (address !== undefined && fits(address, service)) return;
  const { namespace, name } = service.metadata;
  const what = `[${familyOf(ip)}]: ${ip}`;
  if (address === undefined) {
    const message = `Cluster IP ${what} is not allocated; repairing`;
    events.event(service, "Warning", "ClusterIPNotAllocated", message);
  } else {
    const holder = await holderOf(address, client, signal);
    if (holder !== undefined && holder.metadata.uid !== service.metadata.uid) {
      const message = `Cluster IP [${familyOf(ip)}]:${ip} was assigned to multiple services; please recreate service`;
      events.event(service, "Warning", "ClusterIPAlreadyAllocated", message);
      return;
    }
    const message = `the ClusterIP ${what} for Service ${namespace}/${name} has a wrong reference; repairing`;
    events.event(service, "Warning", "ClusterIPNotAllocated", message);
    await deleteExactly(client, ipAddresses, address, { signal });
  }
  try {
    await client.create(ipAddresses, addressFor(ip, service), { signal });
  } catch (error) {
    // Another API server repairs too.
    if (!isStatusError(error, "AlreadyExists")) throw error;
  }
}

/** The Service that an address names and that has it. */
async function holderOf(
  { metadata, spec }: IPAddress,
  client: ReconcileContext["client"],
  signal: AbortSignal,
): Promise<Service | undefined> {
  const parent = spec?.parentRef;
  if (!isServiceReference(parent) || parent?.name === undefined || parent.namespace === undefined) return undefined;
  const { namespace, name } = parent;
  const service = await getOrUndefined(client, services, { metadata: { namespace, name } }, signal);
  return service !== undefined && clusterIps(service).includes(metadata.name) ? service : undefined;
}

function addressFor(ip: string, { metadata: { namespace = "", name } }: Service): New<IPAddress> {
  const labels = { [familyLabel]: familyOf(ip), [managedBy]: serviceAllocator };
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "IPAddress",
    metadata: { name: ip, labels },
    spec: { parentRef: { group: "", resource: "services", namespace, name } },
  };
}

/** Removes an address of the Services' allocator that no Service has. */
async function cleanAddress(
  { addresses, services: known }: Known,
  ip: string,
  context: ReconcileContext,
): Promise<{ readonly requeueAfterMs: number } | undefined> {
  const { client, clock, signal } = context;
  const address = addresses.get(ip);
  if (address === undefined || !isForServices(address)) return undefined;
  const parent = address.spec?.parentRef;
  const drop = async (reason: string, message: string): Promise<undefined> => {
    context.events.event(address, "Warning", reason, message);
    await deleteExactly(client, ipAddresses, address, { signal });
  };
  if (!isServiceReference(parent)) {
    const of = `${parent?.resource}.${parent?.group} ${parent?.namespace}/${parent?.name}`;
    const what = `IPAddress ${ip} appears to have been modified, not referencing a Service ${of}`;
    return drop("IPAddressNotAllocated", `${what}: cleaning up`);
  }
  const owner = `${parent?.namespace}/${parent?.name}`;
  const cached = known.get(owner);
  if (cached !== undefined && clusterIps(cached).includes(ip)) return undefined;
  // The Service is written after its address, and its deletion before that.
  const leftMs = graceMs - (clock.now() - Date.parse(address.metadata.creationTimestamp));
  if (leftMs > 0) return { requeueAfterMs: leftMs };
  if ((await holderOf(address, client, signal)) !== undefined) return undefined;
  return cached === undefined
    ? drop("IPAddressNotAllocated", `IPAddress: ${ip} for Service ${owner} appears to have leaked: cleaning up`)
    : drop("IPAddressWrongReference", `IPAddress: ${ip} for Service ${owner} has a wrong reference; cleaning up`);
}
