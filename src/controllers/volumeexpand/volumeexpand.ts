import { type PersistentVolumeClaim, persistentVolumeClaims, persistentVolumes } from "../../api/index.js";
import { parseQuantity, type Quantity } from "../../api/quantity.js";
import type { Controller } from "../controller.js";
import { defineStatefulController } from "../define-controller.js";
import { isReservedFor } from "../persistentvolume/matching.js";

/**
 * Says of claims that want to be larger whom they wait for: volumes are expanded by their CSI drivers. Upstream's expands those of
 * its own plugins, of which there are none here.
 */
export const volumeExpandController: Controller = defineStatefulController<PersistentVolumeClaim>({
  name: "persistentvolume-expander-controller",
  aliases: ["persistentvolume-expander"],
  account: "expand-controller",
  eventSource: "volume_expand",
  prepare: (context, enqueue) => {
    const claims = context.informer(persistentVolumeClaims);
    const volumes = context.informer(persistentVolumes);
    const added = (claim: PersistentVolumeClaim): void => {
      if (claim.status?.phase === "Bound") enqueue(`${claim.metadata.namespace}/${claim.metadata.name}`);
    };
    claims.addHandler({
      add: added,
      update: (old, claim) => {
        if (wanted(claim).compare(wanted(old)) > 0 || size(claim).compare(size(old)) > 0) added(claim);
      },
    });
    return (key, { events }) => {
      const claim = claims.get(key);
      const volume = volumes.get(claim?.spec?.volumeName ?? "");
      if (claim === undefined || volume === undefined || !isReservedFor(volume, claim)) return;
      if (wanted(claim).compare(size(claim)) <= 0) return;
      events.event(claim, "Normal", "ExternalExpanding", "waiting for an external controller to expand this PVC");
    };
  },
});

function wanted({ spec }: PersistentVolumeClaim): Quantity {
  return parseQuantity(spec?.resources?.requests?.["storage"] ?? "0");
}

function size({ status }: PersistentVolumeClaim): Quantity {
  return parseQuantity(status?.capacity?.["storage"] ?? "0");
}
