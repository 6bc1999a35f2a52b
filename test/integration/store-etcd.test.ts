import { StoreError, type StoreEvent } from "coxswain/store";
import { EtcdStore } from "coxswain/store/etcd";
import { describeStore } from "coxswain/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeCertificates } from "./support/certificates.js";
import { type EtcdProcess, startEtcd } from "./support/etcd.js";

let etcd: EtcdProcess;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd[Symbol.asyncDispose]());

let prefixes = 0;

describeStore({
  name: "EtcdStore",
  setup: () => ({
    store: new EtcdStore({ endpoints: [etcd.endpoint] }),
    prefix: `/registry/check${prefixes++}/`,
  }),
});

describeStore({
  name: "EtcdStore on the etcd3 package alone",
  setup: () => ({
    store: new EtcdStore({ endpoints: [etcd.endpoint], transport: "etcd3" }),
    prefix: `/registry/check${prefixes++}/`,
  }),
});

describeStore({
  name: "EtcdStore that keeps next to nothing",
  setup: () => ({
    store: new EtcdStore({ endpoints: [etcd.endpoint], windowEvents: 10 }),
    prefix: `/registry/check${prefixes++}/`,
  }),
});

describe("EtcdStore", () => {
  test("leaves keys and values as they are, for others to read", async () => {
    await using store = new EtcdStore({ endpoints: [etcd.endpoint] });
    const entry = await store.create("/registry/pods/default/web", Buffer.from('{"kind":"Pod"}'));
    const key = Buffer.from(entry.key).toString("base64");
    const response = await fetch(`${etcd.endpoint}/v3/kv/range`, { method: "POST", body: JSON.stringify({ key }) });
    const { kvs } = (await response.json()) as { kvs: { value: string; mod_revision: string }[] };
    expect(kvs).toMatchObject([
      { value: Buffer.from('{"kind":"Pod"}').toString("base64"), mod_revision: String(entry.revision) },
    ]);
  });

  test("keeps all events apart when another client writes several keys in one transaction", async () => {
    await using store = new EtcdStore({ endpoints: [etcd.endpoint] });
    const after = await store.revision();
    const puts = ["/txn/a", "/txn/b", "/txn/c"].map((key) => ({
      request_put: { key: Buffer.from(key).toString("base64"), value: Buffer.from("1").toString("base64") },
    }));
    await fetch(`${etcd.endpoint}/v3/kv/txn`, { method: "POST", body: JSON.stringify({ success: puts }) });
    for await (const { events } of store.watch("/txn/", { afterRevision: after })) {
      if (events.length === 0) continue;
      expect(events.map((event) => event.type === "put" && event.entry.key)).toEqual(["/txn/a", "/txn/b", "/txn/c"]);
      break;
    }
  });

  test.each(["http2", "etcd3"] as const)("is unavailable, in time, when nothing answers (%s)", async (transport) => {
    await using store = new EtcdStore({ endpoints: ["http://127.0.0.1:1"], requestTimeoutMs: 200, transport });
    await expect(store.get("/a")).rejects.toMatchObject({ code: "unavailable" });
    await expect(store.create("/a", Buffer.from("1"))).rejects.toMatchObject({ code: "unavailable" });
  });

  test.each(["http2", "etcd3"] as const)("passes over an endpoint that does not answer (%s)", async (transport) => {
    await using store = new EtcdStore({ endpoints: ["http://127.0.0.1:1", etcd.endpoint], transport });
    for (let round = 0; round < 20; round++) await store.create(`/failover/${transport}/${round}`, Buffer.from("1"));
    expect((await store.range(`/failover/${transport}/`)).count).toBe(20);
  });
});

describe("EtcdStore over TLS", () => {
  test.each(["http2", "etcd3"] as const)("shows its certificate and checks the server's (%s)", async (transport) => {
    const { ca, cert, key } = await makeCertificates();
    await using server = await startEtcd({ tls: { ca, cert, key } });
    const tls = { ca: Buffer.from(ca), cert: Buffer.from(cert), key: Buffer.from(key) };
    const options = { endpoints: [server.endpoint], requestTimeoutMs: 1000, transport };
    await using store = new EtcdStore({ ...options, tls });
    const entry = await store.create("/tls", Buffer.from("1"));
    expect(await store.get("/tls")).toEqual(entry);
    await (await store.grantLease(60)).revoke();
    for await (const { events } of store.watch("/", { afterRevision: entry.revision - 1 })) {
      expect(events).toHaveLength(1);
      break;
    }
    const stranger = Buffer.from((await makeCertificates()).ca);
    await using distrustful = new EtcdStore({ ...options, tls: { ...tls, ca: stranger } });
    await expect(distrustful.get("/tls")).rejects.toMatchObject({ code: "unavailable" });
    await using nameless = new EtcdStore({ ...options, tls: { ca: tls.ca } });
    await expect(nameless.get("/tls")).rejects.toMatchObject({ code: "unavailable" });
  });
});

