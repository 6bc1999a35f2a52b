import { isStatusError, type KubeObject, type ResourceType, type WatchEvent } from "../api/index.js";
import { type Clock, sleep } from "../internal/clock.js";
import type { Logger } from "../internal/logger.js";
import type { Random } from "../internal/random.js";
import { Backoff } from "./backoff.js";
import type { Client } from "./client.js";

/** What a reflector fills. Calls come one after another, never while an earlier one runs. */
export interface ReflectorSink<T extends KubeObject> {
  /** The whole state: what is not in `objects` no longer exists. */
  replace(objects: readonly T[]): void;
  /** Changes in order; never a BOOKMARK. */
  apply(events: readonly WatchEvent<T>[]): void;
}

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: Client;
  readonly resource: ResourceType<T>;
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /**
   * Get the initial state as a stream of events (`sendInitialEvents`). A server that refuses it gets a list instead,
   * from then on. Default: list, which in one process costs nothing.
   */
  readonly streamingList?: boolean | undefined;
}

/** As client-go: a watch is asked to end by itself after 5 to 10 minutes, so that load spreads over API servers. */
const minWatchSeconds = 300;
const initialEventsEnd = "k8s.io/initial-events-end";

/**
 * Keeps a sink equal to a resource: list, then watch from the list's resourceVersion, and again from the last one seen
 * when the watch ends; a full list only when the server has forgotten that far back. Runs until `signal` aborts; it never
 * rejects for what a server does, it backs off and tries again.
 */
export async function reflect<T extends KubeObject>(
  options: ReflectorOptions<T>,
  sink: ReflectorSink<T>,
  signal: AbortSignal,
): Promise<void> {
  await new Reflector(options, sink, signal).run();
}

