import type { KubeObject, ObjectKey, ResourceType } from "../../api/index.js";
import { sleep } from "../../internal/clock.js";
import type { ApiServer } from "../server.js";

/** How long after a failure everything is looked at again. */
const retryMs = 1_000;

/**
 * Calls back for objects of a resource as the watch cache learns of their changes, deletions too, until aborted; with undefined first, and
 * whenever changes may have been missed: look at all of them. `only` is the one object to follow. A callback that throws is called again, with undefined.
 */
export async function followCache<T extends KubeObject>(
  server: ApiServer,
  resource: ResourceType<T>,
  signal: AbortSignal,
  changed: (objects: readonly T[] | undefined) => void | Promise<void>,
  only?: ObjectKey,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await followOnce(server, resource, signal, changed, only);
    } catch (error) {
      if (signal.aborted) return;
      server.logger.warn("changes could not be followed", { resource: resource.resource, error });
      await sleep(server.clock, retryMs, signal);
    }
  }
}

async function followOnce<T extends KubeObject>(
  server: ApiServer,
  resource: ResourceType<T>,
  signal: AbortSignal,
  changed: (objects: readonly T[] | undefined) => void | Promise<void>,
  only?: ObjectKey,
): Promise<void> {
  const endpoint = server.endpointFor(resource);
  const { cache } = endpoint;
  const exact = only && { exact: endpoint.keyOf(only.namespace, only.name) };
  const now = server.cache.revision;
  const watcher = cache.watch({ prefix: cache.prefix, ...exact }, now, now);
  const end = (): void => cache.unwatch(watcher);
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  try {
    await changed(undefined);
    for await (const batch of watcher.batches) {
      watcher.taken(batch.length);
      // The cache of a resource has its objects.
      await changed(batch.map(({ stored }) => stored.object as T));
    }
  } finally {
    signal.removeEventListener("abort", end);
    cache.unwatch(watcher);
  }
}
