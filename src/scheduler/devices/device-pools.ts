import type { Device, Node, NodeSelector, ResourceSlice } from "../../api/index.js";
import { anyTerm } from "../policies/node-selector.js";

/** A device that a node can reach. */
export interface ReachableDevice {
  /** `driver/pool/device`. */
  readonly id: string;
  readonly driver: string;
  readonly pool: string;
  readonly device: Device;
  /** Only this node can reach it. */
  readonly local: boolean;
  /** Where else it can be reached; absent, and not `local`: everywhere. */
  readonly nodeSelector: NodeSelector | undefined;
  /** All devices of the pool, also those for other nodes. */
  readonly siblings: readonly Device[];
  /** The counters that devices of the pool share, by `set/counter`. */
  readonly counters: ReadonlyMap<string, string>;
  /** Whether all slices of its pool have been seen, and no two devices there have one name. */
  readonly usable: boolean;
}

/** The newest generation of a pool, as far as it has been seen. */
export interface DevicePool {
  /** `driver/pool`. */
  readonly id: string;
  readonly slices: readonly ResourceSlice[];
  readonly siblings: readonly Device[];
  readonly counters: ReadonlyMap<string, string>;
  readonly usable: boolean;
}

/** All pools, in the order in which they are to be tried: devices that have to be made ready first are a last resort. */
export function devicePools(slices: Iterable<ResourceSlice>): readonly DevicePool[] {
  const byId = new Map<string, ResourceSlice[]>();
  for (const slice of slices) {
    const { driver, pool } = slice.spec;
    const id = `${driver}/${pool.name}`;
    const known = byId.get(id);
    const generation = known?.[0]?.spec.pool.generation ?? Number.NEGATIVE_INFINITY;
    // Slices of older generations are about to go.
    if (known === undefined || generation < pool.generation) byId.set(id, [slice]);
    else if (generation === pool.generation) known.push(slice);
  }
  const pools = [...byId].sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, own]) => poolOf(id, own));
  const late = ({ siblings }: DevicePool): boolean =>
    siblings.some(({ bindingConditions = [] }) => bindingConditions.length > 0);
  return [...pools.filter((pool) => !late(pool)), ...pools.filter(late)];
}

function poolOf(id: string, slices: readonly ResourceSlice[]): DevicePool {
  const siblings = slices.flatMap(({ spec }) => spec.devices ?? []);
  const complete = slices.length === (slices[0]?.spec.pool.resourceSliceCount ?? 0);
  const counters = new Map<string, string>();
  for (const { spec } of slices) {
    for (const set of spec.sharedCounters ?? []) {
      for (const [name, { value }] of Object.entries(set.counters)) counters.set(`${set.name}/${name}`, value);
    }
  }
  const usable = complete && new Set(siblings.map(({ name }) => name)).size === siblings.length;
  return { id, slices, siblings, counters, usable };
}

export function devicesOn(node: Node, pools: readonly DevicePool[]): readonly ReachableDevice[] {
  const found: ReachableDevice[] = [];
  for (const { id, slices, siblings, counters, usable } of pools) {
    for (const { spec } of slices) {
      const { driver, pool, perDeviceNodeSelection } = spec;
      const together = perDeviceNodeSelection ? undefined : reach(spec, node);
      if (!perDeviceNodeSelection && together === undefined) continue;
      for (const device of spec.devices ?? []) {
        const where = together ?? reach(device, node);
        if (where === undefined) continue;
        found.push({
          id: `${id}/${device.name}`,
          driver,
          pool: pool.name,
          device,
          ...where,
          siblings,
          counters,
          usable,
        });
      }
    }
  }
  return found;
}

/** `undefined`: not from this node. */
function reach(
  place: { readonly nodeName?: string; readonly nodeSelector?: NodeSelector; readonly allNodes?: boolean },
  node: Node,
): Pick<ReachableDevice, "local" | "nodeSelector"> | undefined {
  const everywhere = { local: false, nodeSelector: undefined };
  if (place.nodeName) return place.nodeName === node.metadata.name ? { ...everywhere, local: true } : undefined;
  if (place.nodeSelector !== undefined) {
    const { nodeSelector } = place;
    return anyTerm(nodeSelector.nodeSelectorTerms)(node) ? { local: false, nodeSelector } : undefined;
  }
  return place.allNodes ? everywhere : undefined;
}
