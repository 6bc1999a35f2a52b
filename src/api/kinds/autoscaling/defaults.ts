import type { HorizontalPodAutoscaler, HorizontalPodAutoscalerBehavior, HPAScalingRules } from "../../gen/types.js";
import { mapField, withDefaults } from "../defaulting.js";
import type { Loose } from "../loose.js";

export function defaultAutoscaler(autoscaler: Loose<HorizontalPodAutoscaler>): Loose<HorizontalPodAutoscaler> {
  // autoscaling/v1 has no metrics or behavior: its one target is a field of its own.
  const version: string | undefined = autoscaler.apiVersion;
  const v2 = version !== "autoscaling/v1";
  return mapField(autoscaler, "spec", (given) => {
    const spec = withDefaults(given, { minReplicas: 1 });
    if (!v2) return spec;
    const withMetrics = (spec.metrics?.length ?? 0) === 0 ? { ...spec, metrics: [cpuMetric] } : spec;
    return mapField(withMetrics, "behavior", defaultBehavior);
  });
}

const cpuMetric = Object.freeze({
  type: "Resource",
  resource: Object.freeze({
    name: "cpu",
    target: Object.freeze({ type: "Utilization", averageUtilization: 80 }),
  }),
});

const scaleUp: Loose<HPAScalingRules> = {
  stabilizationWindowSeconds: 0,
  selectPolicy: "Max",
  policies: [
    { type: "Pods", value: 4, periodSeconds: 15 },
    { type: "Percent", value: 100, periodSeconds: 15 },
  ],
};

const scaleDown: Loose<HPAScalingRules> = {
  selectPolicy: "Max",
  policies: [{ type: "Percent", value: 100, periodSeconds: 15 }],
};

function defaultBehavior(behavior: Loose<HorizontalPodAutoscalerBehavior>): Loose<HorizontalPodAutoscalerBehavior> {
  const result = withDefaults(behavior, { scaleUp, scaleDown });
  return mapField(
    mapField(result, "scaleUp", (rules) => withDefaults(rules, scaleUp)),
    "scaleDown",
    (rules) => withDefaults(rules, scaleDown),
  );
}
