import type { PodSpec } from "../../gen/types.js";
import { withMissingEntries } from "../defaulting.js";
import type { Loose } from "../loose.js";

/** Pod-level requests that are not given follow the pod-level limits. */
export function defaultPodLevelRequests(spec: Loose<PodSpec>): Loose<PodSpec> {
  const resources = spec.resources;
  if (resources?.limits === undefined) return spec;
  const requests = withMissingEntries(resources.requests, resources.limits);
  return requests === resources.requests ? spec : { ...spec, resources: { ...resources, requests } };
}
