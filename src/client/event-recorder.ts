import { coreEvents, isStatusError, type KubeObject, type ObjectReference } from "../api/index.js";
import { type Clock, realClock, timestamp } from "../internal/clock.js";
import { type Logger, silentLogger } from "../internal/logger.js";
import { type Random, systemRandom } from "../internal/random.js";
import type { Client } from "./client.js";
import { EventCorrelator, type EventDraft } from "./event-correlator.js";
import { type Attempt, EventQueue } from "./event-queue.js";

export type EventType = "Normal" | "Warning";

export interface EventDetails {
  /** What was done or tried, in one word: `Binding`. Kept by recorders of events.k8s.io alone, which need one. */
  readonly action?: string;
  /** Another object that the event is about. */
  readonly related?: KubeObject | ObjectReference;
  /** Who reports, in place of the recorder's own name. */
  readonly reporter?: string;
}

/** Tells people what happened to an object. Never waits and never fails: under pressure events are dropped. */
export interface EventRecorder {
  event(
    about: KubeObject | ObjectReference,
    type: EventType,
    reason: string,
    message: string,
    details?: EventDetails,
  ): void;
}

export interface EventRecorderOptions {
  readonly client: Client;
  /** Who reports: `deployment-controller`, `default-scheduler`, `kubelet`. */
  readonly component: string;
  /** The node, for those that run on one. */
  readonly host?: string | undefined;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
  /** Events beyond so many waiting are dropped. Default 1000. */
  readonly queueLimit?: number;
}

/** Records events of the core group, as upstream's controllers and kubelet do; repeats are counted on the one that is there. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder & AsyncDisposable {
  return new CorrelatingRecorder(options);
}

/** A recorder that keeps nothing. */
export const discardEvents: EventRecorder = { event: () => {} };

/** The reference to an object as events carry it. */
export function referenceTo(object: KubeObject): ObjectReference {
  const { namespace, name, uid, resourceVersion } = object.metadata;
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    ...(namespace ? { namespace } : {}),
    ...(name ? { name } : {}),
    ...(uid ? { uid } : {}),
    ...(resourceVersion ? { resourceVersion } : {}),
  };
}

export function asReference(about: KubeObject | ObjectReference): ObjectReference {
  return "metadata" in about ? referenceTo(about) : about;
}

/** Names events as upstream: by what they are about and the time in nanoseconds, made unique. */
export class EventNames {
  readonly #clock: Clock;
  #sequence = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  next(about: ObjectReference): string {
    const stamp = BigInt(Math.floor(this.#clock.now())) * 1_000_000n + BigInt(this.#sequence++ % 1_000_000);
    return `${about.name ?? ""}.${stamp.toString(16)}`;
  }
}

class CorrelatingRecorder implements EventRecorder, AsyncDisposable {
  readonly #client: Client;
  readonly #component: string;
  readonly #host: string | undefined;
  readonly #clock: Clock;
  readonly #names: EventNames;
  readonly #correlator: EventCorrelator;
  readonly #queue: EventQueue<EventDraft>;

  constructor(options: EventRecorderOptions) {
    const { clock = realClock, random = systemRandom, logger = silentLogger, queueLimit: limit = 1000 } = options;
    this.#client = options.client;
    this.#component = options.component;
    this.#host = options.host;
    this.#clock = clock;
    this.#names = new EventNames(clock);
    this.#correlator = new EventCorrelator(clock);
    this.#queue = new EventQueue({ clock, random, logger, limit }, (event, attempt) => this.#write(event, attempt));
  }

  event(
    about: KubeObject | ObjectReference,
    type: EventType,
    reason: string,
    message: string,
    { reporter = this.#component }: EventDetails = {},
  ): void {
    if (this.#queue.closed) return;
    const involvedObject = asReference(about);
    const now = timestamp(this.#clock);
    this.#queue.push({
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: this.#names.next(involvedObject), namespace: involvedObject.namespace || "default" },
      involvedObject,
      type,
      reason,
      message,
      count: 1,
      firstTimestamp: now,
      lastTimestamp: now,
      source: { component: reporter, ...(this.#host === undefined ? {} : { host: this.#host }) },
      reportingComponent: reporter,
      reportingInstance: this.#host ?? "",
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#queue[Symbol.asyncDispose]();
  }

  async #write(draft: EventDraft, attempt: (write: Attempt) => Promise<boolean>): Promise<void> {
    const correlated = this.#correlator.correlate(draft);
    if (correlated === undefined) return;
    const { event, key, patchName } = correlated;
    const done = await attempt((signal) => this.#store(event, patchName, signal));
    if (done) this.#correlator.written(key, event);
  }

  async #store(event: EventDraft, patchName: string | undefined, signal: AbortSignal): Promise<void> {
    if (patchName !== undefined) {
      const { count, lastTimestamp, message } = event;
      const { namespace } = event.metadata;
      const patch = { type: "merge", body: { count, lastTimestamp, message } } as const;
      try {
        await this.#client.patch(coreEvents, { namespace, name: patchName }, patch, { signal });
        return;
      } catch (error) {
        // It ran out meanwhile: begin a new one.
        if (!isStatusError(error, "NotFound")) throw error;
      }
    }
    await this.#client.create(coreEvents, event, { signal });
  }
}
