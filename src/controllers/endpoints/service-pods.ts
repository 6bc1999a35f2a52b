import { keyOf, type Pod, pods, type Service, type ServicePort, services } from "../../api/index.js";
import type { Informer } from "../../client/index.js";
import type { ControllerContext } from "../controller.js";
import { equalJson } from "../shared/hash.js";
import { isFinished, isReady } from "../shared/pods.js";

const selectorIndex = "selector";

/** Services and the pods behind them, for those who publish endpoints. */
export class ServicePods {
  readonly services: Informer<Service>;
  readonly #pods: Informer<Pod>;

  /** Calls `changed` with the keys of services whose endpoints may be different now. */
  constructor(context: ControllerContext, changed: (key: string) => void) {
    this.services = context.informer(services);
    this.#pods = context.informer(pods);
    // Any one pair of the selector finds the service from a pod's labels; the others are compared then.
    this.services.addIndex(selectorIndex, (service) => {
      for (const [name, value] of Object.entries(service.spec?.selector ?? {})) {
        return [`${service.metadata.namespace ?? ""}/${name}=${value}`];
      }
      return [];
    });
    const tell = (pod: Pod): void => {
      for (const service of this.#selecting(pod)) changed(keyOf(service));
    };
    this.#pods.addHandler({
      add: tell,
      update: (old, pod) => {
        if (!isChanged(old, pod)) return;
        tell(pod);
        if (!equalJson(old.metadata.labels, pod.metadata.labels)) tell(old);
      },
      delete: tell,
    });
  }

  *#selecting(pod: Pod): Iterable<Service> {
    const { namespace = "", labels = {} } = pod.metadata;
    for (const [name, value] of Object.entries(labels)) {
      for (const service of this.services.byIndex(selectorIndex, `${namespace}/${name}=${value}`)) {
        if (selects(service, pod)) yield service;
      }
    }
  }

  /** Those that have an address and are not finished. */
  behind(service: Service): readonly Pod[] {
    const found: Pod[] = [];
    for (const pod of this.#pods.list(service.metadata.namespace)) {
      if (pod.status?.podIP && !isFinished(pod) && selects(service, pod)) found.push(pod);
    }
    return found;
  }
}

/** Whether endpoints are made for it at all: without a selector somebody else makes them. */
export function hasSelector(service: Service): boolean {
  return service.spec?.selector !== undefined && service.spec.type !== "ExternalName";
}

export function isHeadless(service: Service): boolean {
  return service.spec?.clusterIP === "None";
}

export function selects(service: Service, pod: Pod): boolean {
  const labels = new Map(Object.entries(pod.metadata.labels ?? {}));
  for (const [name, value] of Object.entries(service.spec?.selector ?? {}))
    if (labels.get(name) !== value) return false;
  return true;
}

function isChanged(old: Pod, pod: Pod): boolean {
  return (
    old.metadata.deletionTimestamp !== pod.metadata.deletionTimestamp ||
    isReady(old) !== isReady(pod) ||
    isFinished(old) !== isFinished(pod) ||
    old.spec?.nodeName !== pod.spec?.nodeName ||
    !equalJson(old.status?.podIPs, pod.status?.podIPs) ||
    old.status?.podIP !== pod.status?.podIP ||
    !equalJson(old.metadata.labels, pod.metadata.labels)
  );
}

export type AddressType = "IPv4" | "IPv6";

/** Its families, in order. Services from before there were two have none written down. */
export function addressTypesOf(service: Service): readonly AddressType[] {
  const families = service.spec?.ipFamilies;
  if (families === undefined || families.length === 0)
    return [service.spec?.clusterIP?.includes(":") ? "IPv6" : "IPv4"];
  return families.map((family) => (family === "IPv6" ? "IPv6" : "IPv4"));
}

/** A pod's address of a family. */
export function addressIn(pod: Pod, type: AddressType): string | undefined {
  const ips = (pod.status?.podIPs ?? []).map(({ ip }) => ip);
  if (ips.length === 0 && pod.status?.podIP) ips.push(pod.status.podIP);
  return ips.find((ip) => ip.includes(":") === (type === "IPv6"));
}

/** The number that a service's port has on a pod; undefined when the pod has no port of that name. */
export function targetPortOn(pod: Pod, port: ServicePort): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === "number") return target === 0 ? port.port : target;
  const sidecars = (pod.spec?.initContainers ?? []).filter((container) => container.restartPolicy === "Always");
  for (const container of [...(pod.spec?.containers ?? []), ...sidecars]) {
    for (const candidate of container.ports ?? []) {
      if (candidate.name === target && (candidate.protocol ?? "TCP") === (port.protocol ?? "TCP"))
        return candidate.containerPort;
    }
  }
  return undefined;
}

/** A pod's name in DNS below a headless service. */
export function hostnameIn(pod: Pod, service: Service): string | undefined {
  const { hostname, subdomain } = pod.spec ?? {};
  const named =
    hostname && subdomain === service.metadata.name && pod.metadata.namespace === service.metadata.namespace;
  return named ? hostname : undefined;
}
