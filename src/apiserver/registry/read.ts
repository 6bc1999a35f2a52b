import { statusErrors } from "../../api/index.js";
import { Turns } from "../../internal/turns.js";
import type { Store } from "../../store/index.js";
import { StoreError } from "../../store/index.js";
import type { ServerRequest, StoredList, StoredObject } from "../request.js";
import { selects } from "../watchcache/selection.js";
import { CachedObject } from "../watchcache/stored-object.js";
import type { WatchCache } from "../watchcache/watch-cache.js";
import { decodeContinue, encodeContinue } from "./continue-token.js";
import type { Endpoint } from "./endpoint.js";
import { type Freshness, listFreshness, parseResourceVersion, unknownError } from "./list-options.js";
import { type ResolvedSelection, resolveSelection } from "./selection.js";
import { toStatusError } from "./store-errors.js";

/** How many entries of the past are read from the store at once. */
const pastPage = 500;

/** get and list. */
export class Reader {
  readonly #store: Store;
  readonly #cache: WatchCache;

  constructor(store: Store, cache: WatchCache) {
    this.#store = store;
    this.#cache = cache;
  }

  async get(endpoint: Endpoint, request: ServerRequest): Promise<StoredObject> {
    const name = request.name ?? "";
    const revision = parseResourceVersion(request.options?.resourceVersion, unknownError);
    if (revision === undefined) await this.#fresh(endpoint, request);
    else if (revision > 0) await this.#cache.reached(revision, request.signal);
    const stored = endpoint.cache.get(endpoint.keyOf(request.namespace, name));
    if (stored === undefined) throw statusErrors.notFound(endpoint.description, name);
    return endpoint.stored ? stored : endpoint.show(stored, request.signal);
  }

  async list(endpoint: Endpoint, request: ServerRequest): Promise<StoredList> {
    const options = request.options ?? {};
    const selection = resolveSelection(endpoint, request.namespace, request.name, options);
    const freshness = listFreshness(options);
    const limit = Math.max(0, options.limit ?? 0);
    if (options.continue) return this.#continue(endpoint, request, selection, limit, options.continue);
    await this.reach(endpoint, request, freshness);
    if (freshness.type === "exact") {
      if (!this.#stillCurrent(endpoint, freshness.revision)) {
        return this.#past(endpoint, request, selection, limit, { revision: freshness.revision, after: "" });
      }
      return this.#now(endpoint, request, selection, limit, undefined, freshness.revision);
    }
    // A read of whatever is at hand is not cut into pages: its revision would be gone before the next page is asked for.
    return this.#now(
      endpoint,
      request,
      selection,
      freshness.type === "any" ? 0 : limit,
      undefined,
      this.#cache.revision,
    );
  }

  /** Waits until the cache may answer. */
  async reach(endpoint: Endpoint, request: ServerRequest, freshness: Freshness): Promise<void> {
    if (freshness.type === "consistent") await this.#fresh(endpoint, request);
    else if (freshness.type !== "any") await this.#cache.reached(freshness.revision, request.signal);
  }

  async #fresh(endpoint: Endpoint, request: ServerRequest): Promise<void> {
    try {
      await this.#cache.fresh(request.signal);
    } catch (error) {
      throw toStatusError(error, endpoint.description, request.name ?? "", request.verb);
    }
  }

  async #continue(
    endpoint: Endpoint,
    request: ServerRequest,
    selection: ResolvedSelection,
    limit: number,
    text: string,
  ): Promise<StoredList> {
    const token = decodeContinue(text);
    if (token.revision < 0) {
      await this.#fresh(endpoint, request);
      return this.#now(endpoint, request, selection, limit, token.after, this.#cache.revision);
    }
    if (token.revision > this.#cache.revision) await this.#cache.reached(token.revision, request.signal);
    if (this.#stillCurrent(endpoint, token.revision)) {
      return this.#now(endpoint, request, selection, limit, token.after, token.revision);
    }
    return this.#past(endpoint, request, selection, limit, token);
  }

  #stillCurrent(endpoint: Endpoint, revision: number): boolean {
    return revision >= this.#cache.compacted && endpoint.cache.unchangedSince(revision);
  }

  async #now(
    endpoint: Endpoint,
    { signal }: ServerRequest,
    selection: ResolvedSelection,
    limit: number,
    after: string | undefined,
    revision: number,
  ): Promise<StoredList> {
    // All of one moment, however long it takes to look at them.
    const candidates = endpoint.cache.candidates(selection, after === undefined ? undefined : selection.prefix + after);
    const { items, left } = await firstSelected(candidates, selection, limit);
    const last = items.at(-1)?.key;
    const shown = await endpoint.showAll(items, signal);
    return page(endpoint, selection, shown, revision, left > 0 ? last : undefined, selection.filtered ? 0 : left);
  }

  /** A page of the past, which only the store has. */
  async #past(
    endpoint: Endpoint,
    request: ServerRequest,
    selection: ResolvedSelection,
    limit: number,
    { revision, after }: { readonly revision: number; readonly after: string },
  ): Promise<StoredList> {
    const items: StoredObject[] = [];
    let behind = after === "" ? undefined : selection.prefix + after;
    for (;;) {
      const want = limit === 0 ? pastPage : selection.filtered ? Math.max(limit, pastPage) : limit;
      const found = await this.#rangePast(endpoint, request, selection.prefix, {
        revision,
        after: behind,
        limit: want,
      });
      for (const [index, entry] of found.entries.entries()) {
        const stored = new CachedObject(entry.key, entry.revision, entry.createRevision, entry.value);
        behind = entry.key;
        if (!selects(selection, stored)) continue;
        items.push(stored);
        if (limit === 0 || items.length < limit) continue;
        const left = found.count - index - 1;
        const shown = await endpoint.showAll(items, request.signal);
        return page(endpoint, selection, shown, revision, left > 0 ? behind : undefined, selection.filtered ? 0 : left);
      }
      if (found.more) continue;
      return page(endpoint, selection, await endpoint.showAll(items, request.signal), revision, undefined, 0);
    }
  }

  async #rangePast(
    endpoint: Endpoint,
    request: ServerRequest,
    prefix: string,
    options: { readonly revision: number; readonly after: string | undefined; readonly limit: number },
  ): ReturnType<Store["range"]> {
    try {
      return await this.#store.range(prefix, { ...options, signal: request.signal });
    } catch (error) {
      if (error instanceof StoreError && error.code === "compacted" && request.options?.continue) {
        throw continueExpired(options.after?.slice(prefix.length) ?? "");
      }
      throw toStatusError(error, endpoint.description, "", request.verb);
    }
  }
}

