import type { Clock } from "../../internal/clock.js";
import type { Endpoint } from "../registry/endpoint.js";
import { type ResolvedSelection, resolveSelection } from "../registry/selection.js";
import type { ServerRequest, StoredEvent } from "../request.js";
import { SharedEvent } from "../watchcache/cache-event.js";
import { selects } from "../watchcache/selection.js";
import { listAll, ownObject, storageRequest } from "./own-objects.js";
import type { ResourceStorage, StorageEvent } from "./resource-storage.js";

/** Upstream's shortest, for a watch that does not say how long. */
const defaultTimeoutSeconds = 1800;

/**
 * A watch on a resource with a storage of its own: first what there is, unless the client has that already, then the changes. The changes are
 * asked for before what there is, so that none falls in between.
 */
export function ownWatch(
  storage: ResourceStorage,
  endpoint: Endpoint,
  request: ServerRequest,
  clock: Clock,
): AsyncIterable<readonly StoredEvent[]> {
  const { options = {}, namespace, name } = request;
  const filter = new WatchFilter(endpoint, resolveSelection(endpoint, namespace, name, options));
  return follow(storage, endpoint, request, { clock, filter });
}

async function* follow(
  storage: ResourceStorage,
  endpoint: Endpoint,
  request: ServerRequest,
  { clock, filter }: { readonly clock: Clock; readonly filter: WatchFilter },
): AsyncGenerator<readonly StoredEvent[]> {
  const { options = {}, namespace } = request;
  const end = new AbortController();
  const stop = (): void => end.abort();
  request.signal?.addEventListener("abort", stop, { once: true });
  if (request.signal?.aborted) stop();
  const timer = clock.setTimeout(stop, (options.timeoutSeconds || defaultTimeoutSeconds) * 1000);
  const asked = { ...storageRequest(request), signal: end.signal };
  const { resourceVersion = "" } = options;
  const resumes = resourceVersion !== "" && resourceVersion !== "0";
  const changes = storage
    .watch?.({ namespace, ...(resumes ? { resourceVersion } : {}) }, asked)
    [Symbol.asyncIterator]();
  let next = changes?.next();
  // Waited for below; until then a failure must not count as unseen.
  next?.catch(() => {});
  try {
    if (!resumes || options.sendInitialEvents === true) {
      const { metadata, items } = await listAll(storage, namespace, asked);
      yield items.flatMap((object) => filter.see({ type: "ADDED", object }));
      if (options.sendInitialEvents === true) yield [initialEventsEnd(endpoint, metadata?.resourceVersion ?? "0")];
    }
    while (changes !== undefined && next !== undefined) {
      const result = await settled(next, end.signal);
      if (result === undefined || result.done === true) return;
      const events = filter.see(result.value);
      next = changes.next();
      next.catch(() => {});
      if (events.length > 0) yield events;
    }
  } finally {
    timer.cancel();
    request.signal?.removeEventListener("abort", stop);
    stop();
    // Not waited for: a storage that hangs would hold the client's connection.
    void Promise.resolve(changes?.return?.()).catch(() => {});
  }
}

/** undefined: the watch is over. */
function settled<T>(next: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve(undefined);
    signal.addEventListener("abort", stop, { once: true });
    next.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

/** What a watcher with selectors sees of changes: an object that begins to match is new to it, one that ceases to is gone. */
class WatchFilter {
  readonly #endpoint: Endpoint;
  readonly #selection: ResolvedSelection;
  readonly #seen = new Set<string>();

  constructor(endpoint: Endpoint, selection: ResolvedSelection) {
    this.#endpoint = endpoint;
    this.#selection = selection;
  }

  see({ type, object }: StorageEvent): readonly StoredEvent[] {
    const stored = this.#endpoint.view(ownObject(this.#endpoint, object));
    if (type === "BOOKMARK") return [new SharedEvent(type, stored)];
    if (!this.#selection.filtered) return selects(this.#selection, stored) ? [new SharedEvent(type, stored)] : [];
    const matches = type !== "DELETED" && selects(this.#selection, stored);
    const before = this.#seen.has(stored.key);
    if (matches) this.#seen.add(stored.key);
    else this.#seen.delete(stored.key);
    if (matches) return [new SharedEvent(before ? "MODIFIED" : "ADDED", stored)];
    return before ? [new SharedEvent("DELETED", stored)] : [];
  }
}

function initialEventsEnd(endpoint: Endpoint, resourceVersion: string): StoredEvent {
  const annotations = { "k8s.io/initial-events-end": "true" };
  return new SharedEvent("BOOKMARK", ownObject(endpoint, { metadata: { resourceVersion, annotations } }));
}
