import type { Container, PodSpec } from "../../gen/types.js";
import { type Quantity, tryParseQuantity } from "../../quantity.js";
import { withMissingEntries } from "../defaulting.js";
import { type Loose, ownValue } from "../loose.js";

const overcommittable = ["cpu", "memory"] as const;

/**
 * Where a pod as a whole has limits, its requests that are not given are what its containers ask for together, or else the
 * limits.
 */
export function defaultPodLevelRequests(spec: Loose<PodSpec>): Loose<PodSpec> {
  const resources = spec.resources;
  if (resources?.limits === undefined) return spec;
  const asked = withMissingEntries(resources.requests, containerRequests(spec));
  const requests = withMissingEntries(asked, resources.limits);
  return requests === resources.requests ? spec : { ...spec, resources: { ...resources, requests } };
}

function containerRequests(spec: Loose<PodSpec>): { readonly [name: string]: string } | undefined {
  const entries: [string, string][] = [];
  for (const name of overcommittable) {
    const total = effectiveRequest(spec, name);
    if (total !== undefined) entries.push([name, total.toString()]);
  }
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** Containers and sidecars run together; each init container runs beside the sidecars before it. The larger counts. */
export function effectiveRequest(spec: Loose<PodSpec>, name: string): Quantity | undefined {
  let running: Quantity | undefined;
  for (const container of spec.containers ?? []) running = sum(running, requestOf(container, name));
  let sidecars: Quantity | undefined;
  let starting: Quantity | undefined;
  for (const container of spec.initContainers ?? []) {
    const request = requestOf(container, name);
    if (container.restartPolicy === "Always") {
      sidecars = sum(sidecars, request);
      running = sum(running, request);
    }
    const now = container.restartPolicy === "Always" ? sidecars : sum(sidecars, request);
    if (now !== undefined && (starting === undefined || now.compare(starting) > 0)) starting = now;
  }
  if (running === undefined || starting === undefined) return running ?? starting;
  return running.compare(starting) >= 0 ? running : starting;
}

function requestOf(container: Loose<Container>, name: string): Quantity | undefined {
  return tryParseQuantity(ownValue(container.resources?.requests, name));
}

function sum(a: Quantity | undefined, b: Quantity | undefined): Quantity | undefined {
  return a === undefined || b === undefined ? (a ?? b) : a.add(b);
}
