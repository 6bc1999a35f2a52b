/** How much of the smoothed demand is kept from one adjustment to the next: half of it for five minutes, as upstream. */
const smoothing = 0.977;

/** How many seats a priority level wanted over time, by which the limits of all are adjusted. */
export class SeatDemand {
  /** The most in the last period. */
  highWatermark = 0;
  average = 0;
  /** Follows rises of the demand at once, and falls slowly. */
  smoothed = 0;
  #value = 0;
  #sinceMs: number;
  #beganMs: number;
  #max = 0;
  /** Integrals over the period of the value and its square, in milliseconds. */
  #sum = 0;
  #squares = 0;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
    this.#beganMs = nowMs;
  }

  set(value: number, nowMs: number): void {
    const passed = nowMs - this.#sinceMs;
    if (passed > 0) {
      this.#sum += this.#value * passed;
      this.#squares += this.#value * this.#value * passed;
      this.#sinceMs = nowMs;
    }
    this.#value = value;
    if (value > this.#max) this.#max = value;
  }

  /** Ends a period and begins the next one. */
  endPeriod(nowMs: number): void {
    this.set(this.#value, nowMs);
    this.highWatermark = this.#max;
    const lengthMs = this.#sinceMs - this.#beganMs;
    if (lengthMs > 0) {
      this.average = this.#sum / lengthMs;
      const variance = this.#squares / lengthMs - this.average * this.average;
      const envelope = this.average + Math.sqrt(Math.max(0, variance));
      this.smoothed = Math.max(envelope, smoothing * this.smoothed + (1 - smoothing) * envelope);
    }
    this.#beganMs = this.#sinceMs;
    this.#max = this.#value;
    this.#sum = 0;
    this.#squares = 0;
  }
}
