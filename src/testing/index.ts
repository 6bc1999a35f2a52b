export {
  describeStore,
  runStoreCheck,
  type StoreCheck,
  type StoreCheckContext,
  type StoreContractOptions,
  type StoreSubject,
  storeChecks,
} from "./store-contract.js";
export {
  describeSchedulingPolicy,
  type PolicyCheck,
  type PolicyCheckContext,
  type PolicyContractOptions,
  type PolicySubject,
  policyChecks,
  runPolicyCheck,
} from "./policy-contract.js";
