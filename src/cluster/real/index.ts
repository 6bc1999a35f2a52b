export type { RealHost, RealHostOptions, RealNode } from "./real-host.js";
export { createRealHost, removeAbandonedHosts } from "./real-host.js";
