import type { Random } from "../internal/random.js";

export interface BackoffOptions {
  readonly initialMs: number;
  readonly maxMs: number;
  readonly factor?: number;
  /** A delay d becomes one in [d, d * (1 + jitter)). */
  readonly jitter?: number;
  readonly random: Random;
}

/** Delays that grow with every failure in a row, spread so that many clients do not come back at one moment. */
export class Backoff {
  #failures = 0;
  readonly #options: BackoffOptions;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  nextMs(): number {
    const { initialMs, maxMs, factor = 2, jitter = 1, random } = this.#options;
    const base = Math.min(maxMs, initialMs * factor ** this.#failures);
    if (base < maxMs) this.#failures++;
    return base * (1 + jitter * random.next());
  }

  reset(): void {
    this.#failures = 0;
  }
}
