import { type Client, startControlPlane } from "coxswain";
import { configMaps, customResourceDefinitions, defineResource, type KubeObject, namespaces } from "coxswain/api";
import { describeOwnResource } from "coxswain/testing";
import { expect, test } from "vitest";
import { start as startCrdOnly } from "./crd-only.js";
import { noteApi } from "./notes.js";
import { sensors, start as startReadings } from "./readings.js";
import { start as startSettings } from "./settings.js";

test("computed objects are listed, got and selected, and no more", async () => {
  await using cp = await startReadings();
  const { items } = await cp.client.list(sensors.resource);
  expect(items.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
    "Reading load-1",
    "Reading load-5",
    "Reading load-15",
  ]);
  expect(await cp.client.get(sensors.resource, { name: "load-5" })).toMatchObject({ minutes: 5 });
  const selected = await cp.client.list(sensors.resource, { fieldSelector: "metadata.name=load-1" });
  expect(selected.items).toHaveLength(1);
  await expect(cp.client.get(sensors.resource, { name: "load-2" })).rejects.toMatchObject({
    message: 'readings.sensors.example.com "load-2" not found',
  });
  await expect(cp.client.delete(sensors.resource, { name: "load-1" })).rejects.toMatchObject({ code: 405 });
});

describeOwnResource({
  name: "notes",
  setup: () => ({
    own: noteApi(),
    make: (metadata) => ({ apiVersion: "notes.example.com/v1", kind: "Note", metadata, text: "hello" }),
  }),
});

const note = (name: string, text: string): KubeObject =>
  ({ apiVersion: "notes.example.com/v1", kind: "Note", metadata: { name, namespace: "default" }, text }) as never;

test("objects of a storage of one's own go with their owners, and with their namespace", async () => {
  const api = noteApi();
  await using cp = await startControlPlane({ controllers: ["garbagecollector", "namespace"], ownResources: [api] });
  const { client } = cp;
  const metadata = { name: "owner", namespace: "default" };
  const owner = await client.create(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata });
  const { name, uid } = owner.metadata;
  const owned = note("owned", "x");
  const ownerReferences = [{ apiVersion: "v1", kind: "ConfigMap", name, uid }];
  await client.create(api.resource, { ...owned, metadata: { ...owned.metadata, ownerReferences } } as never);
  await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } });
  const inTeam = note("in-team", "x");
  await client.create(api.resource, { ...inTeam, metadata: { ...inTeam.metadata, namespace: "team" } } as never);
  await client.create(api.resource, note("other", "x"));
  await client.delete(configMaps, metadata);
  await client.delete(namespaces, { name: "team" });
  const left = async () => (await client.list(api.resource)).items.map((one) => one.metadata.name);
  await expect.poll(left, { timeout: 10_000 }).toEqual(["other"]);
  await expect
    .poll(async () => (await client.list(namespaces)).items.map((one) => one.metadata.name))
    .not.toContain("team");
});

test("objects of a storage of one's own are validated, defaulted, patched, applied and watched", async () => {
  const api = noteApi();
  await using cp = await startControlPlane({ controllers: [], ownResources: [api] });
  const { client } = cp;
  const seen: string[] = [];
  const stop = new AbortController();
  const watching = collect(client, api.resource, seen, stop.signal);
  const made = await client.create(api.resource, note("a", "first"));
  expect(made).toMatchObject({ done: false, metadata: { generation: 1, resourceVersion: "1" } });
  expect(made.metadata.uid).not.toBe("");
  await expect(client.create(api.resource, note("a", "again"))).rejects.toMatchObject({ reason: "AlreadyExists" });
  await expect(client.create(api.resource, note("b", "x".repeat(81)))).rejects.toMatchObject({ reason: "Invalid" });
  const key = { namespace: "default", name: "a" };
  await client.patch(api.resource, key, { type: "merge", body: { done: true } });
  await expect(client.update(api.resource, { ...made })).rejects.toMatchObject({ reason: "Conflict" });
  await client.apply(api.resource, note("c", "applied"), { fieldManager: "test" });
  await client.delete(api.resource, key);
  const { items } = await client.list(api.resource);
  expect(items.map(({ metadata }) => metadata.name)).toEqual(["c"]);
  await expect.poll(() => seen).toEqual(["ADDED a", "MODIFIED a", "ADDED c", "DELETED a"]);
  stop.abort();
  await watching;
});

async function collect(
  client: Client,
  resource: ReturnType<typeof noteApi>["resource"],
  seen: string[],
  signal: AbortSignal,
): Promise<void> {
  for await (const { type, object } of client.watch(resource, { signal })) seen.push(`${type} ${object.metadata.name}`);
}

test("ConfigMaps can be those of another system", async () => {
  const settings = new Map([["color", "blue"]]);
  await using cp = await startSettings(settings);
  const read = async (): Promise<unknown> =>
    (await cp.client.get(configMaps, { namespace: "default", name: "color" })).data;
  expect(await read()).toEqual({ value: "blue" });
  settings.set("color", "red");
  expect(await read()).toEqual({ value: "red" });
  await expect(
    cp.client.create(configMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "x", namespace: "default" },
    }),
  ).rejects.toMatchObject({ code: 405 });
});

test("a server of nothing but custom resources", async () => {
  const boats = defineResource({
    group: "harbour.example.com",
    version: "v1",
    kind: "Boat",
    schema: { type: "object", properties: { length: { type: "integer", minimum: 1 } } },
  });
  await using cp = await startCrdOnly();
  expect(cp.server.table.all().map(({ resource }) => resource)).toEqual(["namespaces", "customresourcedefinitions"]);
  await cp.client.create(customResourceDefinitions, boats.definition);
  await cp.settled();
  const boat = {
    apiVersion: "harbour.example.com/v1",
    kind: "Boat",
    metadata: { name: "a", namespace: "default" },
  } as const;
  await cp.client.create(boats, { ...boat, length: 7 });
  await expect(cp.client.create(boats, { ...boat, length: 0 })).rejects.toMatchObject({ reason: "Invalid" });
  expect((await cp.client.list(boats)).items).toMatchObject([{ length: 7 }]);
});
