export type { AdmissionPlugin, AdmissionRequest, CacheReader } from "./admission/admission.js";
export type { AuthorizationAttributes, AuthorizationDecision, Authorizer } from "./authz/authorizer.js";
export type { ConvertFunction, ConvertObjects, CustomResourcesOptions } from "./crd/index.js";
export { CustomResources, crds } from "./crd/index.js";
export type { InFlightLimits } from "./http/in-flight.js";
export { type OwnResource, ownResource } from "./own/own-resource.js";
export type {
  ResourceStorage,
  StorageEvent,
  StorageKey,
  StorageList,
  StorageObject,
  StorageRequest,
  StorageScope,
  StorageWatch,
} from "./own/resource-storage.js";
export type { WriteChange, WriteHook } from "./registry/context.js";
export type {
  RequestHandler,
  ServerRequest,
  ServerResult,
  StoredEvent,
  StoredList,
  StoredObject,
} from "./request.js";
export { ResourceTable } from "./resource-table.js";
export { kubernetesVersion, SecuredApiServer, type SecuredApiServerOptions } from "./secured-api-server.js";
export { ApiServer, type ApiServerOptions, type VirtualResource } from "./server.js";
export { defaultServiceCidr, type ServiceHooksOptions, serviceHooks } from "./services/service-hooks.js";
