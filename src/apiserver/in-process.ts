import type { ApiRequest, KubeList, KubeObject, Status, Transport, UserInfo, WatchEvent } from "../api/index.js";
import { Turns } from "../internal/turns.js";
import type { RequestHandler, ServerResult, StoredEvent, StoredList } from "./request.js";
import { checkWriteOptions } from "./write-options.js";

/** A Transport without sockets and copies: requests enter the pipeline as they are, and objects come back shared. */
export function inProcessTransport(handler: RequestHandler, user: UserInfo, userAgent?: string): Transport {
  return {
    async request(request) {
      checkWriteOptions(request);
      return await resultObject(await handler.handle({ ...request, user, userAgent }));
    },
    watch(request: ApiRequest): AsyncIterable<readonly WatchEvent[]> {
      return follow(handler, { ...request, user });
    },
  };
}

async function* follow(
  handler: RequestHandler,
  request: ApiRequest & { readonly user: UserInfo },
): AsyncGenerator<readonly WatchEvent[]> {
  for await (const batch of await handler.watch(request)) yield batch.map(watchEvent);
}

function watchEvent({ type, stored }: StoredEvent): WatchEvent {
  return { type, object: stored.object };
}

/** What a result is for somebody in the same process: objects, not bytes. */
function resultObject(result: ServerResult): KubeObject | Status | Promise<KubeList> {
  if (result.type === "object") return result.object;
  if (result.type === "stored") return result.stored.object;
  return listOf(result.list);
}

async function listOf({ apiVersion, kind, metadata, items: stored }: StoredList): Promise<KubeList> {
  const items: KubeObject[] = [];
  const turns = new Turns();
  for (const each of stored) {
    if (turns.due(each.size)) await turns.give();
    items.push(each.object);
  }
  return { apiVersion, kind, metadata, items };
}
