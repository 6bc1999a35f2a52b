import type { DeviceClass, ResourceClaim, ResourceClaimTemplate, ResourceSlice } from "../../gen/types.js";
import { gated } from "../gated-fields.js";
import { startsWithStatus } from "../status-zero.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import { defaultResourceClaim, defaultResourceClaimTemplate, stampTaints } from "./defaults.js";
import {
  validateDeviceClass,
  validateResourceClaim,
  validateResourceClaimTemplate,
  validateResourceSlice,
  validateResourceSliceUpdate,
  validateSpecImmutable,
} from "./validation.js";

const group = "resource.k8s.io";

export const resourceStrategies: readonly StrategyEntry[] = [
  [`${group}/deviceclasses`, strategyOf<DeviceClass>({ validate: validateDeviceClass, generation: true })],
  [
    `${group}/resourceclaims`,
    strategyOf<ResourceClaim>({
      defaults: defaultResourceClaim,
      validate: validateResourceClaim,
      validateUpdate: validateSpecImmutable,
      prepareForCreate: startsWithStatus({}),
      generation: false,
    }),
  ],
  [
    `${group}/resourceclaimtemplates`,
    strategyOf<ResourceClaimTemplate>({
      validate: validateResourceClaimTemplate,
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
      validate: validateResourceSlice,
      validateUpdate: validateResourceSliceUpdate,
      prepareForUpdate: (slice, _old, context) => stampTaints(slice, context.now),
      generation: true,
    }),
  ],
];
