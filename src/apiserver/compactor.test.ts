import { afterEach, expect, test } from "vitest";
import { VirtualClock } from "../internal/virtual-clock.js";
import { MemoryStore } from "../store/index.js";
import { compactionKey, createCompactor } from "./compactor.js";

const intervalMs = 300_000;
const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

function makeStore(clock: VirtualClock): MemoryStore {
  const store = new MemoryStore({ clock });
  open.push(store);
  return store;
}

function start(store: MemoryStore, clock: VirtualClock): void {
  const stop = new AbortController();
  const running = createCompactor({ store, clock, intervalMs }).run({ signal: stop.signal, ready: () => {} });
  open.push({
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  });
}

const value = async (store: MemoryStore): Promise<string | undefined> =>
  (await store.get(compactionKey))?.value.toString();
const readable = (store: MemoryStore, revision: number): Promise<boolean> =>
  store.range("/", { revision }).then(
    () => true,
    () => false,
  );

test("history is forgotten when it is between one and two intervals old", async () => {
  const clock = new VirtualClock();
  const store = makeStore(clock);
  start(store, clock);
  await clock.advance(1000);
  const { revision } = await store.create("/a", Buffer.from("1"));
  await store.update("/a", Buffer.from("2"), revision);
  await clock.advance(intervalMs);
  expect(await value(store)).toBe("0");
  expect(await readable(store, revision)).toBe(true);
  await clock.advance(intervalMs);
  expect(await readable(store, revision)).toBe(false);
  expect((await store.get("/a"))?.value.toString()).toBe("2");
});

test("of two servers one compacts in each interval, and either goes on when the other is gone", async () => {
  const clock = new VirtualClock();
  const store = makeStore(clock);
  start(store, clock);
  start(store, clock);
  await clock.advance(3 * intervalMs);
  const before = await store.revision();
  expect(before).toBeLessThanOrEqual(4);
  await open.pop()?.[Symbol.asyncDispose]();
  const { revision } = await store.create("/a", Buffer.from("1"));
  await store.create("/b", Buffer.from("1"));
  await clock.advance(3 * intervalMs);
  expect(await readable(store, revision)).toBe(false);
  expect(Number(await value(store))).toBeGreaterThan(revision);
});

test("a server that starts anew keeps history for an interval", async () => {
  const clock = new VirtualClock();
  const store = makeStore(clock);
  await store.create(compactionKey, Buffer.from("0"));
  const { revision } = await store.create("/a", Buffer.from("1"));
  await store.create("/b", Buffer.from("1"));
  start(store, clock);
  await clock.advance(intervalMs);
  expect(await readable(store, revision)).toBe(true);
  await clock.advance(intervalMs);
  expect(await readable(store, revision)).toBe(false);
});