/** The first `limit` (0: all) of what is selected, and how many are left; of a selector's only whether there are any. */
async function firstSelected(
  candidates: readonly CachedObject[],
  selection: ResolvedSelection,
  limit: number,
): Promise<{ readonly items: readonly CachedObject[]; readonly left: number }> {
  if (selection.matches === undefined) {
    if (limit === 0 || candidates.length <= limit) return { items: candidates, left: 0 };
    return { items: candidates.slice(0, limit), left: candidates.length - limit };
  }
  const items: CachedObject[] = [];
  const turns = new Turns();
  for (const candidate of candidates) {
    if (turns.due(candidate.size + (selection.cost ?? 0))) await turns.give();
    if (!selection.matches(candidate, true)) continue;
    if (limit > 0 && items.length === limit) return { items, left: 1 };
    items.push(candidate);
  }
  return { items, left: 0 };
}

/** 410 with a token that goes on at the newest state, for clients that rather have an inconsistent list than begin anew. */
function continueExpired(after: string): Error {
  const expired = statusErrors.expired(
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without " +
      "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. " +
      "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or " +
      "deleted between the time the first chunk was returned and now may show up in the list.",
  );
  return statusErrors.withMetadata(expired, { continue: encodeContinue({ revision: -1, after }) });
}

function page(
  endpoint: Endpoint,
  selection: ResolvedSelection,
  items: readonly StoredObject[],
  revision: number,
  last: string | undefined,
  remaining: number,
): StoredList {
  return {
    apiVersion: endpoint.apiVersion,
    kind: endpoint.description.listKind,
    metadata: {
      resourceVersion: String(revision),
      ...(last === undefined
        ? {}
        : {
            continue: encodeContinue({ revision, after: last.slice(selection.prefix.length) }),
            ...(remaining > 0 ? { remainingItemCount: remaining } : {}),
          }),
    },
    items,
    bare: endpoint.description.custom !== true,
  };
}
