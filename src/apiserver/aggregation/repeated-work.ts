import type { Clock, ClockTimer } from "../../internal/clock.js";

interface Item {
  running: boolean;
  /** Asked for again while it ran. */
  again: boolean;
  timer: ClockTimer | undefined;
}

export interface RepeatedWorkOptions {
  readonly clock: Clock;
  /** Does the work of a key and gives the time until it is to be done again; undefined: not before it is asked for. Must not throw. */
  readonly work: (key: string, signal: AbortSignal) => Promise<number | undefined>;
}

/** Work by key: done when it is asked for, again after a while, and never twice at once for one key. */
export class RepeatedWork {
  readonly #options: RepeatedWorkOptions;
  readonly #items = new Map<string, Item>();
  readonly #running = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  constructor(options: RepeatedWorkOptions) {
    this.#options = options;
  }

  /** Does the work of a key now, or once more when it is being done. */
  ask(key: string): void {
    if (this.#stop.signal.aborted) return;
    const item = this.#items.get(key) ?? { running: false, again: false, timer: undefined };
    this.#items.set(key, item);
    item.timer?.cancel();
    item.timer = undefined;
    if (item.running) item.again = true;
    else this.#start(key, item);
  }

  /** Resolves when nothing is being done any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    for (const { timer } of this.#items.values()) timer?.cancel();
    await Promise.all(this.#running);
    this.#items.clear();
  }

  #start(key: string, item: Item): void {
    item.running = true;
    const run: Promise<void> = this.#run(key, item).finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  async #run(key: string, item: Item): Promise<void> {
    const { signal } = this.#stop;
    let delayMs: number | undefined;
    do {
      item.again = false;
      delayMs = await this.#options.work(key, signal);
    } while (item.again && !signal.aborted);
    item.running = false;
    if (signal.aborted) return;
    if (delayMs === undefined) this.#items.delete(key);
    else item.timer = this.#options.clock.setTimeout(() => this.ask(key), delayMs);
  }
}
