import { describe, expect, test } from "vitest";
import { MemoryStore } from "../memory/memory-store.js";
import type { WatchBatch } from "../store.js";

const bytes = Buffer.from("1");

describe("watches of a store in memory", () => {
  test("get what is written in one tick as one batch", async () => {
    const store = new MemoryStore();
    const iterator = store.watch("/registry/pods/", { afterRevision: 1 })[Symbol.asyncIterator]();
    const next = iterator.next();
    const entries = await Promise.all(["a", "b", "c"].map((name) => store.create(`/registry/pods/${name}`, bytes)));
    const batch: WatchBatch = (await next).value;
    expect(batch.events.map((event) => event.type === "put" && event.entry)).toEqual(entries);
    expect(batch.revision).toBe(4);
  });

  test("share the events and the buffers, copied nowhere", async () => {
    const store = new MemoryStore();
    const iterators = ["/", "/registry/", "/registry/pods/"].map((prefix) =>
      store.watch(prefix, { afterRevision: 1 })[Symbol.asyncIterator](),
    );
    const value = Buffer.from("value");
    const entry = await store.create("/registry/pods/a", value);
    expect((await store.get("/registry/pods/a"))?.value).toBe(value);
    const batches = await Promise.all(iterators.map((iterator) => iterator.next()));
    const events = batches.map((batch) => batch.value?.events[0]);
    expect(new Set(events).size).toBe(1);
    expect(events[0]?.type === "put" && events[0].entry).toBe(entry);
  });

  test("are told that history is gone when they fall behind it", async () => {
    const store = new MemoryStore({ historyLimit: 10, watchBacklogLimit: 5 });
    const iterator = store.watch("/", { afterRevision: 1 })[Symbol.asyncIterator]();
    const first = iterator.next();
    for (let index = 0; index < 3000; index++) await store.create(`/${index}`, bytes);
    expect((await first).value?.events.length).toBe(1);
    await expect(iterator.next()).rejects.toMatchObject({ code: "compacted" });
    expect((await iterator.next()).done).toBe(true);
  });

  test("may end, and others begin, while events are handed out", async () => {
    const store = new MemoryStore();
    const controllers = Array.from({ length: 5 }, () => new AbortController());
    const counts = controllers.map(async ({ signal }, position) => {
      let seen = 0;
      for await (const { events } of store.watch("/registry/pods/", { afterRevision: 1, signal })) {
        seen += events.length;
        if (position === 0) for (const other of controllers.slice(1)) other.abort();
        if (seen >= 10) break;
      }
      return seen;
    });
    for (let index = 0; index < 10; index++) await store.create(`/registry/pods/${index}`, bytes);
    const [kept, ...ended] = await Promise.all(counts);
    expect(kept).toBe(10);
    for (const seen of ended) expect(seen).toBeLessThan(10);
  });
});