class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #sink: ReflectorSink<T>;
  readonly #signal: AbortSignal;
  readonly #backoff: Backoff;
  #resourceVersion = "0";
  #streaming: boolean;
  #listed = false;

  constructor(options: ReflectorOptions<T>, sink: ReflectorSink<T>, signal: AbortSignal) {
    this.#options = options;
    this.#sink = sink;
    this.#signal = signal;
    this.#streaming = options.streamingList ?? false;
    this.#backoff = new Backoff({ initialMs: 100, maxMs: 30_000, random: options.random });
  }

  async run(): Promise<void> {
    while (!this.#signal.aborted) {
      try {
        if (this.#streaming) await this.#streamInitialState();
        else {
          await this.#list();
          await this.#watchUntilExpired();
        }
      } catch (error) {
        if (this.#signal.aborted) return;
        await this.#failed("cannot list or watch", error);
      }
    }
  }

  async #failed(message: string, error: unknown): Promise<void> {
    const { clock, logger, resource } = this.#options;
    logger.warn(message, { resource: resource.resource, group: resource.group, error });
    await sleep(clock, this.#backoff.nextMs(), this.#signal);
  }

  #query(): { namespace?: string | undefined; labelSelector?: string | undefined; fieldSelector?: string | undefined } {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return { namespace, labelSelector, fieldSelector };
  }

  async #list(): Promise<void> {
    const { client, resource } = this.#options;
    const options = { ...this.#query(), signal: this.#signal };
    let list: Awaited<ReturnType<typeof client.list<T>>>;
    try {
      list = await client.list(resource, { ...options, resourceVersion: this.#resourceVersion });
    } catch (error) {
      if (isNotServed(error) && !this.#listed) {
        // Whoever waits for the first list need not wait for a kind that this server does not have; it may come yet.
        this.#listed = true;
        this.#sink.replace([]);
      }
      // The version is one that this server has forgotten or has not reached: take what it has, from its store.
      if (!isExpired(error) && !isTooLargeVersion(error)) throw error;
      list = await client.list(resource, options);
    }
    this.#listed = true;
    this.#sink.replace(list.items);
    this.#resourceVersion = list.metadata.resourceVersion ?? "0";
    this.#backoff.reset();
  }

  /** Returns when history was lost (or the signal aborted); failures to connect are retried here, without a list. */
  async #watchUntilExpired(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#signal.aborted) {
      const startedAt = clock.now();
      let sawEvents = false;
      try {
        for await (const batch of this.#openWatch({ resourceVersion: this.#resourceVersion })) {
          if (this.#signal.aborted) return;
          sawEvents = true;
          this.#backoff.reset();
          this.#apply(batch);
        }
      } catch (error) {
        if (this.#signal.aborted) return;
        if (isExpired(error)) return;
        await this.#failed("watch failed", error);
        continue;
      }
      if (!sawEvents && clock.now() - startedAt < 1000) await sleep(clock, this.#backoff.nextMs(), this.#signal);
    }
  }

  async #streamInitialState(): Promise<void> {
    const initial: T[] = [];
    let synced = false;
    try {
      const batches = this.#openWatch({ sendInitialEvents: true, resourceVersionMatch: "NotOlderThan" });
      for await (const batch of batches) {
        if (this.#signal.aborted) return;
        if (synced) {
          this.#apply(batch);
          continue;
        }
        const rest = this.#collect(batch, initial);
        if (rest === undefined) continue;
        synced = true;
        this.#backoff.reset();
        this.#sink.replace(initial);
        this.#apply(rest);
      }
    } catch (error) {
      if (this.#signal.aborted) return;
      if (isStatusError(error, "Invalid") || isStatusError(error, "BadRequest")) {
        this.#streaming = false;
        return;
      }
      if (!synced) throw error;
      if (!isExpired(error)) await this.#failed("watch failed", error);
    }
    if (synced) await this.#watchUntilExpired();
  }

  /** Adds a batch to the initial state; at its end gives back the events behind it. */
  #collect(batch: readonly WatchEvent[], initial: T[]): readonly WatchEvent[] | undefined {
    for (const [index, { type, object }] of batch.entries()) {
      if (type !== "BOOKMARK") initial.push(object as T);
      else if (object.metadata.annotations?.[initialEventsEnd] === "true") {
        this.#resourceVersion = object.metadata.resourceVersion ?? this.#resourceVersion;
        return batch.slice(index + 1);
      }
    }
    return undefined;
  }

  #openWatch(more: {
    readonly resourceVersion?: string;
    readonly resourceVersionMatch?: string;
    readonly sendInitialEvents?: boolean;
  }): AsyncIterable<readonly WatchEvent[]> {
    const { client, resource, random } = this.#options;
    const { namespace, ...selectors } = this.#query();
    const timeoutSeconds = Math.floor(minWatchSeconds * (1 + random.next()));
    return client.transport.watch({
      group: resource.group,
      version: resource.version,
      resource: resource.resource,
      verb: "watch",
      namespace,
      signal: this.#signal,
      options: { ...selectors, ...more, timeoutSeconds, allowWatchBookmarks: true },
    });
  }

  #apply(batch: readonly WatchEvent[]): void {
    const last = batch[batch.length - 1];
    if (last === undefined) return;
    const hasBookmark = batch.some((event) => event.type === "BOOKMARK");
    const changes = hasBookmark ? batch.filter((event) => event.type !== "BOOKMARK") : batch;
    if (changes.length > 0) this.#sink.apply(changes as readonly WatchEvent<T>[]);
    this.#resourceVersion = last.object.metadata.resourceVersion ?? this.#resourceVersion;
  }
}

function isExpired(error: unknown): boolean {
  return isStatusError(error, "Expired") || isStatusError(error, "Gone");
}

/** The resource is not served, as opposed to: there is no such object. */
function isNotServed(error: unknown): boolean {
  return isStatusError(error, "NotFound") && error.status.details?.name === undefined;
}

function isTooLargeVersion(error: unknown): boolean {
  return (
    isStatusError(error, "Timeout") &&
    (error.status.details?.causes ?? []).some((cause) => cause.reason === "ResourceVersionTooLarge")
  );
}
