import type { Container, PodSpec, ResourceRequirements } from "../../gen/types.js";
import { compareQuantities, tryParseQuantity } from "../../quantity.js";
import { type Dictionary, type Loose, ownValue } from "../loose.js";

const resources = ["cpu", "memory"] as const;

/**
 * Guaranteed: every container (or the pod as a whole) has limits for cpu and memory, and requests equal to them. BestEffort:
 * nothing is asked for. Burstable: the rest.
 */
export function qosClass(spec: Loose<PodSpec>): "Guaranteed" | "Burstable" | "BestEffort" {
  const holders: readonly (Loose<ResourceRequirements> | undefined)[] = hasPodLevel(spec.resources)
    ? [spec.resources]
    : [...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(
        (container: Loose<Container>) => container.resources,
      );
  let asked = false;
  let guaranteed = true;
  for (const holder of holders) {
    for (const name of resources) {
      const request = positive(holder?.requests, name);
      const limit = positive(holder?.limits, name);
      if (request !== undefined || limit !== undefined) asked = true;
      if (limit === undefined || (request !== undefined && compareQuantities(request, limit) !== 0)) guaranteed = false;
    }
  }
  if (!asked) return "BestEffort";
  return guaranteed ? "Guaranteed" : "Burstable";
}

function hasPodLevel(given: Loose<ResourceRequirements> | undefined): boolean {
  return resources.some((name) => ownValue(given?.requests, name) ?? ownValue(given?.limits, name));
}

function positive(list: Dictionary | undefined, name: string): string | undefined {
  const text = ownValue(list, name);
  const quantity = tryParseQuantity(text);
  return quantity !== undefined && quantity.sign > 0 ? text : undefined;
}
