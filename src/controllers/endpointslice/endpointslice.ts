import { type Node, nodes, type Service, services } from "../../api/index.js";
import type { Controller } from "../controller.js";
import { defineStatefulController } from "../define-controller.js";
import { addressTypesOf, hasSelector, isHeadless, ServicePods } from "../endpoints/service-pods.js";
import { TriggerTimes } from "../endpoints/trigger-times.js";
import { planSlices, portGroups } from "./slices.js";
import { followSlices, managedBy, serviceName, writeSlices } from "./write-slices.js";

const manager = "endpointslice-controller.k8s.io";
const headlessLabel = "service.kubernetes.io/headless";
const zoneLabel = "topology.kubernetes.io/zone";

/** Keeps the EndpointSlices of every service with a selector. */
export const endpointSliceController: Controller = defineStatefulController<Service>({
  name: "endpointslice-controller",
  aliases: ["endpointslice"],
  for: services,
  prepare: (context, enqueue) => {
    const behind = new ServicePods(context, enqueue);
    const nodeInformer = context.informer(nodes);
    const slices = followSlices(context, manager, enqueue);
    const triggers = new TriggerTimes();
    const zoneChanged = (old: Node | undefined, node: Node): void => {
      if (old?.metadata.labels?.[zoneLabel] === node.metadata.labels?.[zoneLabel]) return;
      for (const key of behind.services.keys()) enqueue(key);
    };
    nodeInformer.addHandler({ add: (node, initial) => initial || zoneChanged(undefined, node), update: zoneChanged });
    return async (key, reconcile) => {
      const service = behind.services.get(key);
      // Without its service a slice is the garbage collector's.
      if (service === undefined) {
        triggers.forget(key);
        return slices.forget(key);
      }
      if (!hasSelector(service) || service.metadata.deletionTimestamp !== undefined) return;
      const requeueAfterMs = slices.waitMs(key);
      if (requeueAfterMs > 0) return { requeueAfterMs };
      const pods = behind.behind(service);
      const groups = portGroups(service, pods, (name) => nodeInformer.get(name));
      const { name, namespace } = service.metadata;
      await writeSlices(reconcile, key, planSlices(groups, slices.of(key), addressTypesOf(service)), {
        owner: service,
        ownerResource: services,
        labels: labelsFor(service),
        trigger: { time: triggers.next(key, service, pods) },
        slices,
        failure: `Error updating Endpoint Slices for Service ${namespace}/${name}`,
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
