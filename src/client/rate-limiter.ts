import type { Clock } from "../internal/clock.js";

/** Says how long an item that failed waits before its next try. */
export interface RateLimiter<K> {
  delayMs(item: K): number;
  forget(item: K): void;
  requeues(item: K): number;
}

export interface DefaultRateLimiterOptions {
  readonly clock: Clock;
  readonly baseMs?: number;
  readonly maxMs?: number;
  /** Over all items: so many at once, then so many per second. */
  readonly burst?: number;
  readonly perSecond?: number;
}

/**
 * client-go's defaults: 5 ms doubled with every failure of the item up to 1000 s, and over all items 10 per second
 * after a burst of 100; the longer of the two.
 */
export class DefaultRateLimiter<K> implements RateLimiter<K> {
  readonly #failures = new Map<K, number>();
  readonly #baseMs: number;
  readonly #maxMs: number;
  readonly #bucket: TokenBucket;

  constructor(options: DefaultRateLimiterOptions) {
    this.#baseMs = options.baseMs ?? 5;
    this.#maxMs = options.maxMs ?? 1_000_000;
    this.#bucket = new TokenBucket(options.clock, options.burst ?? 100, options.perSecond ?? 10);
  }

  delayMs(item: K): number {
    const failures = this.#failures.get(item) ?? 0;
    this.#failures.set(item, failures + 1);
    return Math.max(Math.min(this.#baseMs * 2 ** failures, this.#maxMs), this.#bucket.reserveMs());
  }

  forget(item: K): void {
    this.#failures.delete(item);
  }

  requeues(item: K): number {
    return this.#failures.get(item) ?? 0;
  }
}

/** Tokens that come back at a steady rate, up to `burst`. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #burst: number;
  #perMs: number;
  #tokens: number;
  #at: number;

  constructor(clock: Clock, burst: number, perSecond: number) {
    this.#clock = clock;
    this.#burst = burst;
    this.#perMs = perSecond / 1000;
    this.#tokens = burst;
    this.#at = clock.now();
  }

  set perSecond(rate: number) {
    this.#refill();
    this.#perMs = rate / 1000;
  }

  /** Takes a token if there is one. */
  tryTake(): boolean {
    this.#refill();
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Takes a token, of the future if need be, and says how long until it is there. */
  reserveMs(): number {
    this.#refill();
    this.#tokens -= 1;
    if (this.#tokens >= 0) return 0;
    return this.#perMs === 0 ? Number.POSITIVE_INFINITY : -this.#tokens / this.#perMs;
  }

  #refill(): void {
    const now = this.#clock.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) * this.#perMs);
    this.#at = now;
  }
}
