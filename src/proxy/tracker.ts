import {
  type EndpointSlice,
  endpointSlices,
  escapeFieldValue,
  type KubeObject,
  keyOf,
  type Node,
  nodes,
  type Service,
  services,
} from "../api/index.js";
import type { Informer, InformerFactory, InformerHandler } from "../client/index.js";
import type { NodePlace } from "./pick-endpoints.js";
import type { ProxyServicePort, ServiceTable } from "./proxy.js";
import { portsOfService } from "./service-ports.js";

const serviceNameLabel = "kubernetes.io/service-name";
const zoneLabel = "topology.kubernetes.io/zone";
const triggerAnnotation = "endpoints.kubernetes.io/last-change-trigger-time";
/** Headless services have nothing to forward, and those with the second label have a proxy of their own. */
const cared = "!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name";
const bySlicesService = "proxy-service";

export interface ServiceTrackerOptions {
  readonly factory: InformerFactory;
  readonly nodeName: string;
  /** Absent: that of the node's label. */
  readonly zone?: string | undefined;
  /** Called, synchronously, when `take` would give something new. May be called more often than there is news. */
  readonly onChange: () => void;
  /** Told of each change of a Service, and of endpoints of one, by the service's `namespace/name`; of these, since when they are so, if known. */
  readonly onSeen?: ((kind: "services" | "endpoints", serviceKey: string, sinceMs?: number) => void) | undefined;
  /** Told of the node, and of its absence once it is gone. */
  readonly onNode?: ((node: Node | undefined) => void) | undefined;
}

export interface TrackedChange {
  readonly table: ServiceTable;
  /** Ids of ports added, changed or removed since the last `take`. */
  readonly changed: ReadonlySet<string>;
}

/** Follows Services and EndpointSlices, and makes tables of them on demand, so that any number of changes is one table. */
export class ServiceTracker {
  readonly #services: Informer<Service>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #options: ServiceTrackerOptions;
  readonly #dirty = new Set<string>();
  /** Ports by the service's key. */
  readonly #known = new Map<string, readonly ProxyServicePort[]>();
  #zone: string | undefined;
  #table: ServiceTable = { ports: new Map() };

  constructor(options: ServiceTrackerOptions) {
    this.#options = options;
    this.#zone = options.zone;
    const { factory, nodeName } = options;
    this.#services = factory.informer(services, { labelSelector: cared });
    this.#slices = factory.informer(endpointSlices, {
      labelSelector: cared,
      indexers: { [bySlicesService]: (slice) => serviceOf(slice) },
    });
    this.#services.addHandler(this.#marking("services", (service) => [keyOf(service)]));
    this.#slices.addHandler(this.#marking("endpoints", serviceOf, changedAt));
    if (options.zone === undefined || options.onNode !== undefined) {
      const own = factory.informer(nodes, { fieldSelector: `metadata.name=${escapeFieldValue(nodeName)}` });
      own.addHandler({
        add: (node) => this.#see(node),
        update: (_, node) => this.#see(node),
        delete: () => this.#see(undefined),
      });
    }
  }

  /** The table of now, with what is new in it. Ports that did not change are the same objects as before. */
  take(): TrackedChange {
    const changed = new Set<string>();
    const place: NodePlace = { nodeName: this.#options.nodeName, zone: this.#zone };
    const ports = this.#dirty.size === 0 ? undefined : new Map(this.#table.ports);
    for (const key of this.#dirty) {
      const before = this.#known.get(key) ?? [];
      const after = this.#portsOf(key, before, place);
      const kept = new Set(after);
      for (const port of before) {
        if (kept.has(port)) continue;
        changed.add(port.id);
        ports?.delete(port.id);
      }
      for (const port of after) {
        if (!before.includes(port)) changed.add(port.id);
        ports?.set(port.id, port);
      }
      if (after.length === 0) this.#known.delete(key);
      else this.#known.set(key, after);
    }
    this.#dirty.clear();
    if (ports !== undefined && changed.size > 0) this.#table = { ports };
    return { table: this.#table, changed };
  }

  #portsOf(key: string, before: readonly ProxyServicePort[], place: NodePlace): readonly ProxyServicePort[] {
    const service = this.#services.get(key);
    if (service === undefined) return [];
    return portsOfService(service, [...this.#slices.byIndex(bySlicesService, key)], place).map((port) => {
      const old = before.find((one) => one.id === port.id);
      return old !== undefined && JSON.stringify(old) === JSON.stringify(port) ? old : port;
    });
  }

  #marking<T extends KubeObject>(
    kind: "services" | "endpoints",
    keysOf: (object: T) => readonly string[],
    sinceOf: (object: T) => number | undefined = () => undefined,
  ): InformerHandler<T> {
    const mark = (keys: Iterable<string>, sinceMs?: number): void => {
      for (const key of keys) {
        this.#dirty.add(key);
        this.#options.onSeen?.(kind, key, sinceMs);
      }
    };
    return {
      add: (object) => mark(keysOf(object), sinceOf(object)),
      update: (old, object) => mark(new Set([...keysOf(old), ...keysOf(object)]), sinceOf(object)),
      delete: (object) => mark(keysOf(object)),
      batch: () => {
        if (this.#dirty.size > 0) this.#options.onChange();
      },
    };
  }

  #see(node: Node | undefined): void {
    this.#options.onNode?.(node);
    if (this.#options.zone !== undefined) return;
    const labels = new Map(Object.entries(node?.metadata.labels ?? {}));
    const zone = labels.get(zoneLabel) || undefined;
    if (zone === this.#zone) return;
    this.#zone = zone;
    for (const key of this.#known.keys()) this.#dirty.add(key);
    this.#options.onChange();
  }
}

function serviceOf({ metadata }: EndpointSlice): readonly string[] {
  const name = new Map(Object.entries(metadata.labels ?? {})).get(serviceNameLabel);
  return name === undefined || name === "" ? [] : [`${metadata.namespace ?? ""}/${name}`];
}

/** When what the slice was last written for happened, in ms since the epoch, if it says so. */
function changedAt({ metadata }: EndpointSlice): number | undefined {
  const text = new Map(Object.entries(metadata.annotations ?? {})).get(triggerAnnotation);
  const time = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}
