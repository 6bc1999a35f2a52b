import { type EndpointSlice, endpointSlices, type Node, nodes, type Service, services } from "../../api/index.js";
import type { Controller } from "../controller.js";
import { defineStatefulController } from "../define-controller.js";
import { hasSelector, isHeadless, ServicePods } from "../endpoints/service-pods.js";
import { OwnWrites } from "../shared/own-writes.js";
import { addressTypesOf, planSlices, portGroups } from "./slices.js";
import { managedBy, serviceKeyOf, serviceName, writeSlices } from "./write-slices.js";

const manager = "endpointslice-controller.k8s.io";
const headlessLabel = "service.kubernetes.io/headless";
const zoneLabel = "topology.kubernetes.io/zone";
const byService = "service";

/** Keeps the EndpointSlices of every service with a selector. */
export const endpointSliceController: Controller = defineStatefulController<Service>({
  name: "endpointslice-controller",
  aliases: ["endpointslice"],
  for: services,
  prepare: (context, enqueue) => {
    const behind = new ServicePods(context, enqueue);
    const nodeInformer = context.informer(nodes);
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
    const zoneChanged = (old: Node | undefined, node: Node): void => {
      if (old?.metadata.labels?.[zoneLabel] === node.metadata.labels?.[zoneLabel]) return;
      for (const key of behind.services.keys()) enqueue(key);
    };
    nodeInformer.addHandler({ add: (node, initial) => initial || zoneChanged(undefined, node), update: zoneChanged });
    return async (key, reconcile) => {
      const service = behind.services.get(key);
      // Without its service a slice is the garbage collector's.
      if (service === undefined) return writes.forget(key);
      if (!hasSelector(service) || service.metadata.deletionTimestamp !== undefined) return;
      const requeueAfterMs = writes.waitMs(key, slices);
      if (requeueAfterMs > 0) return { requeueAfterMs };
      const groups = portGroups(service, behind.behind(service), (name) => nodeInformer.get(name));
      const existing = [...slices.byIndex(byService, key)];
      const { name, namespace } = service.metadata;
      const plan = planSlices(groups, existing, addressTypesOf(service));
      await writeSlices(reconcile, plan, {
        owner: service,
        ownerResource: services,
        labels: labelsFor(service),
        existing,
        failure: `Error updating Endpoint Slices for Service ${namespace}/${name}`,
        wrote: (slice) => writes.wrote(key, slice),
        deleted: (slice) => writes.deleted(key, slice),
      });
    };
  },
});

function labelsFor(service: Service): { readonly [key: string]: string } {
  const { [headlessLabel]: _, ...own } = service.metadata.labels ?? {};
  return {
    ...own,
    [serviceName]: service.metadata.name,
    [managedBy]: manager,
    ...(isHeadless(service) ? { [headlessLabel]: "" } : {}),
  };
}
