import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  StorageClass,
  VolumeAttachment,
  VolumeAttributesClass,
} from "../../gen/types.js";
import { validatePathSegmentName } from "../checks.js";
import { gated } from "../gated-fields.js";
import { startsWithStatus } from "../status-zero.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import {
  validateAttachmentStatus,
  validateCsiDriver,
  validateCsiDriverUpdate,
  validateCsiNode,
  validateCsiNodeUpdate,
  validateStorageCapacity,
  validateStorageCapacityUpdate,
  validateVolumeAttachment,
  validateVolumeAttachmentUpdate,
} from "./csi-objects.js";
import { defaultCsiDriver, defaultStorageClass } from "./defaults.js";
import {
  validateStorageClass,
  validateStorageClassUpdate,
  validateVolumeAttributesClass,
  validateVolumeAttributesClassUpdate,
} from "./validation.js";
import { storageCapacityWarnings, storageClassWarnings } from "./warnings.js";

export const storageStrategies: readonly StrategyEntry[] = [
  [
    "storage.k8s.io/storageclasses",
    strategyOf<StorageClass>({
      defaults: defaultStorageClass,
      validate: validateStorageClass,
      validateUpdate: validateStorageClassUpdate,
      warnings: storageClassWarnings,
    }),
  ],
  [
    "storage.k8s.io/volumeattributesclasses",
    strategyOf<VolumeAttributesClass>({
      validate: validateVolumeAttributesClass,
      validateUpdate: validateVolumeAttributesClassUpdate,
    }),
  ],
  [
    "storage.k8s.io/csidrivers",
    strategyOf<CSIDriver>({
      validate: validateCsiDriver,
      validateName: validatePathSegmentName,
      validateUpdate: validateCsiDriverUpdate,
      defaults: defaultCsiDriver,
      gatedFields: [gated("VolumeLimitScaling", ["spec.preventPodSchedulingIfMissing"])],
      unconditionalUpdate: false,
    }),
  ],
  [
    "storage.k8s.io/csinodes",
    strategyOf<CSINode>({
      validate: validateCsiNode,
      validateUpdate: validateCsiNodeUpdate,
      unconditionalUpdate: false,
      generation: false,
    }),
  ],
  [
    "storage.k8s.io/csistoragecapacities",
    strategyOf<CSIStorageCapacity>({
      validate: validateStorageCapacity,
      validateUpdate: validateStorageCapacityUpdate,
      warnings: storageCapacityWarnings,
      unconditionalUpdate: false,
    }),
  ],
  [
    "storage.k8s.io/volumeattachments",
    strategyOf<VolumeAttachment>({
      validate: validateVolumeAttachment,
      validateUpdate: validateVolumeAttachmentUpdate,
      validateStatusUpdate: validateAttachmentStatus,
      prepareForCreate: startsWithStatus({ attached: false }),
      unconditionalUpdate: false,
      generation: false,
    }),
  ],
];
