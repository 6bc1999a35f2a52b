import { type KubeObject, keyOf } from "../../api/index.js";
import type { Lister } from "../../client/index.js";
import type { Clock } from "../../internal/clock.js";

/** After so long a cache that does not show a write is believed: the object was deleted again before it was seen. */
const patienceMs = 5_000;

interface Write {
  readonly key: string;
  readonly version: number;
  readonly gone: boolean;
  readonly until: number;
}

/**
 * Remembers what a controller wrote, to tell whether its cache shows that yet. A controller that decides on an older
 * state would create things twice.
 */
export class OwnWrites<T extends KubeObject> {
  readonly #clock: Clock;
  readonly #writes = new Map<string, Write[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wrote(owner: string, object: T): void {
    this.#note(owner, { key: keyOf(object), version: Number(object.metadata.resourceVersion), gone: false });
  }

  deleted(owner: string, object: T): void {
    this.#note(owner, { key: keyOf(object), version: Number(object.metadata.resourceVersion), gone: true });
  }

  forget(owner: string): void {
    this.#writes.delete(owner);
  }

  /** 0: the cache has it all. Otherwise how long to wait at most; an event of the cache comes sooner as a rule. */
  waitMs(owner: string, cache: Lister<T>): number {
    const writes = this.#writes.get(owner);
    if (writes === undefined) return 0;
    const now = this.#clock.now();
    const left = writes.filter(({ key, version, gone, until }) => {
      if (now >= until) return false;
      const seen = cache.get(key);
      const seenVersion = Number(seen?.metadata.resourceVersion ?? -1);
      return gone ? seen !== undefined && seenVersion <= version : seenVersion < version;
    });
    if (left.length === 0) this.#writes.delete(owner);
    else this.#writes.set(owner, left);
    return left.reduce((longest, { until }) => Math.max(longest, until - now), 0);
  }

  #note(owner: string, write: Omit<Write, "until">): void {
    const writes = (this.#writes.get(owner) ?? []).filter(({ key }) => key !== write.key);
    this.#writes.set(owner, [...writes, { ...write, until: this.#clock.now() + patienceMs }]);
  }
}
