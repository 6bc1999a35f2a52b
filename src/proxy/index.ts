export { createProxy, type ProxyOptions } from "./component.js";
// For those who build their own.
export type { HealthCheckListener, ServiceHealth } from "./health-checks.js";
export { listenForHealthChecks } from "./health-checks.js";
export { listenForPages, type Page, type PageListener, type Pages } from "./pages.js";
export type { NodePlace } from "./pick-endpoints.js";
export { pickEndpoints } from "./pick-endpoints.js";
export type {
  ProxyBackend,
  ProxyEndpoint,
  ProxyErrorCode,
  ProxyProtocol,
  ProxyServicePort,
  ServiceTable,
  ServiceTableUpdate,
  TrafficPolicy,
} from "./proxy.js";
export { endpointsFor, externallyAccessible, ProxyError, servicePortName } from "./proxy.js";
export { portsOfService } from "./service-ports.js";
export type { ServiceTrackerOptions, TrackedChange } from "./tracker.js";
export { ServiceTracker } from "./tracker.js";
