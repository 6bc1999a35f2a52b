import type { CoreEvent, New } from "../api/index.js";
import type { Clock } from "../internal/clock.js";
import { LruMap } from "./lru-map.js";
import { TokenBucket } from "./rate-limiter.js";

/** An event as it is handed to create. */
export type EventDraft = New<CoreEvent>;

/** What to write for one event: a new object, a patch of an earlier one, or (undefined) nothing, because there are too many. */
export interface CorrelatedEvent {
  readonly event: EventDraft;
  /** The name of the event to patch; absent: create. */
  readonly patchName?: string;
  readonly key: string;
}

// The figures of client-go's EventCorrelator.
const cacheEntries = 4096;
const maxSimilar = 10;
const similarWindowMs = 600_000;
const spamBurst = 25;
const spamPerSecond = 1 / 300;

interface Logged {
  readonly name: string;
  readonly count: number;
  readonly firstTimestamp: string;
}

/**
 * Keeps events from flooding the store: drops those of an object that has too many, folds messages that differ only
 * in detail into one, and counts repeats on the event that is there already.
 */
export class EventCorrelator {
  readonly #clock: Clock;
  readonly #buckets = new LruMap<string, TokenBucket>(cacheEntries);
  readonly #similar = new LruMap<string, { readonly messages: Set<string>; readonly at: number }>(cacheEntries);
  readonly #logged = new LruMap<string, Logged>(cacheEntries);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  correlate(event: EventDraft): CorrelatedEvent | undefined {
    if (!this.#admit(event)) return undefined;
    const folded = this.#fold(event);
    const key = `${subjectKey(folded)}\n${folded.type ?? ""}\n${folded.reason ?? ""}\n${
      folded === event ? (folded.message ?? "") : ""
    }`;
    const earlier = this.#logged.get(key);
    if (earlier === undefined) return { event: folded, key };
    const counted: EventDraft = {
      ...folded,
      metadata: { ...folded.metadata, name: earlier.name },
      count: earlier.count + 1,
      firstTimestamp: earlier.firstTimestamp,
    };
    return { event: counted, key, patchName: earlier.name };
  }

  /** To be told what was written, so that repeats are counted on it. */
  written(key: string, event: EventDraft): void {
    this.#logged.set(key, {
      name: event.metadata.name ?? "",
      count: event.count ?? 1,
      firstTimestamp: event.firstTimestamp ?? "",
    });
  }

  #admit(event: EventDraft): boolean {
    const key = subjectKey(event);
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      bucket = new TokenBucket(this.#clock, spamBurst, spamPerSecond);
      this.#buckets.set(key, bucket);
    }
    return bucket.tryTake();
  }

  #fold(event: EventDraft): EventDraft {
    const key = `${subjectKey(event)}\n${event.type ?? ""}\n${event.reason ?? ""}\n${event.reportingComponent ?? ""}`;
    const now = this.#clock.now();
    const known = this.#similar.get(key);
    const messages = known === undefined || now - known.at > similarWindowMs ? new Set<string>() : known.messages;
    if (messages.size < maxSimilar) messages.add(event.message ?? "");
    else if (!messages.has(event.message ?? "")) {
      this.#similar.set(key, { messages, at: now });
      return { ...event, message: `(combined from similar events): ${event.message ?? ""}` };
    }
    this.#similar.set(key, { messages, at: now });
    return event;
  }
}

function subjectKey(event: EventDraft): string {
  const { kind, namespace, name, uid, apiVersion } = event.involvedObject;
  const { component, host } = event.source ?? {};
  return [component, host, kind, namespace, name, uid, apiVersion].join("\n");
}
