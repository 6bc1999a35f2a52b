import type { Clock, ClockTimer } from "../../internal/clock.js";
import type { Exchange } from "./exchange.js";

export interface InFlightLimits {
  /** How many reads may be under way at once; 0 is no limit. */
  readonly reads: number;
  readonly writes: number;
}

/** As upstream's server has them. */
export const defaultInFlightLimits: InFlightLimits = { reads: 400, writes: 200 };
/** All are let in, and counted. */
export const unlimited: InFlightLimits = { reads: 0, writes: 0 };

/** What counts a request: long-running ones (watches, streams) are known but not limited. */
export type InFlightKind = "readOnly" | "mutating" | "longRunning" | "exempt";

/**
 * The requests that are under way: bounded by kind, and watched for those whose time is over by one timer for all.
 */
export class InFlight {
  readonly counts: Record<InFlightKind, number> = { readOnly: 0, mutating: 0, longRunning: 0, exempt: 0 };
  readonly #limits: InFlightLimits;
  readonly #clock: Clock;
  readonly #onTimeout: (exchange: Exchange) => void;
  readonly #exchanges = new Set<Exchange>();
  #timer: ClockTimer | undefined;
  #idle: (() => void)[] = [];

  constructor(limits: InFlightLimits, clock: Clock, onTimeout: (exchange: Exchange) => void) {
    this.#limits = limits;
    this.#clock = clock;
    this.#onTimeout = onTimeout;
  }

  /** Known from here on; its deadline counts. */
  add(exchange: Exchange): void {
    this.#exchanges.add(exchange);
    this.#timer ??= this.#clock.setTimeout(this.#sweep, 1000);
  }

  remove(exchange: Exchange): void {
    this.#exchanges.delete(exchange);
    if (this.#exchanges.size > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** false: there are too many already. */
  acquire(kind: InFlightKind): boolean {
    if (kind === "readOnly" && this.#limits.reads > 0 && this.counts.readOnly >= this.#limits.reads) return false;
    if (kind === "mutating" && this.#limits.writes > 0 && this.counts.mutating >= this.#limits.writes) return false;
    this.counts[kind]++;
    return true;
  }

  release(kind: InFlightKind): void {
    this.counts[kind]--;
  }

  get size(): number {
    return this.#exchanges.size;
  }

  /** Resolves when no request is under way. */
  idle(): Promise<void> {
    if (this.#exchanges.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Ends the work for all that have no deadline of their own. */
  abortLongRunning(): void {
    for (const exchange of this.#exchanges) {
      if (exchange.deadlineMs === Number.POSITIVE_INFINITY) exchange.abort();
    }
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const exchange of this.#exchanges) exchange.abort();
  }

  readonly #sweep = (): void => {
    this.#timer = this.#exchanges.size > 0 ? this.#clock.setTimeout(this.#sweep, 1000) : undefined;
    const now = this.#clock.now();
    for (const exchange of this.#exchanges) {
      if (exchange.deadlineMs > now) continue;
      exchange.deadlineMs = Number.POSITIVE_INFINITY;
      this.#onTimeout(exchange);
    }
  };
}
