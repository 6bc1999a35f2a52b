import type { Clock, ClockTimer } from "../internal/clock.js";

const retryMs = 5000;

/** Opens something, and tries again every 5 s where that fails, until it is disposed. */
export class KeptListener implements AsyncDisposable {
  readonly #open: () => Promise<AsyncDisposable>;
  readonly #clock: Clock;
  readonly #failed: (error: unknown) => void;
  #opened: AsyncDisposable | undefined;
  #retry: ClockTimer | undefined;
  #work: Promise<void>;
  #gone = false;

  /** `failed` is told each time. */
  constructor(open: () => Promise<AsyncDisposable>, clock: Clock, failed: (error: unknown) => void) {
    this.#open = open;
    this.#clock = clock;
    this.#failed = failed;
    this.#work = this.#try();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#gone = true;
    this.#retry?.cancel();
    await this.#work;
    await this.#opened?.[Symbol.asyncDispose]();
    this.#opened = undefined;
  }

  async #try(): Promise<void> {
    try {
      this.#opened = await this.#open();
    } catch (error) {
      this.#failed(error);
      if (this.#gone) return;
      this.#retry = this.#clock.setTimeout(() => {
        this.#work = this.#try();
      }, retryMs);
    }
  }
}
