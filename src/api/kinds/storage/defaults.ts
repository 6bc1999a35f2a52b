import type { CSIDriver, StorageClass } from "../../gen/types.js";
import { mapField, withDefaults } from "../defaulting.js";
import type { Loose } from "../loose.js";

export function defaultStorageClass(storageClass: Loose<StorageClass>): Loose<StorageClass> {
  return withDefaults(storageClass, { reclaimPolicy: "Delete", volumeBindingMode: "Immediate" });
}

export function defaultCsiDriver(driver: Loose<CSIDriver>): Loose<CSIDriver> {
  return mapField(driver, "spec", (given) => {
    const spec = withDefaults(given, {
      attachRequired: true,
      podInfoOnMount: false,
      storageCapacity: false,
      fsGroupPolicy: "ReadWriteOnceWithFSType",
      requiresRepublish: false,
      seLinuxMount: false,
    });
    return (spec.volumeLifecycleModes?.length ?? 0) > 0 ? spec : { ...spec, volumeLifecycleModes: ["Persistent"] };
  });
}
