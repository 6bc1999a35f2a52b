export { StoreError, type StoreErrorCode } from "./errors.js";
export { MemoryStore, type MemoryStoreOptions } from "./memory/memory-store.js";
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
