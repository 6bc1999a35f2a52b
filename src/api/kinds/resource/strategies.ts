import type { DeviceClass, ResourceClaim, ResourceClaimTemplate, ResourceSlice } from "../../gen/types.js";
import { gated } from "../gated-fields.js";
import { startsWithStatus } from "../status-zero.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import { validateResourceClaimStatus } from "./claim-status-validation.js";
import {
  validateDeviceClass,
  validateNewResourceClaim,
  validateNewResourceClaimTemplate,
  validateSpecImmutable,
} from "./claim-validation.js";
import { defaultResourceClaim, defaultResourceClaimTemplate, stampTaints } from "./defaults.js";
import { validateNewResourceSlice, validateResourceSliceUpdate } from "./slice-validation.js";

const group = "resource.k8s.io";

export const resourceStrategies: readonly StrategyEntry[] = [
  [`${group}/deviceclasses`, strategyOf<DeviceClass>({ validate: validateDeviceClass, generation: true })],
  [
    `${group}/resourceclaims`,
    strategyOf<ResourceClaim>({
      defaults: defaultResourceClaim,
      validateCreate: validateNewResourceClaim,
      validateUpdate: validateSpecImmutable,
      validateStatusUpdate: validateResourceClaimStatus,
      prepareForCreate: startsWithStatus({}),
      generation: false,
    }),
  ],
  [
    `${group}/resourceclaimtemplates`,
    strategyOf<ResourceClaimTemplate>({
      validateCreate: validateNewResourceClaimTemplate,
      validateUpdate: validateSpecImmutable,
      defaults: defaultResourceClaimTemplate,
      generation: false,
    }),
  ],
  [
    `${group}/resourceslices`,
    strategyOf<ResourceSlice>({
      prepareForCreate: (slice, context) => stampTaints(slice, context.now),
      gatedFields: [
        gated(
          "DRAListTypeAttributes",
          ["bools", "ints", "strings", "versions"].map((list) => `spec.devices[].attributes[].${list}`),
        ),
        gated("DRANodeAllocatableResources", ["spec.devices[].nodeAllocatableResourceMappings"]),
      ],
      validateCreate: validateNewResourceSlice,
      validateUpdate: validateResourceSliceUpdate,
      prepareForUpdate: (slice, _old, context) => stampTaints(slice, context.now),
      generation: true,
    }),
  ],
];
