import type { Clock, ClockTimer } from "../../internal/clock.js";
import { sleep } from "../../internal/clock.js";
import type { AuditBackend, AuditBatchOptions } from "./backend.js";
import { type AuditEvent, eventSize } from "./event.js";

/** All that is kept together: events with large objects are lost before there are as many as may be kept. */
const maxBufferBytes = 64 * 1024 * 1024;

export interface BatcherOptions extends AuditBatchOptions {
  readonly clock: Clock;
  /** Of one batch. Default 10 MiB. */
  readonly maxBatchBytes?: number | undefined;
  /** Told of events that are lost. `plugin` is who lost them. */
  readonly lost: (plugin: string, error: unknown, events: readonly AuditEvent[]) => void;
}

/** Sends events to a backend, some at a time, one batch after the other. What is kept is bounded. */
export class Batcher implements AsyncDisposable {
  readonly #backend: AuditBackend;
  readonly #options: BatcherOptions;
  readonly #bufferSize: number;
  readonly #batchSize: number;
  readonly #batchBytes: number;
  readonly #hurry = new AbortController();
  readonly #abort = new AbortController();
  #queue: AuditEvent[] = [];
  #bytes = 0;
  #sending: Promise<void> | undefined;
  #full: (() => void) | undefined;
  #tokens: number;
  #tokensAtMs: number;

  constructor(backend: AuditBackend, options: BatcherOptions) {
    this.#backend = backend;
    this.#options = options;
    this.#bufferSize = options.bufferSize ?? 10_000;
    this.#batchSize = options.maxBatchSize ?? 400;
    this.#batchBytes = options.maxBatchBytes ?? 10 * 1024 * 1024;
    this.#tokens = options.throttle?.burst ?? 0;
    this.#tokensAtMs = options.clock.now();
  }

  write(event: AuditEvent): void {
    const size = eventSize(event);
    const stopped = this.#hurry.signal.aborted;
    if (stopped || this.#queue.length >= this.#bufferSize || this.#bytes + size > maxBufferBytes) {
      const why = stopped ? "the server stops" : "audit buffer queue blocked";
      this.#options.lost("buffered", new Error(why), [event]);
      return;
    }
    this.#queue.push(event);
    this.#bytes += size;
    if (this.#queue.length >= this.#batchSize) this.#full?.();
    this.#sending ??= this.#send();
  }

  /** Sends what is kept, for so long; the rest is lost. Idempotent. */
  async close(graceMs: number): Promise<void> {
    this.#hurry.abort();
    const timer: ClockTimer = this.#options.clock.setTimeout(() => this.#abort.abort(), graceMs);
    try {
      await this.#sending;
    } finally {
      timer.cancel();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close(10_000);
  }

  async #send(): Promise<void> {
    while (this.#queue.length > 0) {
      if (this.#queue.length < this.#batchSize) await this.#gather();
      await this.#throttle();
      const batch = this.#next();
      try {
        if (this.#abort.signal.aborted) throw new Error("the server stopped before they could be sent");
        await this.#backend.write(batch, this.#abort.signal);
      } catch (error) {
        this.#options.lost(this.#backend.name ?? "custom", error, batch);
      }
    }
    this.#sending = undefined;
  }

  /** Waits for the batch to become full, for so long as an event may wait. */
  async #gather(): Promise<void> {
    const full = new AbortController();
    this.#full = () => full.abort();
    await sleep(
      this.#options.clock,
      this.#options.maxBatchWaitMs ?? 30_000,
      AbortSignal.any([full.signal, this.#hurry.signal]),
    );
    this.#full = undefined;
  }

  /** Waits for a batch's turn by a bucket of tokens. Who stops waits no more. */
  async #throttle(): Promise<void> {
    const { throttle, clock } = this.#options;
    if (throttle === undefined) return;
    const now = clock.now();
    this.#tokens = Math.min(throttle.burst, this.#tokens + ((now - this.#tokensAtMs) / 1000) * throttle.qps);
    this.#tokensAtMs = now;
    this.#tokens -= 1;
    if (this.#tokens < 0) await sleep(clock, (-this.#tokens / throttle.qps) * 1000, this.#hurry.signal);
  }

  #next(): readonly AuditEvent[] {
    let count = 0;
    let bytes = 0;
    for (const event of this.#queue) {
      const size = eventSize(event);
      if (count >= this.#batchSize || (count > 0 && bytes + size > this.#batchBytes)) break;
      count++;
      bytes += size;
    }
    this.#bytes -= bytes;
    return this.#queue.splice(0, count);
  }
}
