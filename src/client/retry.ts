import { isStatusError, type KubeObject, keyOf, type ObjectKey, type ResourceType } from "../api/index.js";
import { type Clock, realClock, sleep } from "../internal/clock.js";
import { type Random, systemRandom } from "../internal/random.js";
import type { CallOptions, Client, ListOptions, WriteOptions } from "./client.js";

export interface RetryOptions extends CallOptions {
  readonly clock?: Clock;
  readonly random?: Random;
  /** Default 5. */
  readonly tries?: number;
}

/** Calls `attempt`, which reads and writes, again as long as somebody else's write came between; then rejects with the Conflict. */
export async function retryOnConflict<R>(attempt: () => Promise<R>, options: RetryOptions = {}): Promise<R> {
  const { clock = realClock, random = systemRandom, tries = 5, signal } = options;
  for (let left = tries; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (left <= 1 || signal?.aborted || !isStatusError(error, "Conflict")) throw error;
      await sleep(clock, 10 * (1 + 0.1 * random.next()), signal);
    }
  }
}

/** Reads an object, lets `change` make its successor (or give back the same for no write), and writes it; again on conflict. */
export function updateWithRetry<T extends KubeObject>(
  client: Client,
  resource: ResourceType<T>,
  key: ObjectKey,
  change: (object: T) => T,
  options: WriteOptions & RetryOptions = {},
): Promise<T> {
  const { clock, random, tries, ...write } = options;
  return retryOnConflict(async () => {
    const current = await client.get(resource, key, { signal: write.signal });
    const next = change(current);
    return next === current ? current : client.update(resource, next, write);
  }, options);
}

/** A whole list, fetched in pages of `pageSize` so that no answer is large. Begins anew, unpaged, when the pages expire on the way. */
export async function* listInPages<T extends KubeObject>(
  client: Client,
  resource: ResourceType<T>,
  options: ListOptions = {},
  pageSize = 500,
): AsyncGenerator<T> {
  const seen = new Set<string>();
  let token: string | undefined;
  do {
    let page: Awaited<ReturnType<typeof client.list<T>>>;
    try {
      page = await client.list(resource, { ...options, limit: pageSize, continue: token });
    } catch (error) {
      if (token === undefined || !isStatusError(error, "Expired")) throw error;
      page = await client.list(resource, options);
    }
    for (const object of page.items) {
      const key = keyOf(object);
      if (seen.has(key)) continue;
      seen.add(key);
      yield object;
    }
    token = page.metadata.continue || undefined;
  } while (token !== undefined);
}
