// For everybody's tests.
export { type ControlPlane, type ControlPlaneOptions, startControlPlane } from "../cluster/index.js";
export { seededRandom } from "../internal/random.js";
export { VirtualClock } from "../internal/virtual-clock.js";
export {
  type DeploymentOptions,
  type MetaOptions,
  makeDeployment,
  makeMeta,
  makeNode,
  makePod,
  makeService,
  type NodeOptions,
  type PodOptions,
  type ServiceOptions,
} from "./builders.js";
// Contracts, for those who build their own parts.
export {
  type OwnResourceCheck,
  type OwnResourceContext,
  type OwnResourceSubject,
  ownResourceChecks,
  runOwnResourceCheck,
} from "./own-resource-checks.js";
export { describeOwnResource, type OwnResourceContractOptions } from "./own-resource-contract.js";
export {
  describeSchedulingPolicy,
  type PolicyCheck,
  type PolicyCheckContext,
  type PolicyContractOptions,
  type PolicySubject,
  policyChecks,
  runPolicyCheck,
} from "./policy-contract.js";
export {
  type Dial,
  type DialPlace,
  type DialResult,
  type ProxyCheck,
  type ProxyCheckContext,
  type ProxySubject,
  proxyChecks,
  runProxyCheck,
} from "./proxy-checks.js";
export { describeProxyBackend, type ProxyContractOptions } from "./proxy-contract.js";
export {
  describeRuntime,
  type RuntimeCheck,
  type RuntimeContractOptions,
  type RuntimeSubject,
  runtimeChecks,
} from "./runtime-contract.js";
export {
  describeStore,
  runStoreCheck,
  type StoreCheck,
  type StoreCheckContext,
  type StoreContractOptions,
  type StoreSubject,
  storeChecks,
} from "./store-contract.js";
