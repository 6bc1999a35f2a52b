export type { NodeAgent } from "./agent.js";
export { createNodeAgent } from "./agent.js";
export type { HollowNodes, HollowNodesOptions } from "./hollow.js";
export { createHollowAgents, createHollowNodes } from "./hollow.js";
export type { NodeAgentOptions } from "./options.js";
// For those who build their own.
export type { PodHandler, PodSource, PodSourceOptions } from "./pod-source.js";
export { createPodSource, podSourceOf } from "./pod-source.js";
export type { ProbeOutcome, Prober, ProbeTarget } from "./probes/prober.js";
export { hostResources } from "./registration/host-facts.js";
export type { NodeServerOptions } from "./server/options.js";
