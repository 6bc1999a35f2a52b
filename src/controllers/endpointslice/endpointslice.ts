import {
  type EndpointSlice,
  endpointSlices,
  isStatusError,
  type Node,
  nodes,
  type Service,
  services,
} from "../../api/index.js";
import type { Controller } from "../controller.js";
import { defineStatefulController, type ReconcileContext } from "../define-controller.js";
import { hasSelector, isHeadless, ServicePods } from "../endpoints/service-pods.js";
import { equalJson } from "../shared/hash.js";
import { OwnWrites } from "../shared/own-writes.js";
import { controllerReference } from "../shared/owners.js";
import { messageOf } from "../shared/pod-control.js";
import { addressTypesOf, planSlices, portGroups } from "./slices.js";

const serviceName = "kubernetes.io/service-name";
const managedBy = "endpointslice.kubernetes.io/managed-by";
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
      const key = serviceKeyOf(slice);
      return key === undefined ? [] : [key];
    });
    const mend = (slice: EndpointSlice): void => {
      const key = serviceKeyOf(slice);
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
      await write(reconcile, service, [...slices.byIndex(byService, key)], groups, {
        wrote: (slice) => writes.wrote(key, slice),
        deleted: (slice) => writes.deleted(key, slice),
      });
    };
  },
});

function serviceKeyOf({ metadata: { namespace = "", labels } }: EndpointSlice): string | undefined {
  const name = labels?.[serviceName];
  return name === undefined || labels?.[managedBy] !== manager ? undefined : `${namespace}/${name}`;
}

function labelsFor(service: Service): { readonly [key: string]: string } {
  const { [headlessLabel]: _, ...own } = service.metadata.labels ?? {};
  return {
    ...own,
    [serviceName]: service.metadata.name,
    [managedBy]: manager,
    ...(isHeadless(service) ? { [headlessLabel]: "" } : {}),
  };
}

interface Notes {
  wrote(slice: EndpointSlice): void;
  deleted(slice: EndpointSlice): void;
}

async function write(
  { client, events, signal }: ReconcileContext,
  service: Service,
  existing: readonly EndpointSlice[],
  groups: ReturnType<typeof portGroups>,
  notes: Notes,
): Promise<void> {
  const labels = labelsFor(service);
  const { create, update, remove } = planSlices(groups, existing, addressTypesOf(service));
  const updates = new Map(update.map(({ slice, endpoints }) => [slice, endpoints]));
  // Labels follow the service's own.
  for (const slice of existing) {
    if (!updates.has(slice) && !remove.includes(slice) && !equalJson(slice.metadata.labels, labels)) {
      updates.set(slice, slice.endpoints ?? []);
    }
  }
  try {
    for (const { group, endpoints } of create) {
      const { name, namespace } = service.metadata;
      const metadata = {
        generateName: `${name}-`,
        ...(namespace === undefined ? {} : { namespace }),
        labels,
        ownerReferences: [controllerReference(service, services)],
      };
      const { addressType, ports } = group;
      const slice = {
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata,
        addressType,
        endpoints,
        ports,
      } as const;
      notes.wrote(await client.create(endpointSlices, slice, { signal }));
    }
    for (const [slice, endpoints] of updates) {
      const next = { ...slice, metadata: { ...slice.metadata, labels }, endpoints };
      notes.wrote(await client.update(endpointSlices, next, { signal }));
    }
    for (const slice of remove) {
      const { namespace, name, uid } = slice.metadata;
      await client.delete(endpointSlices, { namespace, name }, { preconditions: { uid }, signal });
      notes.deleted(slice);
    }
  } catch (error) {
    if (isStatusError(error, "Forbidden") || signal.aborted) return;
    if (!isStatusError(error, "Conflict") && !isStatusError(error, "NotFound")) {
      const { namespace, name } = service.metadata;
      const message = `Error updating Endpoint Slices for Service ${namespace}/${name}: ${messageOf(error)}`;
      events.event(service, "Warning", "FailedToUpdateEndpointSlices", message);
    }
    throw error;
  }
}
