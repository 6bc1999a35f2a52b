import {
  type Endpoint,
  type EndpointAddress,
  type EndpointSubset,
  type Endpoints,
  endpoints,
  keyOf,
  services,
} from "../../api/index.js";
import type { Controller } from "../controller.js";
import { defineStatefulController } from "../define-controller.js";
import { hasSelector } from "../endpoints/service-pods.js";
import { triggerAnnotation } from "../endpoints/trigger-times.js";
import { type PortGroup, planSlices } from "../endpointslice/slices.js";
import { followSlices, managedBy, serviceName, writeSlices } from "../endpointslice/write-slices.js";
import { canonicalJson } from "../shared/hash.js";

const manager = "endpointslicemirroring-controller.k8s.io";
const skipMirror = "endpointslice.kubernetes.io/skip-mirror";
const leader = "control-plane.alpha.kubernetes.io/leader";
/** Of annotations, those that are about the Endpoints alone. */
const ownAnnotations = ["kubectl.kubernetes.io/last-applied-configuration", triggerAnnotation];
const maxPerSubset = 1000;

/** Copies the Endpoints that people keep by hand, for services without a selector, into EndpointSlices. */
export const endpointSliceMirroringController: Controller = defineStatefulController<Endpoints>({
  name: "endpointslice-mirroring-controller",
  aliases: ["endpointslicemirroring"],
  account: "endpointslicemirroring-controller",
  for: endpoints,
  prepare: (context, enqueue) => {
    const originals = context.informer(endpoints);
    const serviceInformer = context.informer(services);
    const slices = followSlices(context, manager, enqueue);
    serviceInformer.addHandler({
      add: (service) => enqueue(keyOf(service)),
      update: (_, service) => enqueue(keyOf(service)),
      delete: (service) => enqueue(keyOf(service)),
    });
    return async (key, reconcile) => {
      const original = originals.get(key);
      // What goes with its owner is the garbage collector's.
      if (original === undefined) return slices.forget(key);
      const requeueAfterMs = slices.waitMs(key);
      if (requeueAfterMs > 0) return { requeueAfterMs };
      const service = serviceInformer.get(key);
      const mirrored = service !== undefined && !hasSelector(service) && isMirrored(original);
      await writeSlices(reconcile, key, planSlices(mirrored ? groupsOf(original) : [], slices.of(key), []), {
        owner: original,
        ownerResource: endpoints,
        ...marksOf(original),
        slices,
        failure: `Error updating Endpoint Slices for Endpoints ${key}`,
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
