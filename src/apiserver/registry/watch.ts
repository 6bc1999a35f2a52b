import { isStatusError, statusErrors } from "../../api/index.js";
import type { Clock, ClockTimer } from "../../internal/clock.js";
import { type Random, randomInt } from "../../internal/random.js";
import { Turns } from "../../internal/turns.js";
import type { ServerRequest, StoredEvent, StoredObject } from "../request.js";
import { SharedEvent } from "../watchcache/cache-event.js";
import type { Selection } from "../watchcache/selection.js";
import { ConvertedObject } from "../watchcache/stored-object.js";
import type { WatchCache } from "../watchcache/watch-cache.js";
import type { CacheWatcher } from "../watchcache/watcher.js";
import type { Endpoint } from "./endpoint.js";
import { watchStart } from "./list-options.js";
import type { Reader } from "./read.js";
import { resolveSelection } from "./selection.js";

const bookmarkEveryMs = 60_000;
/** A watch without timeoutSeconds ends after this long, and up to as long again, so that clients spread over servers. */
const minWatchMs = 30 * 60_000;

export interface WatchDependencies {
  readonly cache: WatchCache;
  readonly reader: Reader;
  readonly clock: Clock;
  readonly random: Random;
}

/** Starts a watch; see RequestHandler.watch. */
export async function startWatch(
  deps: WatchDependencies,
  endpoint: Endpoint,
  request: ServerRequest,
): Promise<AsyncIterable<readonly StoredEvent[]>> {
  const options = request.options ?? {};
  const selection = resolveSelection(endpoint, request.namespace, request.name, options);
  const start = watchStart(options);
  // Whoever resumes later than now has seen another server: it waits for what comes. A state that is later cannot be shown.
  if (start.initial || start.from.type !== "notOlderThan") {
    try {
      await deps.reader.reach(endpoint, request, start.from);
    } catch (error) {
      if (isStatusError(error, "Timeout")) return failing(error);
      throw error;
    }
  }
  const now = deps.cache.revision;
  const from = !start.initial && start.from.type === "notOlderThan" ? start.from.revision : now;
  if (from < endpoint.cache.oldestRevision) {
    const message = `too old resource version: ${from} (${endpoint.cache.oldestRevision})`;
    return failing(statusErrors.expired(message));
  }
  const watcher = endpoint.cache.watch(selection, from, now);
  if (!start.initial) return follow(deps, { endpoint, request, watcher });
  // Of this moment; what happens from now on waits with the watcher until these are through.
  const initial = initialEvents(endpoint.cache.candidates(selection), selection);
  const mark = start.marksEnd ? bookmark(endpoint, now, true) : undefined;
  return follow(deps, { endpoint, request, watcher, initial, ...(mark === undefined ? {} : { mark }) });
}

async function* failing(error: Error): AsyncGenerator<readonly StoredEvent[]> {
  yield* [];
  throw error;
}

const maxInitialEvents = 500;

/** What exists, in batches that nobody has to wait long for. */
async function* initialEvents(
  candidates: readonly StoredObject[],
  { matches, cost = 0 }: Selection,
): AsyncGenerator<StoredEvent[]> {
  const turns = new Turns();
  let batch: StoredEvent[] = [];
  for (const candidate of candidates) {
    if (turns.due(candidate.size + cost) || batch.length === maxInitialEvents) {
      if (batch.length > 0) yield batch;
      batch = [];
      await turns.give();
    }
    if (matches === undefined || matches(candidate, true)) batch.push(new SharedEvent("ADDED", candidate));
  }
  if (batch.length > 0) yield batch;
}

interface StartedWatch {
  readonly endpoint: Endpoint;
  readonly request: ServerRequest;
  readonly watcher: CacheWatcher;
  /** What comes first. */
  readonly initial?: AsyncIterable<readonly StoredEvent[]>;
  /** Says where that ends. */
  readonly mark?: StoredEvent;
}

async function* follow(
  { cache, clock, random }: WatchDependencies,
  { endpoint, request, watcher, initial, mark: endOfInitial }: StartedWatch,
): AsyncGenerator<readonly StoredEvent[]> {
  const { timeoutSeconds, allowWatchBookmarks } = request.options ?? {};
  const timers: ClockTimer[] = [];
  const end = (): void => watcher.end();
  const mark = (): void => {
    if (watcher.lastSent >= cache.revision) return;
    watcher.push([bookmark(endpoint, cache.revision, false)]);
    watcher.flush();
  };
  const markRegularly = (): void => {
    timers[1] = clock.setTimeout(() => {
      mark();
      markRegularly();
    }, bookmarkEveryMs);
  };
  const lifetimeMs = timeoutSeconds ? timeoutSeconds * 1000 : minWatchMs + randomInt(random, minWatchMs);
  timers[0] = clock.setTimeout(() => {
    if (allowWatchBookmarks) mark();
    end();
  }, lifetimeMs);
  if (allowWatchBookmarks) markRegularly();
  request.signal?.addEventListener("abort", end, { once: true });
  if (request.signal?.aborted) end();
  try {
    for await (const batch of initial ?? []) {
      if (request.signal?.aborted) return;
      yield await shownBatch(endpoint, batch, request.signal);
    }
    if (endOfInitial !== undefined) {
      watcher.lastSent = endOfInitial.stored.revision;
      yield [endOfInitial];
    }
    for await (const batch of watcher.batches) {
      watcher.taken(batch.length);
      yield endpoint.stored ? batch : await shownBatch(endpoint, batch, request.signal);
    }
  } finally {
    for (const timer of timers) timer.cancel();
    request.signal?.removeEventListener("abort", end);
    endpoint.cache.unwatch(watcher);
  }
}

async function shownBatch(
  endpoint: Endpoint,
  batch: readonly StoredEvent[],
  signal: AbortSignal | undefined,
): Promise<readonly StoredEvent[]> {
  if (endpoint.stored) return batch;
  const events = batch.filter(({ type }) => type !== "BOOKMARK");
  const shown = await endpoint.showAll(
    events.map(({ stored }) => stored),
    signal,
  );
  const views = new Map(events.map((event, index) => [event, shown[index]]));
  return batch.map((event) => {
    const view = views.get(event);
    return view === undefined || view === event.stored ? event : new SharedEvent(event.type, view);
  });
}

function bookmark(endpoint: Endpoint, revision: number, endsInitialEvents: boolean): StoredEvent {
  const object = {
    kind: endpoint.description.kind,
    apiVersion: endpoint.apiVersion,
    metadata: {
      resourceVersion: String(revision),
      ...(endsInitialEvents ? { annotations: { "k8s.io/initial-events-end": "true" } } : {}),
    },
  };
  return new SharedEvent("BOOKMARK", new ConvertedObject({ key: "", revision }, object));
}
