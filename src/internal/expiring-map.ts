import type { Clock } from "./clock.js";

/** Values that are true for a while. Holds at most `limit`; what came first goes first. */
export class ExpiringMap<V> {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #entries = new Map<string, { readonly value: V; readonly untilMs: number }>();

  constructor(clock: Clock, limit: number) {
    this.#clock = clock;
    this.#limit = limit;
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.untilMs > this.#clock.now()) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  /** Keeps nothing where `lifetimeMs` is none. */
  put(key: string, value: V, lifetimeMs: number): void {
    if (lifetimeMs <= 0) return;
    if (this.#entries.size >= this.#limit) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    this.#entries.set(key, { value, untilMs: this.#clock.now() + lifetimeMs });
  }
}
