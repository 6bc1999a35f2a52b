import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  StorageClass,
  VolumeAttachment,
  VolumeAttributesClass,
} from "../../gen/types.js";
import { startsWithStatus } from "../status-zero.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import { defaultCsiDriver, defaultStorageClass } from "./defaults.js";

export const storageStrategies: readonly StrategyEntry[] = [
  ["storage.k8s.io/storageclasses", strategyOf<StorageClass>({ defaults: defaultStorageClass })],
  ["storage.k8s.io/volumeattributesclasses", strategyOf<VolumeAttributesClass>({})],
  ["storage.k8s.io/csidrivers", strategyOf<CSIDriver>({ defaults: defaultCsiDriver, unconditionalUpdate: false })],
  ["storage.k8s.io/csinodes", strategyOf<CSINode>({ unconditionalUpdate: false, generation: false })],
  ["storage.k8s.io/csistoragecapacities", strategyOf<CSIStorageCapacity>({ unconditionalUpdate: false })],
  [
    "storage.k8s.io/volumeattachments",
    strategyOf<VolumeAttachment>({
      prepareForCreate: startsWithStatus({ attached: false }),
      unconditionalUpdate: false,
      generation: false,
    }),
  ],
];