describe("EtcdStore over an etcd that is killed with -9 and started again under load", () => {
  test.each(["http2", "etcd3"] as const)("loses no acknowledged write, no watch an event (%s)", async (transport) => {
    const seed = Date.now() % 1_000_000;
    console.log(`etcd fault test: seed ${seed}`);
    await using server = await startEtcd();
    await using store = new EtcdStore({ endpoints: [server.endpoint], transport });
    const start = await store.revision();
    const stop = new AbortController();
    const acknowledged: string[] = [];
    let ambiguous = 0;
    const writing = Array.from({ length: 16 }, (_, writer) =>
      write(store, `/fault/${writer}`, stop.signal, (line) => {
        if (line === undefined) ambiguous++;
        else acknowledged.push(line);
      }),
    );
    const watches = Array.from({ length: 4 }, () => readUntil(store, "/fault/", start, "/fault/end"));

    for (let round = 0; round < 4; round++) {
      const target = acknowledged.length + 100 + ((seed * (round + 1)) % 300);
      while (acknowledged.length < target) await new Promise((resolve) => setTimeout(resolve, 2));
      await server.kill();
      await server.start();
    }
    const before = acknowledged.length;
    while (acknowledged.length < before + 200) await new Promise((resolve) => setTimeout(resolve, 2));
    stop.abort();
    await Promise.all(writing);
    const end = await store.create("/fault/end", Buffer.from("end"));

    await using witness = new EtcdStore({ endpoints: [server.endpoint] });
    const truth = await readUntil(witness, "/fault/", start, "/fault/end");
    console.log(`${truth.length} events, ${acknowledged.length} acknowledged, ${ambiguous} ambiguous`);
    const happened = truth.map(describeEvent);
    expect(acknowledged.filter((line) => !new Set(happened).has(line))).toEqual([]);
    expect(truth.length).toBeLessThanOrEqual(acknowledged.length + ambiguous + 1);
    // Nothing else writes: each revision is one event.
    expect(truth.map(revisionOf)).toEqual(
      Array.from({ length: end.revision - start }, (_, index) => start + 1 + index),
    );
    for (const watch of watches) expect((await watch).map(describeEvent)).toEqual(happened);
  });
});

/** Creates, updates and deletes until stopped; an ambiguous outcome is told as undefined and looked up. */
async function write(
  store: EtcdStore,
  prefix: string,
  signal: AbortSignal,
  tell: (line: string | undefined) => void,
): Promise<void> {
  let revision: number | undefined;
  for (let round = 0; !signal.aborted; round++) {
    const key = `${prefix}/key`;
    try {
      if (revision === undefined) {
        revision = (await store.create(key, Buffer.from(String(round)))).revision;
        tell(`put ${key}=${round}@${revision}`);
      } else if (round % 5 === 4) {
        tell(`delete ${key}@${await store.delete(key, revision)}`);
        revision = undefined;
      } else {
        revision = (await store.update(key, Buffer.from(String(round)), revision)).revision;
        tell(`put ${key}=${round}@${revision}`);
      }
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== "unavailable") throw error;
      tell(undefined);
      revision = (await store.get(key))?.revision;
    }
  }
}

async function readUntil(store: EtcdStore, prefix: string, after: number, lastKey: string): Promise<StoreEvent[]> {
  const events: StoreEvent[] = [];
  for await (const batch of store.watch(prefix, { afterRevision: after })) {
    events.push(...batch.events);
    if (batch.events.some((event) => event.type === "put" && event.entry.key === lastKey)) break;
  }
  return events;
}

function describeEvent(event: StoreEvent): string {
  if (event.type === "put") return `put ${event.entry.key}=${event.entry.value}@${event.entry.revision}`;
  return `delete ${event.key}@${event.revision}`;
}

function revisionOf(event: StoreEvent): number {
  return event.type === "put" ? event.entry.revision : event.revision;
}
