import type { Device, Node, NodeSelector, ResourceSlice } from "../../api/index.js";
import { anyTerm } from "../policies/node-selector.js";

/** A device that a node can reach. */
export interface ReachableDevice {
  /** `driver/pool/device`. */
  readonly id: string;
  readonly driver: string;
  readonly pool: string;
  readonly device: Device;
  /** Where else it can be reached; absent: everywhere. */
  readonly nodeSelector: NodeSelector | undefined;
  /** The counters that devices of the pool share, by `set/counter`. */
  readonly counters: ReadonlyMap<string, string>;
  /** Whether all slices of its pool have been seen. */
  readonly complete: boolean;
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
  for (const [id, { slices }] of [...pools].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const complete = slices.length >= (slices[0]?.spec.pool.resourceSliceCount ?? 0);
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
          nodeSelector: where.selector,
          counters,
          complete,
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
): { readonly selector: NodeSelector | undefined } | undefined {
  const { name } = node.metadata;
  if (place.nodeName) {
    if (place.nodeName !== name) return undefined;
    const matchFields = [{ key: "metadata.name", operator: "In", values: [name] }];
    return { selector: { nodeSelectorTerms: [{ matchFields }] } };
  }
  if (place.nodeSelector !== undefined) {
    return anyTerm(place.nodeSelector.nodeSelectorTerms)(node) ? { selector: place.nodeSelector } : undefined;
  }
  return place.allNodes ? { selector: undefined } : undefined;
}
