import type { Clock } from "../../internal/clock.js";

/** Cancelled streams that one connection may have at once, and how many more each second: many watches end at once, but not for ever. */
const burst = 1000;
const perSecond = 200;

/** Watches one HTTP/2 connection for the attack of opening and cancelling streams without end. */
export class SessionGuard {
  readonly #clock: Clock;
  #tokens = burst;
  #lastMs: number;
  #open = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastMs = clock.now();
  }

  opened(): void {
    this.#open++;
  }

  closed(): void {
    this.#open--;
  }

  get idle(): boolean {
    return this.#open === 0;
  }

  /** false: it is an attack, and the connection is to go. */
  allowReset(): boolean {
    const now = this.#clock.now();
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#lastMs) / 1000) * perSecond);
    this.#lastMs = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
