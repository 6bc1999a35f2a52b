import type { AuditEvent } from "./event.js";

/** Where events go: a file, a webhook, or whatever is the user's own. Its maker disposes it, after the servers that write to it. */
export interface AuditBackend {
  /** What metrics and messages call it. Default: `custom`. */
  readonly name?: string;
  /**
   * Takes events, in order; resolves when they are where they belong. Nobody changes an event, and it may be kept. Throws, or
   * rejects, where the events are lost: there is no second try. `signal` aborts when the server stops and can wait no longer.
   */
  write(events: readonly AuditEvent[], signal: AbortSignal): void | Promise<void>;
}

/**
 * `batch`: events are kept, some of them sent at a time, and nobody waits. `blocking`: a request waits until its first event is
 * written, and goes on whether it could be or not. `blocking-strict`: it is refused with 500 where it could not be.
 */
export type AuditMode = "batch" | "blocking" | "blocking-strict";

export interface AuditBatchOptions {
  /** How many events are kept at most; later ones are lost. Default 10,000. */
  readonly bufferSize?: number | undefined;
  /** How many events are sent together. Default 400. */
  readonly maxBatchSize?: number | undefined;
  /** How long an event waits for others at most. Default 30 s. */
  readonly maxBatchWaitMs?: number | undefined;
  /** How many batches are sent in a second, and how many at once after a rest. Absent: as many as come. */
  readonly throttle?: { readonly qps: number; readonly burst: number } | undefined;
}

export interface AuditTruncateOptions {
  /** An event that is larger, in bytes, loses its objects, and is lost where that does not help. Default 100 KiB. */
  readonly maxEventSize?: number | undefined;
  /** A batch that would be larger is sent as several. Default 10 MiB. */
  readonly maxBatchSize?: number | undefined;
}

/** A backend, and how events come to it. */
export interface AuditDelivery {
  readonly backend: AuditBackend;
  /** Default `batch`. */
  readonly mode?: AuditMode | undefined;
  /** Of no meaning in other modes. */
  readonly batch?: AuditBatchOptions | undefined;
  /** Absent: events have the size that they have. */
  readonly truncate?: AuditTruncateOptions | undefined;
}
