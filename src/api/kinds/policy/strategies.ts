import { type FieldError, invalid } from "../../field-error.js";
import type { PodDisruptionBudget } from "../../gen/types.js";
import {
  checkNonNegative,
  checkNonNegativeIntOrPercent,
  checkNotOver100Percent,
  checkOptionalEnum,
  type Errors,
} from "../checks.js";
import { checkConditions } from "../conditions.js";
import { checkLabelSelector } from "../label-selector.js";
import type { Loose } from "../loose.js";
import { startsWithStatus } from "../status-zero.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";

function validateDisruptionBudget(budget: Loose<PodDisruptionBudget>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = budget.spec ?? {};
  if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined) {
    errors.push(invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set"));
  }
  for (const field of ["minAvailable", "maxUnavailable"] as const) {
    if (spec[field] === undefined) continue;
    checkNonNegativeIntOrPercent(errors, `spec.${field}`, spec[field]);
    checkNotOver100Percent(errors, `spec.${field}`, spec[field]);
  }
  checkLabelSelector(errors, "spec.selector", spec.selector);
  checkOptionalEnum(errors, "spec.unhealthyPodEvictionPolicy", spec.unhealthyPodEvictionPolicy, [
    "AlwaysAllow",
    "IfHealthyBudget",
  ]);
  return errors;
}

function validateStatus(budget: Loose<PodDisruptionBudget>): readonly FieldError[] {
  const errors: Errors = [];
  checkConditions(errors, "status.conditions", budget.status?.conditions);
  for (const field of ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"] as const) {
    checkNonNegative(errors, `status.${field}`, budget.status?.[field]);
  }
  return errors;
}

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
      validate: validateDisruptionBudget,
      validateStatusUpdate: validateStatus,
      unconditionalUpdate: false,
    }),
  ],
];
