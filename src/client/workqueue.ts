import { type Clock, type ClockTimer, realClock } from "../internal/clock.js";
import { DefaultRateLimiter, type RateLimiter } from "./rate-limiter.js";

export interface WorkqueueOptions<K> {
  readonly clock?: Clock;
  readonly rateLimiter?: RateLimiter<K>;
}

/**
 * Keys to work on. A key that is added many times waits once; one that is added while it is worked on comes again
 * afterwards, so that no two workers ever have the same key. Its size is bounded by the number of distinct keys.
 */
export class Workqueue<K = string> {
  readonly #clock: Clock;
  readonly #limiter: RateLimiter<K>;
  /** In order, as a Set keeps it. */
  readonly #waiting = new Set<K>();
  readonly #processing = new Set<K>();
  readonly #again = new Set<K>();
  readonly #delayed = new Map<K, { readonly at: number; readonly timer: ClockTimer }>();
  readonly #takers: ((key: K | undefined) => void)[] = [];
  readonly #drained: (() => void)[] = [];
  #closed = false;

  constructor(options: WorkqueueOptions<K> = {}) {
    this.#clock = options.clock ?? realClock;
    this.#limiter = options.rateLimiter ?? new DefaultRateLimiter<K>({ clock: this.#clock });
  }

  /** How many keys wait now, without the delayed ones. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Nothing waits and nothing is worked on; delayed keys do not count. */
  get idle(): boolean {
    return this.#waiting.size === 0 && this.#processing.size === 0;
  }

  get shuttingDown(): boolean {
    return this.#closed;
  }

  add(key: K): void {
    if (this.#closed) return;
    if (this.#processing.has(key)) {
      this.#again.add(key);
      return;
    }
    if (this.#waiting.has(key)) return;
    const taker = this.#takers.shift();
    if (taker === undefined) {
      this.#waiting.add(key);
      return;
    }
    this.#processing.add(key);
    taker(key);
  }

  /** The sooner of several delays of one key counts. */
  addAfter(key: K, delayMs: number): void {
    if (this.#closed) return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    if (!Number.isFinite(delayMs)) return;
    const at = this.#clock.now() + delayMs;
    const earlier = this.#delayed.get(key);
    if (earlier !== undefined) {
      if (earlier.at <= at) return;
      earlier.timer.cancel();
    }
    const timer = this.#clock.setTimeout(() => {
      this.#delayed.delete(key);
      this.add(key);
    }, delayMs);
    this.#delayed.set(key, { at, timer });
  }

  /** After a failure: adds the key when the rate limiter lets it. */
  addRateLimited(key: K): void {
    if (!this.#closed) this.addAfter(key, this.#limiter.delayMs(key));
  }

  /** After a success: the next failure counts as the first. */
  forget(key: K): void {
    this.#limiter.forget(key);
  }

  requeues(key: K): number {
    return this.#limiter.requeues(key);
  }

  /** The next key; the caller must call `done` with it. Undefined when the queue is shut down and empty. */
  next(): Promise<K | undefined> {
    for (const key of this.#waiting) {
      this.#waiting.delete(key);
      this.#processing.add(key);
      return Promise.resolve(key);
    }
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  done(key: K): void {
    this.#processing.delete(key);
    if (this.#again.delete(key)) {
      if (this.#closed) this.#waiting.add(key);
      else this.add(key);
    }
    if (this.#processing.size === 0) for (const resolve of this.#drained.splice(0)) resolve();
  }

  /** Takes no more keys and drops those delayed and waiting; workers get undefined. */
  shutDown(): void {
    this.#close();
    this.#waiting.clear();
    this.#again.clear();
  }

  /** Takes no more keys, lets what waits be worked on, and resolves when the last one is done. */
  async shutDownWithDrain(): Promise<void> {
    this.#close();
    while (this.#waiting.size > 0 || this.#processing.size > 0) {
      await new Promise<void>((resolve) => this.#drained.push(resolve));
    }
  }

  #close(): void {
    this.#closed = true;
    for (const { timer } of this.#delayed.values()) timer.cancel();
    this.#delayed.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }
}
