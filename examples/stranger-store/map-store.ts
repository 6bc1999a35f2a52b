import { type Store, type StoreEntry, StoreError, type StoreEvent, type WatchBatch } from "coxswain/store";

/** A Store as a stranger would write one: the list of all that ever happened, and callbacks that wake watches. */
export function createMapStore(): Store {
  const history: { key: string; revision: number; event: StoreEvent }[] = [];
  const timers = new Map<string, NodeJS.Timeout>();
  const waiting: (() => void)[] = [];
  const [entries, leaseOf] = [new Map<string, StoreEntry>(), new Map<string, string>()];
  let [revision, compacted, closed, lastLease] = [1, 0, false, 0];
  const fail = (code: StoreError["code"], current?: StoreEntry): never => {
    throw new StoreError(code, `refused: ${code}`, current && { current });
  };
  const call = async <T>(options: { signal?: AbortSignal | undefined } | undefined, work: () => T): Promise<T> => {
    options?.signal?.throwIfAborted();
    return closed ? fail("closed") : work();
  };
  const wake = (): unknown => waiting.splice(0).map((resolve) => resolve());
  const apply = (state: Map<string, StoreEntry>, { key, event }: { key: string; event: StoreEvent }) => {
    if (event.type === "delete") state.delete(key);
    return event.type === "put" ? state.set(key, event.entry) : state;
  };
  const happened = (key: string, event: StoreEvent): number => {
    history.push({ key, revision, event });
    apply(entries, { key, event });
    wake();
    return revision;
  };
  const put = (key: string, value: Buffer, lease = "", previous?: StoreEntry): StoreEntry => {
    if (lease !== "" && !timers.has(lease)) fail("no-lease");
    leaseOf.set(key, lease);
    const entry = { key, value, revision: ++revision, createRevision: previous?.createRevision ?? revision };
    happened(key, { type: "put", entry, previous });
    return entry;
  };
  const remove = (key: string): number =>
    happened(key, { type: "delete", key, revision: ++revision, previous: entries.get(key) });
  const expect = (key: string, expected: number): StoreEntry => {
    const current = entries.get(key) ?? fail("not-found");
    return current.revision === expected ? current : fail("conflict", current);
  };
  const readable = (at: number): number => (at > revision ? fail("future") : at < compacted ? fail("compacted") : at);
  const end = (lease: string): void => {
    clearTimeout(timers.get(lease) ?? fail("no-lease"));
    timers.delete(lease);
    for (const key of [...entries.keys()]) if (leaseOf.get(key) === lease) remove(key);
  };
  const start = (id: string, ttlSeconds: number): void => {
    clearTimeout(timers.get(id));
    timers.set(id, setTimeout(end, ttlSeconds * 1000, id));
  };
  const byBytes = (a: string, b: string): number => Buffer.from(a).compare(Buffer.from(b));
  async function* watch(prefix: string, afterRevision: number, signal?: AbortSignal): AsyncGenerator<WatchBatch> {
    signal?.addEventListener("abort", wake, { once: true });
    for (let reached = afterRevision; !signal?.aborted; ) {
      if (closed) fail("closed");
      if (reached === afterRevision) readable(reached);
      const [now, after] = [revision, reached];
      const news = history.filter((item) => item.revision > after && item.key.startsWith(prefix));
      reached = now;
      if (now > after) yield { events: news.map(({ event }) => event), revision: now };
      else await new Promise<void>((resolve) => waiting.push(resolve));
    }
  }
  return {
    create: (key, value, options) =>
      call(options, () => (entries.has(key) ? fail("exists", entries.get(key)) : put(key, value, options?.lease))),
    update: (key, value, at, options) => call(options, () => put(key, value, options?.lease, expect(key, at))),
    delete: (key, expected, options) => call(options, () => remove(expect(key, expected).key)),
    get: (key, options) => call(options, () => entries.get(key)),
    range: (prefix, { after, limit = 0, countOnly = false, revision: asked, signal } = {}) =>
      call({ signal }, () => {
        const at = readable(asked || revision);
        const state = history.filter((item) => item.revision <= at).reduce(apply, new Map<string, StoreEntry>());
        const found = [...state.values()]
          .filter(({ key }) => key.startsWith(prefix) && (!after || byBytes(key, after) > 0))
          .sort((a, b) => byBytes(a.key, b.key));
        const page = found.slice(0, countOnly ? 0 : limit || found.length);
        return { entries: page, revision: at, more: page.length < found.length, count: found.length };
      }),
    watch: (prefix, { afterRevision: after, signal }) => ({
      [Symbol.asyncIterator]: () => watch(prefix, after, signal),
    }),
    revision: (options) => call(options, () => revision),
    compact: async (at, options) => {
      compacted = await call(options, () => readable(at));
    },
    grantLease: (ttlSeconds, options) =>
      call(options, () => {
        const id = String(++lastLease);
        start(id, ttlSeconds);
        const keepAlive = () => call({}, () => (timers.has(id) ? start(id, ttlSeconds) : fail("no-lease")));
        return { id, ttlSeconds, keepAlive, revoke: () => call({}, () => end(id)) };
      }),
    [Symbol.asyncDispose]: async () => {
      closed = true;
      for (const timer of timers.values()) clearTimeout(timer);
      wake();
    },
  };
}
