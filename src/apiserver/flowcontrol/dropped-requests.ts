const maxRetryAfterSeconds = 32;

/**
 * What `Retry-After` says to requests that a priority level refuses, from 1 to 32 seconds: twice as much after many were refused,
 * a second less when it was few. As upstream: many are three for each second of the current value, in that many seconds.
 */
export class DroppedRequests {
  #retryAfter = 1;
  #raisedAt = Number.NEGATIVE_INFINITY;
  #second = Number.NEGATIVE_INFINITY;
  #count = 0;
  #history: { readonly second: number; readonly count: number }[] = [];

  get retryAfterSeconds(): number {
    return this.#retryAfter;
  }

  /** Counts one more, and gives when it is to come back. */
  record(nowMs: number): number {
    const second = Math.floor(nowMs / 1000);
    if (second === this.#second) {
      this.#count++;
      return this.#retryAfter;
    }
    if (this.#count > 0) this.#history.push({ second: this.#second, count: this.#count });
    this.#history = this.#history.filter((past) => second - past.second <= maxRetryAfterSeconds);
    this.#second = second;
    this.#count = 1;
    this.#adjust(second);
    return this.#retryAfter;
  }

  #adjust(second: number): void {
    const current = this.#retryAfter;
    const dropped = this.#history
      .filter((past) => second - past.second <= current)
      .reduce((sum, { count }) => sum + count, 0);
    if (second - this.#raisedAt >= current && dropped >= 3 * current) {
      this.#retryAfter = Math.min(2 * current, maxRetryAfterSeconds);
      this.#raisedAt = second;
    } else if (dropped < current && current > 1) {
      this.#retryAfter = current - 1;
    }
  }
}
