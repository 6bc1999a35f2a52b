import type { WeightedPolicy } from "../engine/class-cache.js";
import type { SchedulingPolicy } from "../framework/policy.js";
import { defaultPreemption } from "./default-preemption.js";
import { dynamicResources } from "./dynamic-resources.js";
import { imageLocality } from "./image-locality.js";
import { interPodAffinity } from "./inter-pod-affinity.js";
import { nodeAffinity } from "./node-affinity.js";
import { nodeDeclaredFeatures } from "./node-declared-features.js";
import { nodePorts } from "./node-ports.js";
import { nodeResourcesBalancedAllocation, nodeResourcesFit } from "./node-resources.js";
import { podTopologySpread } from "./pod-topology-spread.js";
import { nodeName, nodeUnschedulable, prioritySort, schedulingGates } from "./simple-policies.js";
import { taintToleration } from "./taint-toleration.js";
import { volumeBinding } from "./volume-binding.js";
import { nodeVolumeLimits, volumeRestrictions, volumeZone } from "./volume-checks.js";

/** Upstream's default plugins with their weights, in upstream's order. */
export function defaultPolicies(): readonly WeightedPolicy[] {
  const weighted = (policy: SchedulingPolicy, weight = 0): WeightedPolicy => ({ policy, weight });
  return [
    weighted(schedulingGates()),
    weighted(prioritySort()),
    weighted(nodeUnschedulable()),
    weighted(nodeName()),
    weighted(taintToleration(), 3),
    weighted(nodeAffinity(), 2),
    weighted(nodeDeclaredFeatures()),
    weighted(nodePorts()),
    weighted(nodeResourcesFit(), 1),
    weighted(volumeRestrictions()),
    weighted(nodeVolumeLimits()),
    weighted(volumeBinding()),
    weighted(volumeZone()),
    weighted(podTopologySpread(), 2),
    weighted(interPodAffinity(), 2),
    // Before preemption: rather than evicting a pod, a claim that nobody uses is given back.
    weighted(dynamicResources(), 1),
    weighted(defaultPreemption()),
    weighted(nodeResourcesBalancedAllocation(), 1),
    weighted(imageLocality(), 1),
  ];
}
