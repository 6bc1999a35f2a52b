export type {
  ApplyOptions,
  CallOptions,
  Client,
  GetOptions,
  ListOptions,
  PatchOptions,
  WatchOptions,
  WriteOptions,
} from "./client.js";
export { createClient } from "./client.js";
