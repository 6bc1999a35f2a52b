import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { StoreEvent } from "coxswain/store";
import { EmbeddedStore } from "coxswain/store/embedded";
import { describeStore } from "coxswain/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const newFolder = (): Promise<string> => mkdtemp(join(tmpdir(), "coxswain-store-"));
const writerScript = fileURLToPath(new URL("support/embedded-writer.mjs", import.meta.url));
const builtStore = fileURLToPath(new URL("../../dist/store/embedded/index.js", import.meta.url));

describeStore({
  name: "EmbeddedStore",
  setup: async () => {
    const folder = await newFolder();
    return { store: await EmbeddedStore.open(folder), cleanup: () => rm(folder, { recursive: true }) };
  },
});

describeStore({
  name: "EmbeddedStore with files of 1 KiB and no value in memory",
  setup: async () => {
    const folder = await newFolder();
    const store = await EmbeddedStore.open(folder, { segmentBytes: 1024, cacheBytes: 0 });
    return { store, cleanup: () => rm(folder, { recursive: true }) };
  },
});

describe("an EmbeddedStore opened again", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await newFolder();
  });
  afterEach(() => rm(folder, { recursive: true }));

  test("holds the same entries, revisions and history", async () => {
    const before = await EmbeddedStore.open(folder);
    const start = await before.revision();
    const first = await before.create("/a", Buffer.from("1"));
    const second = await before.update("/a", Buffer.from("2"), first.revision);
    const other = await before.create("/b", Buffer.alloc(0));
    const gone = await before.delete("/b", other.revision);
    await before[Symbol.asyncDispose]();

    await using store = await EmbeddedStore.open(folder);
    expect(await store.revision()).toBe(gone);
    expect(await store.get("/a")).toEqual(second);
    expect(await store.get("/b")).toBeUndefined();
    expect((await store.range("/", { revision: other.revision })).entries).toEqual([second, other]);
    expect(await readEvents(store, "/", start, gone)).toEqual([
      { type: "put", entry: first, previous: undefined },
      { type: "put", entry: second, previous: first },
      { type: "put", entry: other, previous: undefined },
      { type: "delete", key: "/b", revision: gone, previous: other },
    ]);
    expect((await store.create("/b", Buffer.from("3"))).revision).toBe(gone + 1);
  });

  test("remembers what was compacted", async () => {
    const before = await EmbeddedStore.open(folder);
    const first = await before.create("/a", Buffer.from("1"));
    const second = await before.update("/a", Buffer.from("2"), first.revision);
    await before.compact(second.revision);
    await before[Symbol.asyncDispose]();
    await using store = await EmbeddedStore.open(folder);
    await expect(store.range("/", { revision: first.revision })).rejects.toMatchObject({ code: "compacted" });
    await expect(readEvents(store, "/", first.revision, second.revision)).rejects.toMatchObject({ code: "compacted" });
  });

  test("keeps leases and their keys", async () => {
    const before = await EmbeddedStore.open(folder);
    const lease = await before.grantLease(1);
    const revoked = await before.grantLease(1);
    const bound = await before.create("/bound", Buffer.from("1"), { lease: lease.id });
    await before.create("/free", Buffer.from("1"));
    await revoked.revoke();
    const at = await before.revision();
    await before[Symbol.asyncDispose]();
    await using store = await EmbeddedStore.open(folder);
    expect(await store.get("/bound")).toEqual(bound);
    const again = store.create("/x", Buffer.from("1"), { lease: revoked.id });
    await expect(again).rejects.toMatchObject({ code: "no-lease" });
    expect(Number((await store.grantLease(60)).id)).toBeGreaterThan(Number(revoked.id));
    const [deletion] = await readEvents(store, "/bound", at, at + 1);
    expect(deletion).toEqual({ type: "delete", key: "/bound", revision: at + 1, previous: bound });
  });

  test("is refused while another store has the folder", async () => {
    await using _store = await EmbeddedStore.open(folder);
    const second = EmbeddedStore.open(folder);
    await expect(second).rejects.toMatchObject({ code: "unavailable" });
    await expect(second).rejects.toThrow(`in use by process ${process.pid}`);
  });

  test("clears out what history has forgotten, and nothing else", async () => {
    const options = { segmentBytes: 16 * 1024, historyLimit: 100, cacheBytes: 0 };
    const before = await EmbeddedStore.open(folder, options);
    const kept = await before.create("/kept", Buffer.alloc(1000, "k"));
    const dead = await before.create("/dead", Buffer.alloc(1000, "d"));
    await before.delete("/dead", dead.revision);
    const rewrite = async (key: string): Promise<void> => {
      let { revision } = await before.create(key, Buffer.from("0"));
      for (let round = 1; round <= 100; round++) {
        revision = (await before.update(key, Buffer.alloc(500, `${round};`), revision)).revision;
      }
    };
    await Promise.all(Array.from({ length: 50 }, (_, index) => rewrite(`/hot/${index}`)));
    const revision = await before.revision();
    await before[Symbol.asyncDispose]();
    let bytes = 0;
    for (const name of await readdir(folder)) bytes += (await stat(join(folder, name))).size;
    // 5,000 writes of 500 bytes have been made; a tenth of that is history and slack.
    expect(bytes).toBeLessThan(1_500_000);
    await using store = await EmbeddedStore.open(folder, options);
    expect(await store.get("/kept")).toEqual(kept);
    expect(await store.get("/dead")).toBeUndefined();
    const { entries } = await store.range("/hot/");
    expect(entries.map(({ value }) => value)).toEqual(Array(50).fill(Buffer.alloc(500, "100;")));
    expect((await store.range("/")).count).toBe(51);
    expect(await store.revision()).toBe(revision);
  });

  test("cuts off an unfinished write at the end", async () => {
    const before = await EmbeddedStore.open(folder);
    const entry = await before.create("/a", Buffer.from("1"));
    await before.create("/b", Buffer.alloc(500, "b"));
    await before[Symbol.asyncDispose]();
    const path = join(folder, "000000000001.journal");
    const file = await open(path, "r+");
    await file.truncate((await file.stat()).size - 3);
    await file.close();
    await using store = await EmbeddedStore.open(folder);
    expect((await store.range("/")).entries).toEqual([entry]);
    expect((await store.create("/c", Buffer.from("1"))).revision).toBe(entry.revision + 1);
  });

  test("is refused when acknowledged bytes are damaged", async () => {
    const before = await EmbeddedStore.open(folder);
    for (let index = 0; index < 5; index++) await before.create(`/${index}`, Buffer.alloc(100, "x"));
    await before[Symbol.asyncDispose]();
    const file = await open(join(folder, "000000000001.journal"), "r+");
    await file.write(Buffer.from("!"), 0, 1, 200);
    await file.close();
    const opening = EmbeddedStore.open(folder);
    await expect(opening).rejects.toMatchObject({ code: "unavailable" });
    await expect(opening).rejects.toThrow("is damaged at byte");
    // The failed attempt holds nothing.
    await expect(EmbeddedStore.open(folder)).rejects.toThrow("is damaged at byte");
  });

  test("that may not be written says so", async () => {
    const path = join(folder, "file");
    await (await open(path, "w")).close();
    await expect(EmbeddedStore.open(join(path, "store"))).rejects.toThrow("ENOTDIR");
  });

  test("has lost nothing acknowledged after kill -9 at random moments", async () => {
    const seed = Date.now() % 1_000_000;
    console.log(`kill -9 test: seed ${seed}`);
    let revision = 1;
    let acknowledged = 0;
    for (let round = 0; round < 8; round++) {
      const lines = await writeUntilKilled(folder, seed + round, 20 + ((seed + round * 37) % 1200));
      acknowledged += lines.length;
      revision = await checkAfterCrash(folder, revision, lines);
    }
    expect(acknowledged).toBeGreaterThan(160);
  });
});

