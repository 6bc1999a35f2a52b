import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "coxswain";
import { configMaps } from "coxswain/api";
import { type Client, createClient, type HttpTransport } from "coxswain/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiServerProcess, connectTo } from "./support/api-server-process.js";
import { eventually } from "./support/cli-program.js";
import { startBalancer } from "./support/cluster-balancer.js";
import { informed, Watcher, Writer } from "./support/cluster-load.js";
import { type EtcdProcess, startEtcd } from "./support/etcd.js";

// A write that was acknowledged is there, and each watcher is told of each write once, whatever dies meanwhile.

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
let folder: string;
let etcd: EtcdProcess;

beforeAll(async () => {
  console.log(`faults: SEED=${seed}`);
  folder = await mkdtemp(join(tmpdir(), "faults-"));
  etcd = await startEtcd();
});

afterAll(async () => {
  await etcd?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Writes and watches while `faults` does its worst; then counts. */
async function survive(
  name: string,
  connect: () => Promise<HttpTransport>,
  faults: (progress: (writes: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  const transports: HttpTransport[] = [];
  const open = async (): Promise<Client> => {
    const transport = await connect();
    transports.push(transport);
    return createClient(transport);
  };
  const client = await open();
  const random = seededRandom(seed);
  const start = (await client.list(configMaps, { namespace: "default" })).metadata.resourceVersion ?? "";
  const stopWatching = new AbortController();
  const watchers: Watcher[] = [];
  for (let index = 0; index < 4; index++) watchers.push(new Watcher(await open(), start));
  const watching = watchers.map((watcher) => watcher.run(stopWatching.signal));
  // A watcher that is told to list again has failed at once, not only at the end.
  const broken = Promise.all(watching).then(() => {});
  const informer = await informed(await open(), stopWatching.signal);
  const stopWriting = new AbortController();
  const writers: Writer[] = [];
  for (let index = 0; index < 8; index++) {
    const own = seededRandom(Math.floor(random.next() * 2 ** 31));
    writers.push(new Writer(await open(), `${name}-${index}`, own));
  }
  const writing = writers.map((writer) => writer.run(stopWriting.signal));
  const acknowledged = (): number => writers.reduce((sum, writer) => sum + writer.acknowledged, 0);
  const progress = async (writes: number): Promise<void> => {
    const goal = acknowledged() + writes;
    await Promise.race([
      broken,
      eventually(() => (acknowledged() >= goal ? true : undefined), `${writes} more writes`, 60_000),
    ]);
  };
  try {
    await progress(200);
    await faults(progress);
    await progress(200);
  } finally {
    stopWriting.abort();
    await Promise.all(writing);
  }
  const expected = new Map(writers.flatMap(({ histories }) => [...histories]));
  const total = [...expected.values()].reduce((sum, { length }) => sum + length, 0);
  try {
    const { items } = await client.list(configMaps, { namespace: "default", labelSelector: "part=load" });
    const found = new Map(items.map(({ metadata, data }) => [metadata.name, data?.["round"]]));
    expect(found).toEqual(new Map(writers.flatMap(({ remaining }) => [...remaining])));
    const informedOf = (): number => [...informer.histories.values()].reduce((sum, { length }) => sum + length, 0);
    await eventually(
      () => (watchers.every(({ events }) => events >= total) && informedOf() >= total ? true : undefined),
      "all have heard of all",
      20_000,
    ).catch(() => {});
    for (const watcher of watchers) {
      expect(watcher.disorder).toEqual([]);
      expect(watcher.histories).toEqual(expected);
    }
    expect(informer.histories).toEqual(expected);
  } finally {
    stopWatching.abort();
    await Promise.allSettled([...watching, informer.done]);
    const failed = writers.reduce((sum, writer) => sum + writer.failed, 0);
    const breaks = watchers.map(({ breaks: count }) => count).join("+");
    console.log(
      `${name}: SEED=${seed}, ${acknowledged()} writes acknowledged, ${failed} in doubt, ${total} events, ${breaks} breaks`,
    );
  }
  for (const object of (await client.list(configMaps, { namespace: "default", labelSelector: "part=load" })).items) {
    await client.delete(configMaps, { namespace: "default", name: object.metadata.name });
  }
  await Promise.all(transports.map((transport) => transport[Symbol.asyncDispose]()));
}

describe("under load", () => {
  test("etcd killed with -9 and started again loses nothing", { timeout: 120_000 }, async () => {
    await using api = new ApiServerProcess({ folder, data: "one", name: "one", etcd: etcd.endpoint });
    await api.start();
    await survive(
      "etcd",
      () => connectTo(api.kubeconfig, api.port),
      async (progress) => {
        for (let round = 0; round < 3; round++) {
          await etcd.kill();
          await etcd.start();
          await progress(200);
        }
      },
    );
  });

  test("one of two API servers killed with -9, and then the other, lose nothing", { timeout: 120_000 }, async () => {
    const shared = { folder, data: "two", etcd: etcd.endpoint };
    await using first = new ApiServerProcess({ ...shared, name: "first" });
    await using second = new ApiServerProcess({ ...shared, name: "second" });
    await first.start();
    await second.start();
    await using balancer = await startBalancer([first.port, second.port]);
    await survive(
      "apiservers",
      () => connectTo(first.kubeconfig, balancer.port),
      async (progress) => {
        for (const server of [first, second, first]) {
          await server.kill();
          await progress(200);
          await server.start();
          await progress(100);
        }
      },
    );
  });
});
