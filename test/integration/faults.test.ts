import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "coxswain";
import { configMaps } from "coxswain/api";
import { accessFrom, type Client, createClient, HttpTransport, loadKubeconfig } from "coxswain/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCli } from "./support/cli.js";
import { eventually, type Program } from "./support/cli-program.js";
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

/** An API server of its own process. Those of one cluster have their keys from one folder. */
class ApiServerProcess implements AsyncDisposable {
  readonly kubeconfig: string;
  port = 0;
  #program: Program | undefined;
  readonly #data: string;

  constructor(data: string, name: string) {
    this.#data = data;
    this.kubeconfig = join(folder, `${name}.kubeconfig`);
  }

  async start(): Promise<void> {
    const { kubeconfig, port } = this;
    const store = ["--store", "etcd", "--etcd", etcd.endpoint, "--data", this.#data];
    this.#program = startCli(["apiserver", ...store, "--port", String(port), "--kubeconfig", kubeconfig]);
    await this.#program.until(/apiserver ready in/);
    this.port = Number(/server: "?https:\/\/127\.0\.0\.1:(\d+)/.exec(await readFile(kubeconfig, "utf8"))?.[1]);
  }

  async kill(): Promise<void> {
    await this.#program?.[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

/** Connections of its own, as another process has. */
async function connectTo(kubeconfig: string, port: number): Promise<HttpTransport> {
  const { options } = await accessFrom(await loadKubeconfig([kubeconfig]));
  return new HttpTransport({ ...options, server: `https://127.0.0.1:${port}` });
}

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
    await using api = new ApiServerProcess(join(folder, "one"), "one");
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
    const data = join(folder, "two");
    await using first = new ApiServerProcess(data, "first");
    await using second = new ApiServerProcess(data, "second");
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
