export { acceptDiscovery, type DiscoveryForm, discoveryContentType } from "./accept.js";
export {
  type AggregatedVersion,
  aggregatedDocument,
  apiVersionsDocument,
  groupDocument,
  groupListDocument,
  resourceListDocument,
  storageVersionHash,
} from "./documents.js";
export {
  compareVersions,
  type ExtraGroup,
  type ServedGroup,
  type ServedResource,
  type ServedSubresource,
  type ServedVersion,
  servedGroups,
} from "./groups.js";
export { type DiscoveryOptions, DiscoveryRoute, etagOf, type ResourceSource } from "./route.js";
