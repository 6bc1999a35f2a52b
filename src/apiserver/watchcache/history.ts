import type { CacheEvent } from "./cache-event.js";

const maxEvents = 100_000;
const maxBytes = 64 * 1024 * 1024;

/** The recent events of one resource, for watches that resume. Bounded by count and by the bytes of superseded versions. */
export class EventHistory {
  #events: CacheEvent[] = [];
  #head = 0;
  #bytes = 0;
  /** Every event with a greater revision is here. */
  floor: number;

  constructor(floor: number) {
    this.floor = floor;
  }

  push(event: CacheEvent): void {
    this.#events.push(event);
    this.#bytes += event.previous?.value.length ?? 0;
    while (this.#events.length - this.#head > maxEvents || this.#bytes > maxBytes) this.#drop();
  }

  /** The events with a revision greater than `revision`, which must not be below the floor, in order. */
  *after(revision: number): Generator<CacheEvent> {
    let low = this.#head;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#events[middle] as CacheEvent).revision <= revision) low = middle + 1;
      else high = middle;
    }
    for (let index = low; index < this.#events.length; index++) yield this.#events[index] as CacheEvent;
  }

  reset(floor: number): void {
    this.#events = [];
    this.#head = 0;
    this.#bytes = 0;
    this.floor = floor;
  }

  #drop(): void {
    const oldest = this.#events[this.#head] as CacheEvent;
    this.#events[this.#head++] = undefined as unknown as CacheEvent;
    this.#bytes -= oldest.previous?.value.length ?? 0;
    this.floor = oldest.revision;
    if (this.#head * 2 > this.#events.length && this.#head > 1024) {
      this.#events = this.#events.slice(this.#head);
      this.#head = 0;
    }
  }
}
