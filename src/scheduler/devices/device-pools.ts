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

interface Pool {
  generation: number;
  slices: ResourceSlice[];
}

/** Of each pool its newest generation: older slices are about to go. */
export function devicePools(slices: Iterable<ResourceSlice>): ReadonlyMap<string, Pool> {
  const pools = new Map<string, Pool>();
  for (const slice of slices) {
    const { driver, pool } = slice.spec;
    const id = `${driver}/${pool.name}`;
    const known = pools.get(id);
    if (known === undefined || known.generation < pool.generation) {
      pools.set(id, { generation: pool.generation, slices: [slice] });
    } else if (known.generation === pool.generation) known.slices.push(slice);
  }
  return pools;
}

export function devicesOn(node: Node, pools: ReadonlyMap<string, Pool>): readonly ReachableDevice[] {
  const found: ReachableDevice[] = [];
  for (const [id, { slices }] of [...pools].sort(poolOrder)) {
    const siblings = slices.flatMap(({ spec }) => spec.devices ?? []);
    const complete = slices.length === (slices[0]?.spec.pool.resourceSliceCount ?? 0);
    const usable = complete && new Set(siblings.map(({ name }) => name)).size === siblings.length;
    const counters = new Map<string, string>();
    for (const { spec } of slices) {
      for (const set of spec.sharedCounters ?? []) {
        for (const [name, { value }] of Object.entries(set.counters)) counters.set(`${set.name}/${name}`, value);
      }
    }
    for (const { spec } of slices) {
      for (const device of spec.devices ?? []) {
        const place = spec.perDeviceNodeSelection ? device : spec;
        const where = reach(place, node);
        if (where === undefined) continue;
        const { driver, pool } = spec;
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

/** Devices that have to be made ready first are a last resort. */
function poolOrder([a, poolA]: readonly [string, Pool], [b, poolB]: readonly [string, Pool]): number {
  const late = ({ slices }: Pool): number =>
    Number(slices.some(({ spec }) => spec.devices?.some(({ bindingConditions = [] }) => bindingConditions.length > 0)));
  return late(poolA) - late(poolB) || (a < b ? -1 : 1);
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
