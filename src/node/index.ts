export type { NodeAgent } from "./agent.js";
export { createNodeAgent } from "./agent.js";
export type { EvictionOptions } from "./eviction/thresholds.js";
export { isEvictionSignal } from "./eviction/thresholds.js";
// For those who build their own.
export type {
  ContainerUsage,
  DiskUsage,
  EvictionSignal,
  NodeUsage,
  NodeUsageSource,
  PodUsage,
  SignalReading,
} from "./eviction/usage.js";
export type { HollowNodes, HollowNodesOptions } from "./hollow.js";
export { createHollowAgents, createHollowNodes } from "./hollow.js";
export type { ImageCollectionOptions } from "./images/image-collector.js";
export type { NodeAgentOptions } from "./options.js";
export type { PodHandler, PodSource, PodSourceOptions } from "./pod-source.js";
export { createPodSource, podSourceOf } from "./pod-source.js";
export type { ProbeOutcome, Prober, ProbeTarget } from "./probes/prober.js";
export { hostResources } from "./registration/host-facts.js";
export type { PodCgroupResources, PodCgroups } from "./resize/pod-cgroups.js";
export type { NodeServerOptions } from "./server/options.js";
