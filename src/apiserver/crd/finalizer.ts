import type { ResourceDescription, UserInfo } from "../../api/index.js";
import { deleteCollection } from "../registry/delete.js";
import { Endpoint } from "../registry/endpoint.js";
import type { ApiServer } from "../server.js";

export const cleanupFinalizer = "customresourcecleanup.apiextensions.k8s.io";

const self: UserInfo = { username: "system:apiserver", groups: ["system:masters"] };

/**
 * Deletes all objects of a custom resource and waits until they are gone: their own finalizers may hold them. Resolves when there are
 * none, rejects when aborted or when the store fails.
 */
export async function deleteInstances(
  server: ApiServer,
  description: ResourceDescription,
  signal: AbortSignal,
): Promise<void> {
  // Not looked up: the version that is stored may not be served.
  const endpoint = new Endpoint(description, server.cache.register(description.storage.path));
  const { cache } = endpoint;
  const now = server.cache.revision;
  const watcher = cache.watch({ prefix: cache.prefix }, now, now);
  const end = (): void => cache.unwatch(watcher);
  signal.addEventListener("abort", end, { once: true });
  try {
    await deleteCollection(server.context, endpoint, {
      verb: "deletecollection",
      group: description.group,
      version: description.version,
      resource: description.resource,
      user: self,
      userAgent: "kube-apiserver",
      signal,
    });
    await server.cache.fresh(signal);
    if (cache.size === 0) return;
    for await (const batch of watcher.batches) {
      watcher.taken(batch.length);
      if (cache.size === 0) return;
    }
    signal.throwIfAborted();
    throw new Error("the objects of a definition could not be watched");
  } finally {
    signal.removeEventListener("abort", end);
    end();
  }
}
