import type { PodDisruptionBudget } from "../../gen/types.js";
import { startsWithStatus } from "../status-zero.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";

export const policyStrategies: readonly StrategyEntry[] = [
  [
    "policy/poddisruptionbudgets",
    strategyOf<PodDisruptionBudget>({
      prepareForCreate: startsWithStatus({
        currentHealthy: 0,
        desiredHealthy: 0,
        disruptionsAllowed: 0,
        expectedPods: 0,
      }),
      unconditionalUpdate: false,
    }),
  ],
];
