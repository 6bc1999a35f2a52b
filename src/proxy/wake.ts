import type { Clock } from "../internal/clock.js";

/** Remembers being rung until somebody waits. One waiter at a time. */
export class Wake {
  #rung = false;
  #resolve: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#resolve?.();
  }

  /** Resolves when rung, after `timeoutMs`, or when `signal` aborts; never rejects. */
  async rung(clock: Clock, timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          timer.cancel();
          signal.removeEventListener("abort", done);
          resolve();
        };
        const timer = clock.setTimeout(done, timeoutMs);
        signal.addEventListener("abort", done, { once: true });
        this.#resolve = done;
      });
    }
    this.#rung = false;
    this.#resolve = undefined;
  }
}
