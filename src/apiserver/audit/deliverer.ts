import type { Clock } from "../../internal/clock.js";
import type { AuditDelivery, AuditTruncateOptions } from "./backend.js";
import { Batcher } from "./batcher.js";
import { type AuditEvent, eventSize, truncatedAnnotation } from "./event.js";

export interface DelivererOptions {
  readonly clock: Clock;
  /** Told of events that are lost. `plugin` is who lost them. */
  readonly lost: (plugin: string, error: unknown, events: readonly AuditEvent[]) => void;
}

/** Brings events to one backend, in its mode and cut to its size. */
export class Deliverer implements AsyncDisposable {
  readonly #delivery: AuditDelivery;
  readonly #lost: DelivererOptions["lost"];
  readonly #batcher: Batcher | undefined;
  readonly #abort = new AbortController();

  constructor(delivery: AuditDelivery, { clock, lost }: DelivererOptions) {
    this.#delivery = delivery;
    this.#lost = lost;
    const { backend, batch, truncate, mode = "batch" } = delivery;
    if (mode !== "batch") return;
    this.#batcher = new Batcher(backend, { ...batch, clock, lost, maxBatchBytes: truncate?.maxBatchSize });
  }

  /** Whether the request may go on; a promise where it has to wait for that. Never rejects. */
  write(event: AuditEvent): boolean | Promise<boolean> {
    const { backend, truncate, mode } = this.#delivery;
    const fitting = truncate === undefined ? event : truncated(event, truncate);
    if (fitting === undefined) {
      this.#lost("truncate", new Error("event is too large even after truncating"), [event]);
      return true;
    }
    if (this.#batcher !== undefined) {
      this.#batcher.write(fitting);
      return true;
    }
    const failed = (error: unknown): boolean => {
      this.#lost(backend.name ?? "custom", error, [fitting]);
      return mode !== "blocking-strict";
    };
    try {
      return backend.write([fitting], this.#abort.signal)?.then(() => true, failed) ?? true;
    } catch (error) {
      return failed(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#batcher?.[Symbol.asyncDispose]();
    this.#abort.abort();
  }
}

/** The event, without its objects where it is too large with them; undefined: it is too large without them too. */
function truncated(event: AuditEvent, { maxEventSize = 100 * 1024 }: AuditTruncateOptions): AuditEvent | undefined {
  if (eventSize(event) <= maxEventSize) return event;
  const { requestObject, responseObject, ...rest } = event;
  if (requestObject === undefined && responseObject === undefined) return undefined;
  const bare = { ...rest, annotations: { ...event.annotations, [truncatedAnnotation]: "true" } };
  return eventSize(bare) <= maxEventSize ? bare : undefined;
}
