import { type Store, type StoreEntry, StoreError, type StoreEvent, type WatchBatch } from "coxswain/store";

/** A Store as a stranger would write one: a Map, the list of all that ever happened, and callbacks to wake watches. */
export function createMapStore(): Store {
  const entries = new Map<string, StoreEntry>();
  const events: StoreEvent[] = [];
  const leases = new Map<string, { keys: Set<string>; timer: NodeJS.Timeout | undefined }>();
  let [revision, compacted, closed, lastLease] = [1, 0, false, 0];
  const waiting = new Set<() => void>();
  const fail = (code: StoreError["code"], current?: StoreEntry): never => {
    throw new StoreError(code, `refused: ${code}`, current === undefined ? {} : { current });
  };
  const begin = (signal?: AbortSignal): void => {
    if (closed) fail("closed");
    signal?.throwIfAborted();
  };
  const wake = (): void => {
    for (const resolve of waiting) resolve();
    waiting.clear();
  };
  const happened = (event: StoreEvent): void => {
    events.push(event);
    wake();
  };
  const put = (key: string, value: Buffer, previous?: StoreEntry, lease?: string): StoreEntry => {
    if (lease !== undefined && !leases.has(lease)) fail("no-lease");
    for (const { keys } of leases.values()) keys.delete(key);
    if (lease !== undefined) leases.get(lease)?.keys.add(key);
    const entry = { key, value, revision: ++revision, createRevision: previous?.createRevision ?? revision };
    entries.set(key, entry);
    happened({ type: "put", entry, previous });
    return entry;
  };
  const remove = (previous: StoreEntry): number => {
    for (const { keys } of leases.values()) keys.delete(previous.key);
    entries.delete(previous.key);
    happened({ type: "delete", key: previous.key, revision: ++revision, previous });
    return revision;
  };
  const expect = (key: string, expected: number): StoreEntry => {
    const current = entries.get(key) ?? fail("not-found");
    return current.revision === expected ? current : fail("conflict", current);
  };
  const readable = (at: number): number => (at > revision ? fail("future") : at < compacted ? fail("compacted") : at);
  const revisionOf = (event: StoreEvent): number => (event.type === "put" ? event.entry.revision : event.revision);
  const stateAt = (at: number): Map<string, StoreEntry> => {
    const state = new Map<string, StoreEntry>();
    for (const event of events) {
      if (revisionOf(event) > at) break;
      if (event.type === "put") state.set(event.entry.key, event.entry);
      else state.delete(event.key);
    }
    return state;
  };
  const end = (id: string): void => {
    const lease = leases.get(id) ?? fail("no-lease");
    clearTimeout(lease.timer);
    leases.delete(id);
    for (const key of [...lease.keys]) remove(entries.get(key) ?? fail("not-found"));
  };
  async function* watch(prefix: string, afterRevision: number, signal?: AbortSignal): AsyncGenerator<WatchBatch> {
    signal?.addEventListener("abort", wake, { once: true });
    let reached = afterRevision;
    while (!signal?.aborted) {
      if (closed) fail("closed");
      if (reached === afterRevision) readable(reached);
      const next = events.filter((event) => revisionOf(event) > reached);
      const mine = next.filter((event) => (event.type === "put" ? event.entry.key : event.key).startsWith(prefix));
      if (revision > reached) {
        reached = revision;
        yield { events: mine, revision };
      } else await new Promise<void>((resolve) => waiting.add(resolve));
    }
  }
  return {
    async create(key, value, { signal, lease } = {}) {
      begin(signal);
      return entries.has(key) ? fail("exists", entries.get(key)) : put(key, value, undefined, lease);
    },
    async update(key, value, expected, { signal, lease } = {}) {
      begin(signal);
      return put(key, value, expect(key, expected), lease);
    },
    async delete(key, expected, { signal } = {}) {
      begin(signal);
      return remove(expect(key, expected));
    },
    async get(key, { signal } = {}) {
      begin(signal);
      return entries.get(key);
    },
    async range(prefix, { after, limit = 0, countOnly = false, signal, revision: asked } = {}) {
      begin(signal);
      const at = readable(asked || revision);
      const bytes = (key: string): Buffer => Buffer.from(key);
      const found = [...(at === revision ? entries : stateAt(at)).values()]
        .filter(({ key }) => key.startsWith(prefix) && (!after || bytes(key).compare(bytes(after)) > 0))
        .sort((a, b) => bytes(a.key).compare(bytes(b.key)));
      const page = countOnly ? [] : found.slice(0, limit || found.length);
      return { entries: page, revision: at, more: page.length < found.length, count: found.length };
    },
    watch: (prefix, { afterRevision, signal }) => ({
      [Symbol.asyncIterator]: () => watch(prefix, afterRevision, signal),
    }),
    async revision({ signal } = {}) {
      begin(signal);
      return revision;
    },
    async compact(at, { signal } = {}) {
      begin(signal);
      compacted = readable(at);
    },
    async grantLease(ttlSeconds, { signal } = {}) {
      begin(signal);
      const id = String(++lastLease);
      const arm = (): NodeJS.Timeout => setTimeout(() => end(id), ttlSeconds * 1000);
      leases.set(id, { keys: new Set(), timer: arm() });
      const keepAlive = async (): Promise<void> => {
        begin();
        const lease = leases.get(id) ?? fail("no-lease");
        clearTimeout(lease.timer);
        lease.timer = arm();
      };
      return { id, ttlSeconds, keepAlive, revoke: async () => end(id) };
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      for (const { timer } of leases.values()) clearTimeout(timer);
      wake();
    },
  };
}
