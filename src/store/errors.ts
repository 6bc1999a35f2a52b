/**
 * Why a store refused:
 * - `exists`: create of a key that is there.
 * - `not-found`: update or delete of a key that is not there.
 * - `conflict`: the key's revision is not the expected one; `current` carries what is there.
 * - `compacted`: the asked revision is older than what the store still holds.
 * - `future`: the asked revision has not happened yet.
 * - `too-large`: the value or the request exceeds what the store takes.
 * - `no-lease`: the lease is unknown or expired.
 * - `unavailable`: the store cannot be reached or answered too late. A write may or may not have happened.
 * - `closed`: the store was disposed.
 */
export type StoreErrorCode =
  | "exists"
  | "not-found"
  | "conflict"
  | "compacted"
  | "future"
  | "too-large"
  | "no-lease"
  | "unavailable"
  | "closed";

export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;
  /** With `conflict`: the entry that is there now. */
  readonly current: import("./store.js").StoreEntry | undefined;
  /** With `compacted`: the oldest revision that can still be read. */
  readonly compactRevision: number | undefined;

  constructor(
    code: StoreErrorCode,
    message: string,
    details: {
      readonly current?: import("./store.js").StoreEntry;
      readonly compactRevision?: number;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.current = details.current;
    this.compactRevision = details.compactRevision;
  }
}
