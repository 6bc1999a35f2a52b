import type { AllocationResult } from "../../api/index.js";
import { parseQuantity, type Quantity } from "../../api/quantity.js";
import type { ClusterListers } from "../framework/listers.js";
import type { TakenDevices } from "./allocator.js";
import type { Capacities } from "./capacity.js";

/**
 * What claims have, and what is `promised` to others by the claim's uid. A promise that has reached the API is forgotten here.
 */
export function takenDevices(listers: ClusterListers, promised: Map<string, AllocationResult>): TakenDevices {
  const whole = new Set<string>();
  const shares = new Map<string, Capacities[]>();
  const take = ({ devices }: AllocationResult): void => {
    for (const { driver, pool, device, adminAccess, shareID, consumedCapacity = {} } of devices?.results ?? []) {
      if (adminAccess === true) continue;
      const id = `${driver}/${pool}/${device}`;
      if (shareID === undefined) {
        whole.add(id);
        continue;
      }
      const amounts = new Map<string, Quantity>();
      for (const [name, amount] of Object.entries(consumedCapacity)) amounts.set(name, parseQuantity(amount));
      const known = shares.get(id);
      if (known === undefined) shares.set(id, [amounts]);
      else known.push(amounts);
    }
  };
  for (const { metadata, status } of listers.resourceClaims.list()) {
    if (status?.allocation === undefined) continue;
    take(status.allocation);
    promised.delete(metadata.uid);
  }
  for (const allocation of promised.values()) take(allocation);
  return { whole, shares };
}
