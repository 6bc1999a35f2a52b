import { type Clock, sleep } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import { StoreError } from "../errors.js";
import { EventLog } from "../mvcc/event-log.js";
import { WatchHub } from "../mvcc/watch-hub.js";
import type { StoreEntry, StoreEvent, WatchBatch } from "../store.js";
import { toStoreError } from "./errors.js";
import type { EtcdEvent, EtcdKeyValue, EtcdTransport } from "./transport.js";

export interface EventFeedOptions {
  readonly transport: EtcdTransport;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Events kept for watches that begin a little in the past. */
  readonly windowEvents: number;
  readonly windowBytes: number;
}

interface WindowEvent {
  readonly revision: number;
  readonly key: string;
  readonly event: StoreEvent;
  readonly bytes: number;
}

const retryMs = [10, 20, 50];

/**
 * The one watch on etcd that serves all watches of the store. It takes in all keys: every revision of etcd changes at
 * least one, so that the feed knows without asking how far it has come. After a lost connection it goes on behind the
 * last revision that it has delivered.
 */
export class EventFeed {
  readonly hub: WatchHub;
  readonly #options: EventFeedOptions;
  readonly #window = new EventLog<WindowEvent>();
  #windowBytes = 0;
  #windowStart: number;

  /** Begins behind `revision`, which etcd has reached and not compacted. */
  constructor(options: EventFeedOptions, revision: number) {
    this.#options = options;
    this.#windowStart = revision;
    const history = { since: this.#since.bind(this) };
    this.hub = new WatchHub({ history, revision, knownToHappen: true });
  }

  /** Watches after this revision, or a later one, can be served by the hub. */
  get windowStart(): number {
    return this.#windowStart;
  }

  /** Feeds the hub until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { transport, clock, logger } = this.#options;
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        for await (const response of transport.watch(this.hub.revision + 1, signal)) {
          failures = 0;
          if (response.compactRevision > 0) await this.#restart(response.compactRevision);
          if (response.compactRevision > 0) break;
          this.#publish(response.events);
        }
      } catch (error) {
        // Closing cuts the stream: that is no news.
        if (signal.aborted) break;
        logger.warn("The watch on etcd broke off", { revision: this.hub.revision, error });
      }
      await sleep(clock, retryMs[Math.min(failures, retryMs.length - 1)] ?? 0, signal);
    }
  }

  /** etcd has compacted what the feed had not read yet: its watches cannot go on, new ones can. */
  async #restart(compactRevision: number): Promise<void> {
    const { revision } = await this.#options.transport.range({ key: Buffer.from([0]), countOnly: true });
    this.#window.clear();
    this.#windowBytes = 0;
    this.#windowStart = revision;
    const message = `etcd has compacted up to ${compactRevision}, behind revision ${this.hub.revision}`;
    this.hub.fail(new StoreError("compacted", message, { compactRevision }));
    this.hub.advance(revision);
  }

  #publish(events: readonly EtcdEvent[]): void {
    for (const etcdEvent of events) {
      const event = toStoreEvent(etcdEvent);
      const { entry, previous } = etcdEvent;
      const key = event.type === "put" ? event.entry.key : event.key;
      const bytes = entry.value.length + (previous?.value.length ?? 0) + 200;
      this.#windowBytes += bytes;
      this.#window.push({ revision: entry.modRevision, key, event, bytes });
      this.hub.publish(event);
    }
    const { windowEvents, windowBytes } = this.#options;
    while (this.#window.size > windowEvents || this.#windowBytes > windowBytes) {
      const revision = this.#window.oldest?.revision;
      if (revision === undefined) break;
      this.#windowStart = revision;
      this.#window.dropThrough(revision, ({ bytes }) => {
        this.#windowBytes -= bytes;
      });
    }
  }

  #since(prefix: string, afterRevision: number, limit: number): WatchBatch {
    if (afterRevision < this.#windowStart) {
      const message = `the watch fell behind: it is at ${afterRevision}, the oldest kept is ${this.#windowStart}`;
      throw new StoreError("unavailable", message);
    }
    const events: StoreEvent[] = [];
    let reached = afterRevision;
    for (let offset = this.#window.offsetAfter(afterRevision); ; offset++) {
      const item = this.#window.item(offset);
      if (item === undefined) return { events, revision: Math.max(this.hub.revision, afterRevision) };
      if (events.length >= limit && item.revision > reached) return { events, revision: reached };
      reached = item.revision;
      if (item.key.startsWith(prefix)) events.push(item.event);
    }
  }
}

/** The events under `prefix` after a revision that the feed no longer holds, straight from etcd. */
export async function* catchUp(
  transport: EtcdTransport,
  prefix: string,
  afterRevision: number,
  signal: AbortSignal,
): AsyncGenerator<WatchBatch> {
  try {
    for await (const { events, compactRevision } of transport.watch(afterRevision + 1, signal)) {
      if (compactRevision > 0) {
        const message = `revision ${afterRevision} has been compacted; the oldest is ${compactRevision}`;
        throw new StoreError("compacted", message, { compactRevision });
      }
      const revision = events.at(-1)?.entry.modRevision;
      if (revision === undefined) continue;
      const matching = events.map(toStoreEvent).filter((event) => keyOf(event).startsWith(prefix));
      yield { events: matching, revision };
    }
  } catch (error) {
    throw toStoreError(error);
  }
}

export function toStoreEntry({ key, value, createRevision, modRevision }: EtcdKeyValue): StoreEntry {
  return { key: key.toString(), value, revision: modRevision, createRevision };
}

function toStoreEvent({ deleted, entry, previous: before }: EtcdEvent): StoreEvent {
  const previous = before === undefined ? undefined : toStoreEntry(before);
  if (!deleted) return { type: "put", entry: toStoreEntry(entry), previous };
  return { type: "delete", key: entry.key.toString(), revision: entry.modRevision, previous };
}

function keyOf(event: StoreEvent): string {
  return event.type === "put" ? event.entry.key : event.key;
}
