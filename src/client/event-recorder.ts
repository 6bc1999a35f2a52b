import { coreEvents, isStatusError, type KubeObject, type ObjectReference } from "../api/index.js";
import { type Clock, realClock, sleep, timestamp } from "../internal/clock.js";
import { type Logger, silentLogger } from "../internal/logger.js";
import { type Random, systemRandom } from "../internal/random.js";
import type { Client } from "./client.js";
import { EventCorrelator, type EventDraft } from "./event-correlator.js";

export type EventType = "Normal" | "Warning";

/** Tells people what happened to an object. Never waits and never fails: under pressure events are dropped. */
export interface EventRecorder {
  event(about: KubeObject | ObjectReference, type: EventType, reason: string, message: string): void;
}

export interface EventRecorderOptions {
  readonly client: Client;
  /** Who reports: `deployment-controller`, `default-scheduler`, `kubelet`. */
  readonly component: string;
  /** The node, for those that run on one. */
  readonly host?: string;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
  /** Events beyond so many waiting are dropped. Default 1000. */
  readonly queueLimit?: number;
}

const maxTries = 12;
const retryMs = 10_000;

export function createEventRecorder(options: EventRecorderOptions): EventRecorder & AsyncDisposable {
  return new QueueingRecorder(options);
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

class QueueingRecorder implements EventRecorder, AsyncDisposable {
  readonly #client: Client;
  readonly #component: string;
  readonly #host: string | undefined;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #limit: number;
  readonly #correlator: EventCorrelator;
  readonly #stop = new AbortController();
  readonly #queue: EventDraft[] = [];
  #writing: Promise<void> | undefined;
  #sequence = 0;

  constructor(options: EventRecorderOptions) {
    this.#client = options.client;
    this.#component = options.component;
    this.#host = options.host;
    this.#clock = options.clock ?? realClock;
    this.#random = options.random ?? systemRandom;
    this.#logger = options.logger ?? silentLogger;
    this.#limit = options.queueLimit ?? 1000;
    this.#correlator = new EventCorrelator(this.#clock);
  }

  event(about: KubeObject | ObjectReference, type: EventType, reason: string, message: string): void {
    if (this.#stop.signal.aborted || this.#queue.length >= this.#limit) return;
    this.#queue.push(this.#make("metadata" in about ? referenceTo(about) : about, type, reason, message));
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#queue.length = 0;
    await this.#writing;
  }

  #make(involvedObject: ObjectReference, type: EventType, reason: string, message: string): EventDraft {
    const now = timestamp(this.#clock);
    // The time in nanoseconds, made unique: how upstream names events.
    const stamp = BigInt(Math.floor(this.#clock.now())) * 1_000_000n + BigInt(this.#sequence++ % 1_000_000);
    return {
      apiVersion: "v1",
      kind: "Event",
      metadata: {
        name: `${involvedObject.name ?? ""}.${stamp.toString(16)}`,
        namespace: involvedObject.namespace || "default",
      },
      involvedObject,
      type,
      reason,
      message,
      count: 1,
      firstTimestamp: now,
      lastTimestamp: now,
      source: { component: this.#component, ...(this.#host === undefined ? {} : { host: this.#host }) },
      reportingComponent: this.#component,
      reportingInstance: this.#host ?? "",
    };
  }

  async #write(): Promise<void> {
    // Not in the caller's tick: recording costs it a push.
    await Promise.resolve();
    for (let event = this.#queue.shift(); event !== undefined; event = this.#queue.shift()) {
      const correlated = this.#correlator.correlate(event);
      if (correlated === undefined) continue;
      const written = await this.#store(correlated.event, correlated.patchName);
      if (written !== undefined) this.#correlator.written(correlated.key, written);
    }
  }

  async #store(event: EventDraft, patchName: string | undefined): Promise<EventDraft | undefined> {
    const { signal } = this.#stop;
    let patching = patchName;
    for (let tries = 1; !signal.aborted; tries++) {
      try {
        return patching === undefined ? await this.#create(event, signal) : await this.#patch(event, patching, signal);
      } catch (error) {
        if (signal.aborted) return undefined;
        if (patching !== undefined && isStatusError(error, "NotFound")) {
          // It ran out meanwhile: begin a new one.
          patching = undefined;
          continue;
        }
        if (!isTransient(error) || tries >= maxTries) {
          this.#logger.warn("cannot record an event", { reason: event.reason, error });
          return undefined;
        }
        await sleep(this.#clock, tries === 1 ? retryMs * this.#random.next() : retryMs, signal);
      }
    }
    return undefined;
  }

  #create(event: EventDraft, signal: AbortSignal): Promise<EventDraft> {
    return this.#client.create(coreEvents, event, { signal });
  }

  #patch(event: EventDraft, name: string, signal: AbortSignal): Promise<EventDraft> {
    const { count, lastTimestamp, message } = event;
    const body = { count, lastTimestamp, message };
    const { namespace } = event.metadata;
    return this.#client.patch(coreEvents, { namespace, name }, { type: "merge", body }, { signal });
  }
}

/** What the server said no to will not become a yes; a server that was not there may come back. */
function isTransient(error: unknown): boolean {
  return (
    isStatusError(error, "ServiceUnavailable") ||
    isStatusError(error, "TooManyRequests") ||
    isStatusError(error, "Timeout") ||
    isStatusError(error, "ServerTimeout")
  );
}
