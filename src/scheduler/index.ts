// For users.

export { ConfigurationError } from "../api/configuration-shape.js";
export {
  type ReadConfigurationOptions,
  readConfiguration,
  type SchedulerConfiguration,
} from "./configuration/configuration.js";
export type { PolicyFactory } from "./configuration/profile.js";
// For those who build their own.
export type { SchedulerCoreOptions } from "./core.js";
export { SchedulerCore } from "./core.js";
export type { WeightedPolicy } from "./engine/class-cache.js";
export type { NodeEvaluation, PolicyScore } from "./engine/plain-evaluation.js";
export { type Explanation, explanationText, type PreemptionPreview } from "./explain.js";
export type { Extender, ExtenderVerdict, PreemptionPlan } from "./extender/extender.js";
export { type HttpExtenderOptions, httpExtender } from "./extender/http-extender.js";
export type { ClusterListers, ObjectLister } from "./framework/listers.js";
export { listerOf, listersOf } from "./framework/listers.js";
export type {
  ClusterEvent,
  ClusterSnapshot,
  Cycle,
  EventAction,
  EventResource,
  NodeChanges,
  NodeSnapshot,
  NodeVerdict,
  PostFilterResult,
  PreFilterResult,
  QueuedPod,
  Rejection,
  RequeueInterest,
  ResolvableNode,
  ScheduleFailure,
  SchedulingPolicy,
  Verdict,
  Wait,
} from "./framework/policy.js";
export { unresolvable } from "./framework/policy.js";
export type { ResourceAmounts } from "./framework/resources.js";
export type { VectorCompiler, VectorContext, VectorPart } from "./framework/vector.js";
export { defaultPolicies } from "./policies/default-policies.js";
export { type DefaultPreemptionArgs, defaultPreemption } from "./policies/default-preemption.js";
export { imageLocality } from "./policies/image-locality.js";
export { type InterPodAffinityArgs, interPodAffinity } from "./policies/inter-pod-affinity.js";
export { type NodeAffinityArgs, nodeAffinity } from "./policies/node-affinity.js";
export { nodePorts } from "./policies/node-ports.js";
export {
  type NodeResourcesBalancedAllocationArgs,
  type NodeResourcesFitArgs,
  nodeResourcesBalancedAllocation,
  nodeResourcesFit,
} from "./policies/node-resources.js";
export { podTopologySpread } from "./policies/pod-topology-spread.js";
export type { ResourceSpec, ScoringStrategy } from "./policies/resource-scores.js";
export { nodeName, nodeUnschedulable, prioritySort, schedulingGates } from "./policies/simple-policies.js";
export type { PodTopologySpreadArgs } from "./policies/spread-constraints.js";
export { taintToleration } from "./policies/taint-toleration.js";
export { type VolumeBindingArgs, volumeBinding } from "./policies/volume-binding.js";
export { nodeVolumeLimits, volumeRestrictions, volumeZone } from "./policies/volume-checks.js";
export type { SchedulerProfile } from "./profile.js";
export type { Scheduler, SchedulerOptions } from "./scheduler.js";
export { createScheduler } from "./scheduler.js";
export type { ShadowDifference, ShadowOptions, ShadowSummary } from "./shadow.js";
export type { SimulationSample } from "./simulate/meter.js";
export { simulationHtml, simulationSvg, simulationTable } from "./simulate/report.js";
export {
  type PoliciesUnderTest,
  type SimulateOptions,
  type SimulationContext,
  type SimulationRun,
  simulate,
} from "./simulate/simulate.js";
export {
  type NodeFailure,
  type RandomTraceOptions,
  randomTrace,
  type TracePod,
  type WorkloadTrace,
} from "./simulate/trace.js";
export { type Placement, type WhatIfOptions, whatIf } from "./simulate/what-if.js";
export type { WaitingPod } from "./waiting-pods.js";
export { type ClusterWrites, clientWrites, type PodStatusChange } from "./writes.js";
