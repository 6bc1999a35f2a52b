// For those who build their own.
export { Backoff, type BackoffOptions } from "./backoff.js";
export type {
  ApplyOptions,
  CallOptions,
  Client,
  GetOptions,
  ListOptions,
  PatchOptions,
  WatchOptions,
  WriteOptions,
} from "./client.js";
export { createClient } from "./client.js";
export type { CredentialSource, Credentials } from "./credentials.js";
export type { EventDetails, EventRecorder, EventRecorderOptions, EventType } from "./event-recorder.js";
export { createEventRecorder, discardEvents, referenceTo } from "./event-recorder.js";
export { createEventSeriesRecorder } from "./event-series-recorder.js";
export type { HttpTransportOptions } from "./http-transport.js";
export { HttpTransport } from "./http-transport.js";
export type { HandlerRegistration, Informer, InformerHandler, InformerOptions } from "./informer.js";
export { createInformer } from "./informer.js";
export type { InformerFactoryOptions, SharedInformerOptions } from "./informer-factory.js";
export { InformerFactory } from "./informer-factory.js";
export type { ClusterAccess, Kubeconfig, KubeconfigCluster, KubeconfigContext, KubeconfigUser } from "./kubeconfig.js";
export {
  accessFrom,
  accessInCluster,
  formatKubeconfig,
  KubeconfigError,
  loadKubeconfig,
  parseKubeconfig,
  writeKubeconfig,
} from "./kubeconfig.js";
export type { LeaderElectorOptions } from "./leader-elector.js";
export { LeaderElector } from "./leader-elector.js";
export type { Indexers, IndexFunction, Lister } from "./object-cache.js";
export { cacheOf, ObjectCache } from "./object-cache.js";
export type { DefaultRateLimiterOptions, RateLimiter } from "./rate-limiter.js";
export { DefaultRateLimiter, TokenBucket } from "./rate-limiter.js";
export type { ReflectorOptions, ReflectorSink } from "./reflector.js";
export { reflect } from "./reflector.js";
export type { RetryOptions } from "./retry.js";
export { listInPages, retryOnConflict, updateWithRetry } from "./retry.js";
export type { WaitOptions } from "./wait-for.js";
export { waitFor } from "./wait-for.js";
export type { WorkqueueOptions } from "./workqueue.js";
export { Workqueue } from "./workqueue.js";
