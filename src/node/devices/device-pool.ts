import type { Device, DeviceAccess } from "./plugin.js";

/** Devices of one resource that a container has, and how it gets at them. */
export interface DeviceGrant {
  readonly resource: string;
  readonly ids: readonly string[];
  readonly access: DeviceAccess;
}

export interface DeviceCount {
  /** All that there are. */
  readonly capacity: number;
  /** The healthy ones. */
  readonly allocatable: number;
}

/** How to choose devices: these, and `size - required.length` of those that are available. */
export interface DeviceChoice {
  readonly required: readonly string[];
  readonly available: readonly string[];
  readonly size: number;
}

/** The devices of a node by resource, and who has them. */
export class DevicePool {
  readonly #resources = new Map<string, ReadonlyMap<string, boolean>>();
  /** By pod UID, then by container. */
  readonly #grants: Map<string, Map<string, DeviceGrant[]>>;

  constructor(
    grants: Iterable<readonly [podUid: string, Map<string, DeviceGrant[]>]> = [],
    resources: Iterable<string> = [],
  ) {
    this.#grants = new Map(grants);
    for (const resource of resources) this.#resources.set(resource, new Map());
  }

  get resources(): readonly string[] {
    return [...this.#resources.keys()];
  }

  get grants(): ReadonlyMap<string, ReadonlyMap<string, readonly DeviceGrant[]>> {
    return this.#grants;
  }

  has(resource: string): boolean {
    return this.#resources.has(resource);
  }

  set(resource: string, devices: readonly Device[]): void {
    this.#resources.set(resource, new Map(devices.map(({ id, healthy }) => [id, healthy])));
  }

  /** Nobody vouches for them any more. */
  fail(resource: string): void {
    const devices = this.#resources.get(resource) ?? new Map<string, boolean>();
    this.#resources.set(resource, new Map([...devices.keys()].map((id) => [id, false])));
  }

  counts(): Map<string, DeviceCount> {
    return new Map(
      [...this.#resources].map(([resource, devices]) => {
        const allocatable = [...devices.values()].filter((healthy) => healthy).length;
        return [resource, { capacity: devices.size, allocatable }];
      }),
    );
  }

  /**
   * What there is to choose from for `size` devices of a resource; `reusable` are the pod's own already, and come first. Throws in the
   * kubelet's words when there are not enough.
   */
  choice(resource: string, size: number, reusable: ReadonlySet<string>): DeviceChoice {
    const devices = this.#resources.get(resource);
    if (devices === undefined) throw new Error(`cannot allocate unregistered device ${resource}`);
    const healthy = [...devices].flatMap(([id, is]) => (is ? [id] : []));
    if (healthy.length === 0) {
      throw new Error(`no healthy devices present; cannot allocate unhealthy devices ${resource}`);
    }
    const required = healthy.filter((id) => reusable.has(id)).slice(0, size);
    const used = this.#used(resource);
    const available = healthy.filter((id) => !used.has(id));
    if (required.length + available.length < size) {
      const have = required.length + available.length;
      throw new Error(
        `requested number of devices unavailable for ${resource}. Requested: ${size}, Available: ${have}`,
      );
    }
    return { required, available, size };
  }

  granted(podUid: string, container: string): readonly DeviceGrant[] {
    return this.#grants.get(podUid)?.get(container) ?? [];
  }

  grant(podUid: string, container: string, grant: DeviceGrant): void {
    const ofPod = this.#grants.get(podUid) ?? new Map<string, DeviceGrant[]>();
    this.#grants.set(podUid, ofPod);
    ofPod.set(container, [...(ofPod.get(container) ?? []), grant]);
  }

  /** Whether it had any. */
  release(podUid: string): boolean {
    return this.#grants.delete(podUid);
  }

  #used(resource: string): Set<string> {
    const used = new Set<string>();
    for (const ofPod of this.#grants.values()) {
      for (const grant of [...ofPod.values()].flat()) {
        if (grant.resource === resource) for (const id of grant.ids) used.add(id);
      }
    }
    return used;
  }
}
