import {
  type Endpoint,
  type EndpointAddress,
  type EndpointSlice,
  type EndpointSubset,
  type Endpoints,
  endpointSlices,
  endpoints,
  keyOf,
  services,
} from "../../api/index.js";
import type { Controller } from "../controller.js";
import { defineStatefulController } from "../define-controller.js";
import { hasSelector } from "../endpoints/service-pods.js";
import { type PortGroup, planSlices } from "../endpointslice/slices.js";
import { managedBy, serviceKeyOf, serviceName, writeSlices } from "../endpointslice/write-slices.js";
import { canonicalJson } from "../shared/hash.js";
import { OwnWrites } from "../shared/own-writes.js";

const manager = "endpointslicemirroring-controller.k8s.io";
const skipMirror = "endpointslice.kubernetes.io/skip-mirror";
const leader = "control-plane.alpha.kubernetes.io/leader";
/** Of annotations, those that are about the Endpoints alone. */
const ownAnnotations = [
  "kubectl.kubernetes.io/last-applied-configuration",
  "endpoints.kubernetes.io/last-change-trigger-time",
];
const maxPerSubset = 1000;
const byService = "service";

/** Copies the Endpoints that people keep by hand, for services without a selector, into EndpointSlices. */
export const endpointSliceMirroringController: Controller = defineStatefulController<Endpoints>({
  name: "endpointslice-mirroring-controller",
  aliases: ["endpointslicemirroring"],
  account: "endpointslicemirroring-controller",
  for: endpoints,
  prepare: (context, enqueue) => {
    const originals = context.informer(endpoints);
    const serviceInformer = context.informer(services);
    const slices = context.informer(endpointSlices);
    const writes = new OwnWrites<EndpointSlice>(context.clock);
    slices.addIndex(byService, (slice) => {
      const key = serviceKeyOf(slice, manager);
      return key === undefined ? [] : [key];
    });
    const mend = (slice: EndpointSlice): void => {
      const key = serviceKeyOf(slice, manager);
      if (key !== undefined) enqueue(key);
    };
    slices.addHandler({ add: mend, update: (_, slice) => mend(slice), delete: mend });
    serviceInformer.addHandler({
      add: (service) => enqueue(keyOf(service)),
      update: (_, service) => enqueue(keyOf(service)),
      delete: (service) => enqueue(keyOf(service)),
    });
    return async (key, reconcile) => {
      const requeueAfterMs = writes.waitMs(key, slices);
      if (requeueAfterMs > 0) return { requeueAfterMs };
      const original = originals.get(key);
      const service = serviceInformer.get(key);
      const existing = [...slices.byIndex(byService, key)];
      // What goes with its owner is the garbage collector's.
      if (original === undefined) return writes.forget(key);
      const mirrored = service !== undefined && !hasSelector(service) && isMirrored(original);
      await writeSlices(reconcile, planSlices(mirrored ? groupsOf(original) : [], existing, []), {
        owner: original,
        ownerResource: endpoints,
        ...marksOf(original),
        existing,
        failure: `Error updating Endpoint Slices for Endpoints ${key}`,
        wrote: (slice) => writes.wrote(key, slice),
        deleted: (slice) => writes.deleted(key, slice),
      });
    };
  },
});

function isMirrored({ metadata: { labels, annotations, deletionTimestamp } }: Endpoints): boolean {
  return deletionTimestamp === undefined && labels?.[skipMirror] !== "true" && annotations?.[leader] === undefined;
}

function marksOf({ metadata: { name, labels, annotations } }: Endpoints): {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
} {
  const kept = Object.entries(annotations ?? {}).filter(([key]) => !ownAnnotations.includes(key));
  return {
    labels: { ...labels, [serviceName]: name, [managedBy]: manager },
    annotations: Object.fromEntries(kept),
  };
}

/** The addresses of all subsets, by family and ports. */
function groupsOf({ subsets = [] }: Endpoints): readonly PortGroup[] {
  const groups = new Map<string, PortGroup & { readonly endpoints: Endpoint[] }>();
  for (const subset of subsets) {
    const ports = portsOf(subset);
    for (const { address, ready } of addressesOf(subset)) {
      const addressType = address.ip.includes(":") ? "IPv6" : "IPv4";
      const id = `${addressType}${canonicalJson(ports)}`;
      const group = groups.get(id) ?? { addressType, ports, endpoints: [] };
      groups.set(id, group);
      group.endpoints.push(endpointOf(address, ready));
    }
  }
  return [...groups.values()];
}

function* addressesOf({ addresses = [], notReadyAddresses = [] }: EndpointSubset): Generator<{
  readonly address: EndpointAddress;
  readonly ready: boolean;
}> {
  for (const address of addresses.slice(0, maxPerSubset)) yield { address, ready: true };
  for (const address of notReadyAddresses.slice(0, maxPerSubset - addresses.length)) yield { address, ready: false };
}

function portsOf({ ports = [] }: EndpointSubset): PortGroup["ports"] {
  return ports.map(({ name = "", protocol = "TCP", port, appProtocol }) => ({
    name,
    port,
    protocol,
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }));
}

function endpointOf({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname ? { hostname } : {}),
    ...(nodeName ? { nodeName } : {}),
    ...(targetRef === undefined ? {} : { targetRef }),
  };
}
