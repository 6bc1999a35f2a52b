import { expect, test } from "vitest";
import { type ConfigMap, configMaps, statusErrors } from "../api/index.js";
import { seededRandom } from "../internal/random.js";
import { VirtualClock } from "../internal/virtual-clock.js";
import { FakeApi } from "../testing/fake-api.js";
import { createClient } from "./client.js";
import { createInformer } from "./informer.js";
import { InformerFactory } from "./informer-factory.js";

function setup() {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const api = new FakeApi({ clock, random });
  const client = createClient(api);
  const stop = new AbortController();
  const create = (name: string, data: Record<string, string> = {}, namespace = "default") =>
    client.create(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace }, data });
  const informer = createInformer({
    client,
    resource: configMaps,
    clock,
    random,
    indexers: { color: (object: ConfigMap) => (object.data?.color ? [object.data.color] : []) },
  });
  const log: string[] = [];
  informer.addHandler({
    add: (object, initial) => log.push(`add ${object.metadata.name}${initial ? " initially" : ""}`),
    update: (_, object) => log.push(`update ${object.metadata.name}`),
    delete: (object) => log.push(`delete ${object.metadata.name}`),
  });
  return { clock, random, api, client, stop, create, informer, log };
}

test("an informer follows adds, updates and deletes, and keeps its indexes", async () => {
  const { clock, client, stop, create, informer, log } = setup();
  const first = await create("a", { color: "red" });
  const running = informer.run(stop.signal);
  await informer.whenSynced();
  expect(informer.get("default/a")).toBe(first);
  await create("b", { color: "red" });
  await client.update(configMaps, { ...first, data: { color: "blue" } });
  await clock.advance(0);
  expect([...informer.byIndex("color", "red")].map((o) => o.metadata.name)).toEqual(["b"]);
  expect([...informer.byIndex("color", "blue")].map((o) => o.metadata.name)).toEqual(["a"]);
  await client.delete(configMaps, { namespace: "default", name: "b" });
  await clock.advance(0);
  expect(log).toEqual(["add a initially", "add b", "update a", "delete b"]);
  expect([...informer.indexValues("color")]).toEqual(["blue"]);
  stop.abort();
  await running;
});

test("a broken watch goes on where it ended, without a list", async () => {
  const { clock, api, stop, create, informer, log } = setup();
  void informer.run(stop.signal);
  await informer.whenSynced();
  await clock.advance(5000);
  api.breakWatches(statusErrors.serviceUnavailable("gone"));
  await clock.advance(0);
  await create("while-away");
  await clock.advance(60_000);
  expect(log).toEqual(["add while-away"]);
  expect(api.requests.filter(({ verb }) => verb === "list")).toHaveLength(1);
  stop.abort();
});

test("history that was lost is made up for by a list: what vanished is deleted, what was replaced is two objects", async () => {
  const { clock, api, client, stop, create, informer, log } = setup();
  await create("stays");
  await create("goes");
  await create("replaced");
  void informer.run(stop.signal);
  await informer.whenSynced();
  await clock.advance(1);
  api.breakWatches(statusErrors.serviceUnavailable("gone"));
  await client.delete(configMaps, { namespace: "default", name: "goes" });
  await client.delete(configMaps, { namespace: "default", name: "replaced" });
  await create("replaced");
  api.compact();
  log.length = 0;
  await clock.advance(60_000);
  expect(log.sort()).toEqual(["add replaced", "delete goes", "delete replaced"]);
  expect(informer.size).toBe(2);
  stop.abort();
});

test("a server that is not there is asked again, ever more slowly", async () => {
  const { clock, api, stop, create, informer } = setup();
  await create("a");
  api.intercept = () => {
    throw statusErrors.serviceUnavailable("no");
  };
  void informer.run(stop.signal);
  await clock.advance(300_000);
  expect(informer.synced).toBe(false);
  expect(api.requests.length).toBeLessThan(30);
  api.intercept = undefined;
  await clock.advance(60_000);
  expect(informer.synced).toBe(true);
  stop.abort();
});

test("a kind that is not served is empty until it is", async () => {
  const { clock, api, stop, create, informer } = setup();
  await create("a");
  api.intercept = () => {
    throw statusErrors.pathNotFound();
  };
  void informer.run(stop.signal);
  await informer.whenSynced();
  expect(informer.size).toBe(0);
  api.intercept = undefined;
  await clock.advance(60_000);
  expect(informer.size).toBe(1);
  stop.abort();
});

test("a handler that is added late sees what is there, and one that throws harms nobody", async () => {
  const { clock, stop, create, informer, log } = setup();
  informer.addHandler({
    add: () => {
      throw new Error("broken on purpose");
    },
  });
  await create("a");
  void informer.run(stop.signal);
  await informer.whenSynced();
  const late: string[] = [];
  const registration = informer.addHandler({ add: (object) => late.push(object.metadata.name) });
  await create("b");
  await clock.advance(0);
  registration.remove();
  await create("c");
  await clock.advance(0);
  expect(late).toEqual(["a", "b"]);
  expect(log).toEqual(["add a initially", "add b", "add c"]);
  stop.abort();
});

test("a factory shares informers by resource and selector, and starts late ones", async () => {
  const { clock, client, create } = setup();
  await create("a", {}, "one");
  await create("b", {}, "two");
  await using factory = new InformerFactory({ client, clock });
  factory.start();
  const all = factory.informer(configMaps);
  expect(factory.informer(configMaps)).toBe(all);
  const one = factory.informer(configMaps, { namespace: "one" });
  await factory.whenSynced();
  expect([all.size, one.size, [...all.list("two")].length]).toEqual([2, 1, 1]);
});
