import { isStatusError } from "../api/index.js";
import { type Clock, sleep } from "../internal/clock.js";
import type { Logger } from "../internal/logger.js";
import type { Random } from "../internal/random.js";

export interface EventQueueOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** What comes when so many wait is dropped. */
  readonly limit: number;
}

const maxTries = 12;
const retryMs = 10_000;

/** What is to be written, in order, one after the other. Never waits and never fails: under pressure things are dropped. */
export class EventQueue<T> implements AsyncDisposable {
  readonly #options: EventQueueOptions;
  readonly #write: (item: T, attempt: (write: Attempt) => Promise<boolean>) => Promise<void>;
  readonly #stop = new AbortController();
  readonly #items: T[] = [];
  #writing: Promise<void> | undefined;

  /** `write` hands each of its writes to `attempt`, which tries for as long as it makes sense and tells whether it was done. */
  constructor(
    options: EventQueueOptions,
    write: (item: T, attempt: (write: Attempt) => Promise<boolean>) => Promise<void>,
  ) {
    this.#options = options;
    this.#write = write;
  }

  get closed(): boolean {
    return this.#stop.signal.aborted;
  }

  push(item: T): void {
    if (this.closed || this.#items.length >= this.#options.limit) return;
    this.#items.push(item);
    this.#writing ??= this.#work().finally(() => {
      this.#writing = undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#items.length = 0;
    await this.#writing;
  }

  async #work(): Promise<void> {
    // Not in the caller's tick: recording costs it a push.
    await Promise.resolve();
    for (let item = this.#items.shift(); item !== undefined; item = this.#items.shift()) {
      await this.#write(item, (write) => this.#attempt(write));
    }
  }

  async #attempt(write: Attempt): Promise<boolean> {
    const { signal } = this.#stop;
    const { clock, random, logger } = this.#options;
    for (let tries = 1; !signal.aborted; tries++) {
      try {
        await write(signal);
        return true;
      } catch (error) {
        if (signal.aborted) return false;
        if (!isTransient(error) || tries >= maxTries) {
          logger.warn("cannot record an event", { error });
          return false;
        }
        await sleep(clock, tries === 1 ? retryMs * random.next() : retryMs, signal);
      }
    }
    return false;
  }
}

/** Rejects with what the server said. */
export type Attempt = (signal: AbortSignal) => Promise<void>;

/** What the server said no to will not become a yes; a server that was not there may come back. */
function isTransient(error: unknown): boolean {
  return (
    isStatusError(error, "ServiceUnavailable") ||
    isStatusError(error, "TooManyRequests") ||
    isStatusError(error, "Timeout") ||
    isStatusError(error, "ServerTimeout")
  );
}
