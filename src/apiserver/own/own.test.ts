import { describe, expect, it } from "vitest";
import { configMaps, defineResource, type KubeObject, statusErrors } from "../../api/index.js";
import { createClient } from "../../client/index.js";
import { AsyncQueue } from "../../internal/async-queue.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { MemoryStore } from "../../store/index.js";
import { ApiServer } from "../server.js";
import { ownResource } from "./own-resource.js";
import type { ResourceStorage, StorageEvent, StorageWatch } from "./resource-storage.js";

const boats = defineResource({
  group: "harbour.example.com",
  version: "v1",
  kind: "Boat",
  schema: {
    type: "object",
    properties: { length: { type: "integer", minimum: 1 }, colour: { type: "string", default: "white" } },
  },
  selectableFields: [".colour"],
});
type Boat = KubeObject & { readonly length?: number; readonly colour?: string };

const boat = (name: string, more: object = {}): Boat =>
  ({ apiVersion: "harbour.example.com/v1", kind: "Boat", metadata: { name, namespace: "sea" }, ...more }) as never;

interface Harbour {
  readonly client: ReturnType<typeof createClient>;
  readonly clock: VirtualClock;
  readonly server: ApiServer;
  readonly calls: string[];
}

/** A server with boats, which tells what it asks of their storage. */
function harbour(storage: ResourceStorage<Boat>): Harbour {
  const clock = new VirtualClock();
  const calls: string[] = [];
  const told = Object.fromEntries(
    Object.entries(storage).map(([name, call]) => [
      name,
      (...args: unknown[]) => {
        calls.push(name);
        return (call as (...args: unknown[]) => unknown)(...args);
      },
    ]),
  );
  const server = new ApiServer({
    store: new MemoryStore(),
    clock,
    resources: [],
    ownResources: [ownResource(boats as never, told)],
  });
  return { client: createClient(server.transport()), clock, server, calls };
}

const key = { namespace: "sea", name: "a" };

describe("a resource with a storage of its own", () => {
  it.each([
    { name: "list", storage: { list: () => [] }, verbs: ["get", "list"] },
    { name: "get", storage: { get: (): undefined => undefined }, verbs: ["get"] },
    { name: "create", storage: { create: (object: Boat) => object }, verbs: ["create"] },
    {
      name: "get and update",
      storage: { get: (): undefined => undefined, update: (object: Boat) => object },
      verbs: ["get", "patch", "update"],
    },
    {
      name: "list and delete",
      storage: { list: () => [], delete: () => {} },
      verbs: ["delete", "deletecollection", "get", "list"],
    },
  ])("has by $name the verbs $verbs", ({ storage, verbs }) => {
    const { server } = harbour(storage);
    expect(server.lookup("harbour.example.com", "v1", "boats")?.verbs).toEqual(verbs);
  });

  it("is shown whole, with defaults, whatever the storage leaves out", async () => {
    const { client } = harbour({ list: () => [{ metadata: { name: "a", namespace: "sea" }, length: 3 }] });
    const whole = { apiVersion: "harbour.example.com/v1", kind: "Boat", length: 3, colour: "white" };
    expect(await client.get(boats, key)).toMatchObject(whole);
    expect((await client.list(boats)).items).toMatchObject([whole]);
  });

  it("is selected by the server, by namespace, labels and fields", async () => {
    const objects = [
      boat("a", { metadata: { name: "a", namespace: "sea", labels: { fast: "yes" } } }),
      boat("b", { colour: "red" }),
      boat("c", { metadata: { name: "c", namespace: "lake" } }),
    ];
    const { client } = harbour({ list: () => objects });
    const names = async (options: object): Promise<unknown> =>
      (await client.list(boats, options)).items.map(({ metadata }) => metadata.name);
    expect(await names({ namespace: "sea" })).toEqual(["a", "b"]);
    expect(await names({ labelSelector: "fast=yes" })).toEqual(["a"]);
    expect(await names({ fieldSelector: "colour=red" })).toEqual(["b"]);
    expect(await names({ fieldSelector: "metadata.name=c" })).toEqual(["c"]);
    await expect(names({ fieldSelector: "spec.x=1" })).rejects.toMatchObject({ reason: "BadRequest" });
  });

  it("does not bother the storage with what is not valid, or only tried", async () => {
    const { client, calls } = harbour({
      get: ({ name }) => (name === "a" ? boat("a") : undefined),
      create: (object) => object,
      update: (object) => object,
    });
    await expect(client.create(boats, boat("a", { length: 0 }) as never)).rejects.toMatchObject({ reason: "Invalid" });
    expect(calls).toEqual([]);
    await client.create(boats, boat("b") as never, { dryRun: ["All"] });
    await client.patch(boats, key, { type: "merge", body: { length: 4 } }, { dryRun: ["All"] });
    expect(calls).toEqual(["get", "get"]);
  });

  it("stays while a finalizer holds it", async () => {
    let kept: Boat | undefined = boat("a", { metadata: { ...boat("a").metadata, finalizers: ["x.example.com/y"] } });
    const { client, calls } = harbour({
      get: (): Boat | undefined => kept,
      update(object) {
        kept = object;
        return object;
      },
      delete() {
        kept = undefined;
      },
    });
    await client.delete(boats, key);
    expect(kept?.metadata.deletionTimestamp).toBeDefined();
    await client.patch(boats, key, { type: "merge", body: { metadata: { finalizers: null } } });
    expect(kept).toBeUndefined();
    expect(calls).toEqual(["get", "update", "get", "delete"]);
  });

  it("answers what the storage throws", async () => {
    const { client } = harbour({
      create: () => {
        throw statusErrors.alreadyExists(boats, "a");
      },
    });
    await expect(client.create(boats, boat("a") as never)).rejects.toMatchObject({ reason: "AlreadyExists" });
  });

  it.each([
    { name: "a patch is made again on what is there then", body: { length: 5 }, lengths: [5], error: undefined },
    {
      name: "a write of somebody who named what it was is refused",
      body: { length: 5, metadata: { resourceVersion: "1" } },
      lengths: [],
      error: "Conflict",
    },
  ])("where somebody else wrote first $name", async ({ body, lengths, error }) => {
    let version = 1;
    const written: unknown[] = [];
    const { client } = harbour({
      get: () => ({ metadata: { name: "a", namespace: "sea", resourceVersion: String(version) } }),
      update(object) {
        if (version++ < 3) throw statusErrors.conflict(boats, "a", "it changed");
        written.push(object.length);
        return object;
      },
    });
    const patch = client.patch(boats, key, { type: "merge", body }).then(
      () => undefined,
      (failure) => failure.reason,
    );
    expect(await patch).toBe(error);
    expect(written).toEqual(lengths);
  });

  it("can be one that the server has anyway", async () => {
    const { builtinDescriptions } = await import("../../api/index.js");
    const list = () => [{ metadata: { name: "a", namespace: "sea" }, data: { x: "1" } }];
    const server = new ApiServer({
      store: new MemoryStore(),
      resources: builtinDescriptions(),
      ownResources: [ownResource(configMaps, { list })],
    });
    const client = createClient(server.transport());
    expect(await client.get(configMaps, key)).toMatchObject({ kind: "ConfigMap", data: { x: "1" } });
    expect(server.lookup("", "v1", "configmaps")?.verbs).toEqual(["get", "list"]);
  });
});

