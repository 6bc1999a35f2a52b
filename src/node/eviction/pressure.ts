import { isMet, type PressureCondition, signals, type Threshold } from "./thresholds.js";
import type { EvictionSignal, SignalReading } from "./usage.js";

/** What readings say: which thresholds ask for something to be done, and which conditions the node has. */
export class Pressure {
  readonly #thresholds: readonly Threshold[];
  readonly #transitionMs: number;
  #firstSeenMs = new Map<Threshold, number>();
  readonly #lastSeenMs = new Map<PressureCondition, number>();
  #acting: readonly Threshold[] = [];
  #conditions: ReadonlySet<PressureCondition> = new Set();

  constructor(thresholds: readonly Threshold[], transitionMs: number) {
    this.#thresholds = thresholds;
    this.#transitionMs = transitionMs;
  }

  /** Seen now, or not longer ago than the transition period. */
  get conditions(): ReadonlySet<PressureCondition> {
    return this.#conditions;
  }

  /**
   * Takes readings in. Gives the thresholds whose grace period is over, those of memory first. One that has begun to act goes on until what is to
   * be reclaimed is free as well.
   */
  observe(readings: ReadonlyMap<EvictionSignal, SignalReading>, nowMs: number): readonly Threshold[] {
    const met = this.#thresholds.filter((threshold) => {
      const reading = readings.get(threshold.signal);
      return reading !== undefined && isMet(threshold, reading, this.#acting.includes(threshold));
    });
    this.#firstSeenMs = new Map(met.map((threshold) => [threshold, this.#firstSeenMs.get(threshold) ?? nowMs]));
    for (const { signal } of met) this.#lastSeenMs.set(signals[signal].condition, nowMs);
    this.#conditions = new Set(
      [...this.#lastSeenMs]
        .filter(([, atMs]) => nowMs - atMs < this.#transitionMs || atMs === nowMs)
        .map(([type]) => type),
    );
    this.#acting = met.filter((threshold) => nowMs - (this.#firstSeenMs.get(threshold) ?? nowMs) >= threshold.graceMs);
    const ofMemory = ({ signal }: Threshold): number => Number(signals[signal].resource === "memory");
    return [...this.#acting].sort((a, b) => ofMemory(b) - ofMemory(a));
  }

  /** Whether no threshold is met any more, what is to be reclaimed included. */
  isRelieved(readings: ReadonlyMap<EvictionSignal, SignalReading>): boolean {
    return this.#thresholds.every((threshold) => {
      const reading = readings.get(threshold.signal);
      return reading === undefined || !isMet(threshold, reading, true);
    });
  }
}
