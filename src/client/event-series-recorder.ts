import { type Event, events, isStatusError, type KubeObject, type New, type ObjectReference } from "../api/index.js";
import { type Clock, type ClockTimer, microTimestamp, realClock } from "../internal/clock.js";
import { silentLogger } from "../internal/logger.js";
import { systemRandom } from "../internal/random.js";
import type { Client } from "./client.js";
import { type Attempt, EventQueue } from "./event-queue.js";
import {
  asReference,
  type EventDetails,
  EventNames,
  type EventRecorder,
  type EventRecorderOptions,
  type EventType,
} from "./event-recorder.js";

type SeriesDraft = New<Event>;

/** An event that happened before, and how often since it was written. */
interface Series {
  event: SeriesDraft;
  seenMs: number;
  /** Of `event.series`, as far as the API has been told. */
  told: number;
}

// The figures of client-go's events package.
const finishMs = 6 * 60_000;
const refreshMs = 30 * 60_000;
const noteLimit = 1024;
/** Series beyond these are forgotten, the oldest first: what happens again begins anew. */
const maxSeries = 16_384;

/**
 * Records events of events.k8s.io/v1, as upstream's scheduler does. What happens again within six minutes, whatever its note, is
 * one series: its second occurrence is told at once, later ones every half hour and when it has ended.
 */
export function createEventSeriesRecorder(options: EventRecorderOptions): EventRecorder & AsyncDisposable {
  return new SeriesRecorder(options);
}

class SeriesRecorder implements EventRecorder, AsyncDisposable {
  readonly #client: Client;
  readonly #component: string;
  readonly #host: string | undefined;
  readonly #clock: Clock;
  readonly #names: EventNames;
  readonly #queue: EventQueue<Series>;
  readonly #series = new Map<string, Series>();
  #timer: ClockTimer | undefined;
  #refreshedMs: number;

  constructor(options: EventRecorderOptions) {
    const { clock = realClock, random = systemRandom, logger = silentLogger, queueLimit: limit = 1000 } = options;
    this.#client = options.client;
    this.#component = options.component;
    this.#host = options.host;
    this.#clock = clock;
    this.#refreshedMs = clock.now();
    this.#names = new EventNames(clock);
    this.#queue = new EventQueue({ clock, random, logger, limit }, (series, attempt) => this.#tell(series, attempt));
  }

  event(
    about: KubeObject | ObjectReference,
    type: EventType,
    reason: string,
    message: string,
    { action = reason, related, reporter = this.#component }: EventDetails = {},
  ): void {
    if (this.#queue.closed) return;
    const regarding = asReference(about);
    const { kind, namespace, name, uid, apiVersion } = regarding;
    const other = related === undefined ? undefined : asReference(related);
    const key = [type, action, reason, reporter, kind, namespace, name, uid, apiVersion, other?.uid].join("\n");
    const eventTime = microTimestamp(this.#clock);
    const seenMs = this.#clock.now();
    const known = this.#series.get(key);
    if (known !== undefined && seenMs - known.seenMs <= finishMs) {
      known.seenMs = seenMs;
      const count = (known.event.series?.count ?? 1) + 1;
      known.event = { ...known.event, series: { count, lastObservedTime: eventTime } };
      if (count === 2) this.#queue.push(known);
      return;
    }
    if (known !== undefined) this.#queue.push(known);
    const event: SeriesDraft = {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name: this.#names.next(regarding), namespace: regarding.namespace || "default" },
      eventTime,
      reportingController: reporter,
      reportingInstance: this.#host === undefined ? reporter : `${reporter}-${this.#host}`,
      action,
      reason,
      regarding,
      note: message.length <= noteLimit ? message : `${message.slice(0, noteLimit - 4)} ...`,
      type,
      ...(other === undefined ? {} : { related: other }),
    };
    const series: Series = { event, seenMs, told: 0 };
    this.#keep(key, series);
    this.#queue.push(series);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.cancel();
    await this.#queue[Symbol.asyncDispose]();
  }

  #keep(key: string, series: Series): void {
    this.#series.delete(key);
    this.#series.set(key, series);
    if (this.#series.size > maxSeries) this.#series.delete(this.#series.keys().next().value ?? "");
    this.#timer ??= this.#clock.setTimeout(() => this.#review(), finishMs);
  }

  /** Ends the series of which nothing was heard, and tells how often the others happened. */
  #review(): void {
    const now = this.#clock.now();
    const refresh = now - this.#refreshedMs >= refreshMs;
    if (refresh) this.#refreshedMs = now;
    for (const [key, series] of this.#series) {
      const ended = now - series.seenMs > finishMs;
      if (ended) this.#series.delete(key);
      if ((ended || refresh) && (series.event.series?.count ?? 1) > series.told) this.#queue.push(series);
    }
    this.#timer = this.#series.size === 0 ? undefined : this.#clock.setTimeout(() => this.#review(), finishMs);
  }

  async #tell(series: Series, attempt: (write: Attempt) => Promise<boolean>): Promise<void> {
    const { event } = series;
    const count = event.series?.count ?? 1;
    if (count <= series.told) return;
    const done = await attempt((signal) => this.#store(event, series.told > 0, signal));
    if (done) series.told = count;
  }

  async #store(event: SeriesDraft, exists: boolean, signal: AbortSignal): Promise<void> {
    const { namespace, name = "" } = event.metadata;
    if (exists) {
      try {
        const patch = { type: "strategic", body: { series: event.series } } as const;
        await this.#client.patch(events, { namespace, name }, patch, { signal });
        return;
      } catch (error) {
        // It ran out meanwhile: begin a new one.
        if (!isStatusError(error, "NotFound")) throw error;
      }
    }
    await this.#client.create(events, event, { signal });
  }
}
