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
  describeStore,
  runStoreCheck,
  type StoreCheck,
  type StoreCheckContext,
  type StoreContractOptions,
  type StoreSubject,
  storeChecks,
} from "./store-contract.js";
