import { StoreError, type StoreErrorCode } from "../errors.js";

// What etcd says in the texts of its errors; the gRPC codes are too coarse.
const meanings: readonly (readonly [RegExp, StoreErrorCode])[] = [
  [/required revision is a future revision/, "future"],
  [/required revision has been compacted/, "compacted"],
  [/request is too large|message larger than max/, "too-large"],
  [/requested lease not found/, "no-lease"],
];

// What grpc-js says of a call that never left. A bare socket error is no such proof: it may have come after the call.
const unsent = /No connection established|Name resolution failed/;

/** An `unavailable` of which it is certain that the call had no effect. */
export class UnsentError extends StoreError {}

export function toStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const text = error instanceof Error ? error.message : String(error);
  for (const [pattern, code] of meanings) {
    if (pattern.test(text)) return new StoreError(code, `etcd: ${text}`, { cause: error });
  }
  if (unsent.test(text)) return new UnsentError("unavailable", `etcd cannot be reached: ${text}`, { cause: error });
  return new StoreError("unavailable", `etcd: ${text}`, { cause: error });
}
