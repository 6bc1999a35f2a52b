export type { FieldsV1 } from "./apply/fields-v1.js";
export type { ApplyOptions } from "./apply/server-side-apply.js";
export { serverSideApply } from "./apply/server-side-apply.js";
export type { UpdateManagersOptions } from "./apply/update.js";
export { updateManagedFields } from "./apply/update.js";
export type { CustomColumn, JsonPath } from "./columns/index.js";
export {
  age,
  builtinColumns,
  compileJsonPath,
  customColumns,
  defaultColumns,
  humanDuration,
  JsonPathError,
} from "./columns/index.js";
export type { DefinedResource, ResourceDefinition } from "./custom/define-resource.js";
export { defineResource } from "./custom/define-resource.js";
export type { CustomObject, FromSchema, LiteralSchema } from "./custom/schema-type.js";
export type { CheckedFields } from "./decode/check-fields.js";
export { checkFields, pruneFields } from "./decode/check-fields.js";
export type { Decoded, DecodeLimits } from "./decode/decode-error.js";
export { DecodeError } from "./decode/decode-error.js";
export type { DecodeIntoOptions, FieldValidation } from "./decode/decode-into.js";
export { decodeInto } from "./decode/decode-into.js";
export { decodeJson } from "./decode/json.js";
export { autoscalerV1Of, autoscalerV2Of, builtinDescriptions, coreEventOf, eventOf } from "./describe/index.js";
export type {
  PrinterColumn,
  ResourceDescription,
  ResourceStrategy,
  RowCondition,
  ScalePaths,
  StorageDescription,
  StrategyContext,
  SubresourceDescription,
  VersionedStorage,
} from "./description.js";
export { DurationError, formatDurationMs, parseDurationMs } from "./duration.js";
export type { FieldError, FieldErrorReason } from "./field-error.js";
export type { FieldRequirement, FieldSelector } from "./field-selector.js";
export { escapeFieldValue, everyField, fieldEquals, parseFieldSelector } from "./field-selector.js";
export {
  apiServices,
  bindings,
  certificateSigningRequests,
  clusterRoleBindings,
  clusterRoles,
  componentStatuses,
  configMaps,
  controllerRevisions,
  coreEvents,
  cronJobs,
  csiDrivers,
  csiNodes,
  csiStorageCapacities,
  customResourceDefinitions,
  daemonSets,
  deployments,
  deviceClasses,
  endpointSlices,
  endpoints,
  events,
  flowSchemas,
  horizontalPodAutoscalers,
  ingressClasses,
  ingresses,
  ipAddresses,
  jobs,
  leases,
  limitRanges,
  localSubjectAccessReviews,
  mutatingAdmissionPolicies,
  mutatingAdmissionPolicyBindings,
  mutatingWebhookConfigurations,
  namespaces,
  networkPolicies,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  podDisruptionBudgets,
  pods,
  podTemplates,
  priorityClasses,
  priorityLevelConfigurations,
  type ResourceFacts,
  replicaSets,
  replicationControllers,
  resourceClaims,
  resourceClaimTemplates,
  resourceFacts,
  resourceQuotas,
  resourceSlices,
  roleBindings,
  roles,
  runtimeClasses,
  secrets,
  selfSubjectAccessReviews,
  selfSubjectReviews,
  selfSubjectRulesReviews,
  serviceAccounts,
  serviceCIDRs,
  services,
  statefulSets,
  storageClasses,
  subjectAccessReviews,
  tokenReviews,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
  validatingWebhookConfigurations,
  volumeAttachments,
  volumeAttributesClasses,
} from "./gen/resources.js";
export type * from "./gen/types.js";
export type { IntOrString } from "./int-or-string.js";
export { percentOf, scaledIntOrPercent } from "./int-or-string.js";
export type { IpAddress, IpPrefix } from "./ip.js";
export { cidrContains, formatIp, parseCidr, parseIp } from "./ip.js";
export type { LabelOperator, LabelRequirement, Labels, Selector } from "./labels.js";
export {
  everything,
  nothing,
  parseLabelSelector,
  SelectorError,
  selectorFromLabelSelector,
  selectorFromRequirements,
  selectorFromSet,
} from "./labels.js";
export type {
  JsonObject,
  KubeList,
  KubeObject,
  ListMeta,
  New,
  ObjectKey,
  WatchEvent,
  WatchEventType,
} from "./object.js";
export { keyOf, splitKey } from "./object.js";
export { applyJsonPatch, jsonPatchLimits } from "./patch/json-patch.js";
export { applyMergePatch, diffMergePatch } from "./patch/merge-patch.js";
export type { PatchErrorCode } from "./patch/patch-error.js";
export { PatchError } from "./patch/patch-error.js";
export { diffStrategicMergePatch } from "./patch/strategic-diff.js";
export { applyStrategicMergePatch } from "./patch/strategic-merge.js";
export type { QuantityFormat } from "./quantity.js";
export {
  canonicalQuantity,
  compareQuantities,
  parseQuantity,
  Quantity,
  QuantityError,
  quantityMilliValue,
  quantityValue,
  tryParseQuantity,
} from "./quantity.js";
export type { GroupVersionResource, ResourceType } from "./resource-type.js";
export { apiVersionOf, parseApiVersion, qualifiedResource } from "./resource-type.js";
export type { Schema, SchemaType } from "./schema.js";
export { builtinSchema, builtinSchemaIds, openApiName } from "./schema-table.js";
export type { Status, StatusCause, StatusDetails, StatusReason } from "./status.js";
export { isStatusError, StatusError, statusErrors, success } from "./status.js";
export { formatMicroTime, formatTime, parseTimeMs } from "./time.js";
export type {
  ApiRequest,
  DeleteOptions,
  DiscoveredResource,
  GroupVersion,
  PatchType,
  PropagationPolicy,
  RequestOptions,
  Transport,
  UserInfo,
  Verb,
} from "./transport.js";
export { patchContentTypes } from "./transport.js";
