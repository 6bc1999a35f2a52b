export { StoreError, type StoreErrorCode } from "./errors.js";
export type {
  CallOptions,
  RangeOptions,
  RangeResult,
  Store,
  StoreEntry,
  StoreEvent,
  StoreLease,
  WatchBatch,
  WatchOptions,
  WriteOptions,
} from "./store.js";
