import { type SchedulingPolicy, unresolvable } from "../framework/policy.js";

/**
 * Stands where upstream's DynamicResources does. It allocates no devices: pods with resource claims are refused in so many
 * words instead of being bound without them.
 */
export function dynamicResources(): SchedulingPolicy {
  const refused = unresolvable("allocating resource claims is not supported by this scheduler");
  return {
    name: "DynamicResources",
    preFilter: (pod) => ((pod.spec?.resourceClaims ?? []).length > 0 ? refused : { skip: true }),
    // Upstream's says so of every pod that it could not help, and its messages carry it.
    postFilter: () => ({ message: "no new claims to deallocate" }),
    requeueWhen: [],
    vector: {
      key: ({ pod }) => ((pod.spec?.resourceClaims ?? []).length > 0 ? undefined : ""),
      compile: () => undefined,
    },
  };
}
