export {
  describeStore,
  runStoreCheck,
  type StoreCheck,
  type StoreCheckContext,
  type StoreContractOptions,
  type StoreSubject,
  storeChecks,
} from "./store-contract.js";
