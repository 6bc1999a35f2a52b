// For users: start something, talk to it, change one rule.
// For those who build their own parts.
export type {
  KubeList,
  KubeObject,
  New,
  ObjectKey,
  ResourceType,
  Transport,
  UserInfo,
  WatchEvent,
} from "./api/index.js";
export { isStatusError, StatusError } from "./api/index.js";
export { type Client, createClient, HttpTransport, type Informer, InformerFactory, waitFor } from "./client/index.js";
export {
  type Cluster,
  type ClusterOptions,
  type ControlPlane,
  type ControlPlaneOptions,
  startCluster,
  startControlPlane,
  startLocalCluster,
} from "./cluster/index.js";
export { type Controller, defineController } from "./controllers/index.js";
export type { Clock, ClockTimer } from "./internal/clock.js";
export { realClock } from "./internal/clock.js";
export type { Component, ComponentContext } from "./internal/component.js";
export type { LogFields, Logger } from "./internal/logger.js";
export { silentLogger } from "./internal/logger.js";
export { type Random, seededRandom, systemRandom } from "./internal/random.js";
export type { ProxyBackend } from "./proxy/index.js";
export type { Runtime } from "./runtime/index.js";
export { createScheduler, defaultPolicies, type SchedulingPolicy } from "./scheduler/index.js";
export { MemoryStore, type Store, StoreError } from "./store/index.js";