describe("watching one", () => {
  interface Watched {
    readonly seen: string[];
    readonly asked: StorageWatch[];
    readonly changes: AsyncQueue<StorageEvent<Boat>>;
    readonly ended: Promise<void>;
    readonly clock: VirtualClock;
    stop(): void;
  }

  function watch(options: object, there: readonly Boat[] = [boat("old")]): Watched {
    const changes = new AsyncQueue<StorageEvent<Boat>>(100);
    const asked: StorageWatch[] = [];
    const { client, clock } = harbour({
      list: () => ({ items: there, metadata: { resourceVersion: "7" } }),
      watch(scope) {
        asked.push(scope);
        return changes;
      },
    });
    const seen: string[] = [];
    const stop = new AbortController();
    const follow = async (): Promise<void> => {
      for await (const { type, object } of client.watch(boats, { ...options, signal: stop.signal })) {
        seen.push(`${type} ${object.metadata.name ?? object.metadata.resourceVersion}`);
      }
    };
    return { seen, asked, changes, ended: follow(), clock, stop: () => stop.abort() };
  }

  it("begins with what there is, and goes on with the changes", async () => {
    const watched = watch({});
    await expect.poll(() => watched.seen).toEqual(["ADDED old"]);
    watched.changes.push({ type: "MODIFIED", object: boat("old") });
    watched.changes.push({ type: "DELETED", object: boat("old") });
    await expect.poll(() => watched.seen).toEqual(["ADDED old", "MODIFIED old", "DELETED old"]);
    watched.stop();
    await watched.ended;
  });

  it("goes on from a list that the client has", async () => {
    const watched = watch({ resourceVersion: "5" });
    watched.changes.push({ type: "ADDED", object: boat("new") });
    await expect.poll(() => watched.seen).toEqual(["ADDED new"]);
    expect(watched.asked).toEqual([{ namespace: undefined, resourceVersion: "5" }]);
    watched.stop();
    await watched.ended;
  });

  it("marks the end of what there was for a client that asks", async () => {
    const watched = watch({
      sendInitialEvents: true,
      resourceVersionMatch: "NotOlderThan",
      allowWatchBookmarks: true,
    });
    await expect.poll(() => watched.seen).toEqual(["ADDED old", "BOOKMARK 7"]);
    watched.stop();
    await watched.ended;
  });

  it("shows what begins and ceases to match as added and deleted", async () => {
    const watched = watch({ fieldSelector: "colour=red" });
    watched.changes.push({ type: "MODIFIED", object: boat("old", { colour: "red" }) });
    watched.changes.push({ type: "MODIFIED", object: boat("old", { colour: "red", length: 2 }) });
    watched.changes.push({ type: "MODIFIED", object: boat("old") });
    watched.changes.push({ type: "DELETED", object: boat("old") });
    watched.changes.push({ type: "ADDED", object: boat("new", { colour: "red" }) });
    await expect.poll(() => watched.seen).toEqual(["ADDED old", "MODIFIED old", "DELETED old", "ADDED new"]);
    watched.stop();
    await watched.ended;
  });

  it("ends when its time is over, though nothing happens", async () => {
    const watched = watch({ timeoutSeconds: 5 });
    await expect.poll(() => watched.seen).toEqual(["ADDED old"]);
    await watched.clock.advance(5_000);
    await watched.ended;
  });

  it("ends with the error of the storage", async () => {
    const watched = watch({});
    const ended = expect(watched.ended).rejects.toMatchObject({ reason: "Expired" });
    watched.changes.end(statusErrors.expired("too old"));
    await ended;
  });
});
