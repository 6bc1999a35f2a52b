import type { FieldError, JsonObject, ResourceStrategy } from "../api/index.js";

const loopbackReason = "may not be in the loopback range";

/**
 * Strategies for a cluster whose pods are processes of the host and have loopback addresses: their endpoints may be what
 * elsewhere would be a way into the host.
 */
export function loopbackStrategies(
  strategies: ReadonlyMap<string, ResourceStrategy>,
): ReadonlyMap<string, ResourceStrategy> {
  const result = new Map(strategies);
  for (const key of ["/endpoints", "discovery.k8s.io/endpointslices"]) {
    const strategy = strategies.get(key);
    if (strategy?.validate === undefined) continue;
    const { validate } = strategy;
    result.set(key, { ...strategy, validate: (object: JsonObject) => validate(object).filter(isGrave) });
  }
  return result;
}

function isGrave(error: FieldError): boolean {
  return !error.message.includes(loopbackReason);
}