/** Lets a child write, kills it after so many acknowledged writes, and gives what it acknowledged. */
async function writeUntilKilled(folder: string, seed: number, after: number): Promise<string[]> {
  const child = spawn(process.execPath, [writerScript, builtStore, folder, String(seed), "262144"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (line !== "ready") lines.push(line);
    if (lines.length === after) child.kill("SIGKILL");
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  expect(child.signalCode).toBe("SIGKILL");
  return lines;
}

/** Each acknowledged write is in the history since the last crash, which explains the state; gives the revision. */
async function checkAfterCrash(folder: string, before: number, acknowledged: readonly string[]): Promise<number> {
  await using store = await EmbeddedStore.open(folder);
  const now = await store.revision();
  const state = new Map((await store.range("/", { revision: before })).entries.map((entry) => [entry.key, entry]));
  const happened = new Set<string>();
  let revision = before;
  for (const event of await readEvents(store, "/", before, now)) {
    const key = event.type === "put" ? event.entry.key : event.key;
    const at = event.type === "put" ? event.entry.revision : event.revision;
    expect(at, "revisions grow by one").toBe(++revision);
    expect(event.previous).toEqual(state.get(key));
    happened.add(event.type === "put" ? `put ${at} ${key} ${event.entry.value.length}` : `delete ${at} ${key}`);
    if (event.type === "put") state.set(key, event.entry);
    else state.delete(key);
  }
  expect(acknowledged.filter((line) => !happened.has(line))).toEqual([]);
  const byKey = (await store.range("/")).entries.map((entry) => [entry.key, entry] as const);
  expect(new Map(byKey)).toEqual(state);
  return now;
}

async function readEvents(store: EmbeddedStore, prefix: string, after: number, until: number): Promise<StoreEvent[]> {
  const events: StoreEvent[] = [];
  for await (const batch of store.watch(prefix, { afterRevision: after })) {
    events.push(...batch.events);
    if (batch.revision >= until) break;
  }
  return events;
}
