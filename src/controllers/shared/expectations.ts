import type { Clock } from "../../internal/clock.js";

interface Expected {
  creations: number;
  readonly deletions: Set<string>;
  readonly at: number;
}

/** A watch that lost an event must not stop a controller for ever. */
const expiryMs = 5 * 60_000;

/**
 * What a controller has asked for but its cache has not shown yet. While something is outstanding the cache is known to be
 * behind, and counting on it would create or delete twice.
 */
export class Expectations {
  readonly #clock: Clock;
  readonly #expected = new Map<string, Expected>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  satisfied(key: string): boolean {
    const expected = this.#expected.get(key);
    if (expected === undefined) return true;
    if (expected.creations > 0 || expected.deletions.size > 0) {
      if (this.#clock.now() - expected.at < expiryMs) return false;
    }
    this.#expected.delete(key);
    return true;
  }

  expectCreations(key: string, count: number): void {
    this.#of(key).creations += count;
  }

  expectDeletions(key: string, uids: Iterable<string>): void {
    const { deletions } = this.#of(key);
    for (const uid of uids) deletions.add(uid);
  }

  /** One was seen, or failed to be created. Says whether that was the last thing outstanding. */
  creationObserved(key: string): void {
    const expected = this.#expected.get(key);
    if (expected !== undefined && expected.creations > 0) expected.creations--;
  }

  deletionObserved(key: string, uid: string): void {
    this.#expected.get(key)?.deletions.delete(uid);
  }

  forget(key: string): void {
    this.#expected.delete(key);
  }

  #of(key: string): Expected {
    let expected = this.#expected.get(key);
    if (expected === undefined) {
      expected = { creations: 0, deletions: new Set(), at: this.#clock.now() };
      this.#expected.set(key, expected);
    }
    return expected;
  }
}
