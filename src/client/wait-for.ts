import { isStatusError, type KubeObject, type ObjectKey, type ResourceType } from "../api/index.js";
import { type Clock, realClock, sleep } from "../internal/clock.js";
import { systemRandom } from "../internal/random.js";
import { Backoff } from "./backoff.js";
import type { Client } from "./client.js";

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  /** Absent: for ever. */
  readonly timeoutMs?: number | undefined;
  readonly clock?: Clock | undefined;
}

/**
 * Waits until `predicate` holds for an object, which is undefined while it does not exist, and gives back what held. It
 * watches, so no state that lasts is missed. Rejects with an Error after `timeoutMs` and with the signal's reason.
 */
export async function waitFor<T extends KubeObject>(
  client: Client,
  resource: ResourceType<T>,
  key: ObjectKey,
  predicate: (object: T | undefined) => boolean,
  options: WaitOptions = {},
): Promise<T | undefined> {
  const { clock = realClock, timeoutMs, signal } = options;
  const stop = new AbortController();
  const abort = (): void => stop.abort(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort, { once: true });
  const what = `${resource.resource} ${key.namespace ? `${key.namespace}/` : ""}${key.name}`;
  const timer =
    timeoutMs === undefined
      ? undefined
      : clock.setTimeout(() => stop.abort(new Error(`timed out after ${timeoutMs} ms waiting for ${what}`)), timeoutMs);
  try {
    return await observe(client, resource, key, predicate, clock, stop.signal);
  } finally {
    timer?.cancel();
    signal?.removeEventListener("abort", abort);
    stop.abort();
  }
}

async function observe<T extends KubeObject>(
  client: Client,
  resource: ResourceType<T>,
  key: ObjectKey,
  predicate: (object: T | undefined) => boolean,
  clock: Clock,
  signal: AbortSignal,
): Promise<T | undefined> {
  const backoff = new Backoff({ initialMs: 50, maxMs: 5_000, random: systemRandom });
  const options = { namespace: key.namespace, fieldSelector: `metadata.name=${key.name}`, signal };
  for (;;) {
    signal.throwIfAborted();
    try {
      const list = await client.list(resource, options);
      const now = list.items[0];
      if (predicate(now)) return now;
      const { resourceVersion } = list.metadata;
      for await (const { type, object } of client.watch(resource, { ...options, resourceVersion })) {
        if (type === "BOOKMARK") continue;
        const state = type === "DELETED" ? undefined : object;
        if (predicate(state)) return state;
      }
    } catch (error) {
      signal.throwIfAborted();
      const fatal = isStatusError(error, "Forbidden") || isStatusError(error, "Unauthorized") || !isStatusError(error);
      if (fatal) throw error;
    }
    if (!signal.aborted) await sleep(clock, backoff.nextMs(), signal);
  }
}
