import type { HorizontalPodAutoscaler } from "../../gen/types.js";
import { startsWithStatus } from "../status-zero.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import { defaultAutoscaler } from "./defaults.js";
import { validateAutoscaler, validateAutoscalerStatus, validateLowerBound } from "./validation.js";

export const autoscalingStrategies: readonly StrategyEntry[] = [
  [
    "autoscaling/horizontalpodautoscalers",
    strategyOf<HorizontalPodAutoscaler>({
      defaults: defaultAutoscaler,
      validate: validateAutoscaler,
      validateCreate: (autoscaler) => validateLowerBound(autoscaler),
      validateUpdate: validateLowerBound,
      validateStatusUpdate: validateAutoscalerStatus,
      prepareForCreate: startsWithStatus({ desiredReplicas: 0 }),
      generation: false,
    }),
  ],
];
