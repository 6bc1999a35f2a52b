import {
  type CoreEndpointPort,
  type EndpointAddress,
  type EndpointSubset,
  endpoints,
  isStatusError,
  type Pod,
  type Service,
  services,
} from "../../api/index.js";
import type { Controller } from "../controller.js";
import { defineStatefulController } from "../define-controller.js";
import { canonicalJson, equalJson } from "../shared/hash.js";
import { isReady, isTerminating } from "../shared/pods.js";
import { deleteExactly } from "../shared/write-status.js";
import {
  addressIn,
  addressTypesOf,
  hasSelector,
  hostnameIn,
  isHeadless,
  ServicePods,
  targetPortOn,
} from "./service-pods.js";
import { TriggerTimes, withTrigger } from "./trigger-times.js";

const headlessLabel = "service.kubernetes.io/headless";
const managedByLabel = "endpoints.kubernetes.io/managed-by";
const overCapacity = "endpoints.kubernetes.io/over-capacity";
const maxAddresses = 1000;

/** Keeps the legacy Endpoints object of every service with a selector. */
export const endpointsController: Controller = defineStatefulController<Service>({
  name: "endpoints-controller",
  account: "endpoint-controller",
  aliases: ["endpoint", "endpoints"],
  eventSource: "endpoint-controller",
  for: services,
  prepare: (context, enqueue) => {
    const behind = new ServicePods(context, enqueue);
    const informer = context.informer(endpoints);
    const triggers = new TriggerTimes();
    // Somebody else's change or deletion is mended.
    const same = (object: {
      metadata: { namespace?: string; name: string; labels?: { readonly [key: string]: string } };
    }): void => {
      const { namespace = "", name, labels } = object.metadata;
      if (labels?.[managedByLabel] !== undefined) enqueue(`${namespace}/${name}`);
    };
    informer.addHandler({ add: same, update: (_, object) => same(object), delete: same });
    return async (key, { client, signal }) => {
      const service = behind.services.get(key);
      const current = informer.get(key);
      if (service === undefined) {
        triggers.forget(key);
        if (current?.metadata.labels?.[managedByLabel] !== undefined)
          await deleteExactly(client, endpoints, current, { signal });
        return;
      }
      if (!hasSelector(service) || service.metadata.deletionTimestamp !== undefined) return;
      const pods = behind.behind(service);
      const { subsets, truncated } = subsetsOf(service, pods);
      const labels = {
        ...service.metadata.labels,
        [managedByLabel]: "endpoint-controller",
        ...(isHeadless(service) ? { [headlessLabel]: "" } : {}),
      };
      const { [overCapacity]: _, ...others } = current?.metadata.annotations ?? {};
      const kept = { ...others, ...(truncated ? { [overCapacity]: "truncated" } : {}) };
      const annotations = withTrigger(kept, triggers.next(key, service, pods));
      if (current === undefined) {
        const { namespace, name } = service.metadata;
        const metadata = { name, ...(namespace === undefined ? {} : { namespace }), labels, annotations };
        try {
          await client.create(endpoints, { apiVersion: "v1", kind: "Endpoints", metadata, subsets }, { signal });
        } catch (error) {
          // The namespace is going, and the service with it.
          if (!isStatusError(error, "Forbidden")) throw error;
        }
        return;
      }
      const unchanged =
        equalJson(current.subsets ?? [], subsets) &&
        equalJson(current.metadata.labels ?? {}, labels) &&
        equalJson(current.metadata.annotations ?? {}, kept);
      if (!unchanged) {
        await client.update(
          endpoints,
          { ...current, metadata: { ...current.metadata, labels, annotations }, subsets },
          { signal },
        );
      }
    };
  },
});

/** Addresses grouped by the ports that they have in common, each in order. */
export function subsetsOf(
  service: Service,
  all: readonly Pod[],
): { readonly subsets: readonly EndpointSubset[]; readonly truncated: boolean } {
  const groups = new Map<
    string,
    { ports: readonly CoreEndpointPort[]; ready: EndpointAddress[]; notReady: EndpointAddress[] }
  >();
  const publish = service.spec?.publishNotReadyAddresses ?? false;
  // The legacy object has addresses of the first family alone.
  const [family = "IPv4"] = addressTypesOf(service);
  let ready = 0;
  for (const pod of all) {
    if (isTerminating(pod) && !publish) continue;
    const ip = addressIn(pod, family);
    if (ip === undefined) continue;
    const ports = portsOn(service, pod);
    if (ports.length === 0 && (service.spec?.ports ?? []).length > 0) continue;
    const id = canonicalJson(ports);
    const group = groups.get(id) ?? { ports, ready: [], notReady: [] };
    groups.set(id, group);
    const isUp = publish || isReady(pod);
    if (isUp) ready++;
    (isUp ? group.ready : group.notReady).push(addressOf(service, pod, ip));
  }
  const total = [...groups.values()].reduce((sum, group) => sum + group.ready.length + group.notReady.length, 0);
  let [readyLeft, otherLeft] = [Math.min(maxAddresses, ready), Math.max(0, maxAddresses - ready)];
  const subsets: EndpointSubset[] = [];
  for (const id of [...groups.keys()].sort()) {
    const group = groups.get(id);
    if (group === undefined) continue;
    const addresses = group.ready.sort(byAddress).slice(0, readyLeft);
    const notReadyAddresses = group.notReady.sort(byAddress).slice(0, otherLeft);
    readyLeft -= addresses.length;
    otherLeft -= notReadyAddresses.length;
    if (addresses.length + notReadyAddresses.length === 0) continue;
    subsets.push({
      ...(addresses.length === 0 ? {} : { addresses }),
      ...(notReadyAddresses.length === 0 ? {} : { notReadyAddresses }),
      ...(group.ports.length === 0 ? {} : { ports: group.ports }),
    });
  }
  return { subsets, truncated: total > maxAddresses };
}

function byAddress(a: EndpointAddress, b: EndpointAddress): number {
  return a.ip < b.ip ? -1 : a.ip > b.ip ? 1 : 0;
}

function portsOn(service: Service, pod: Pod): readonly CoreEndpointPort[] {
  const ports: CoreEndpointPort[] = [];
  for (const port of service.spec?.ports ?? []) {
    const number = targetPortOn(pod, port);
    if (number === undefined) continue;
    const { name, protocol = "TCP", appProtocol } = port;
    ports.push({
      ...(name === undefined ? {} : { name }),
      port: number,
      protocol,
      ...(appProtocol === undefined ? {} : { appProtocol }),
    });
  }
  return ports;
}

function addressOf(service: Service, pod: Pod, ip: string): EndpointAddress {
  const { namespace, name, uid } = pod.metadata;
  const hostname = hostnameIn(pod, service);
  return {
    ip,
    ...(pod.spec?.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    ...(hostname === undefined ? {} : { hostname }),
    targetRef: { kind: "Pod", ...(namespace === undefined ? {} : { namespace }), name, uid },
  };
}
