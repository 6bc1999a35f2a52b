import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { builtinDescriptions } from "../api/describe/index.js";
import { configMaps, isStatusError, type Pod, pods, type WatchEvent } from "../api/index.js";
import { builtinStrategies } from "../api/kinds/index.js";
import { type Client, createClient } from "../client/index.js";
import { MemoryStore } from "../store/index.js";
import { ApiServer } from "./server.js";

let stop: AbortController;
let client: Client;
let running: Promise<void>;

beforeEach(async () => {
  stop = new AbortController();
  const server = new ApiServer({ store: new MemoryStore(), resources: builtinDescriptions(builtinStrategies) });
  await new Promise<void>((ready) => {
    running = server.component.run({ signal: stop.signal, ready });
  });
  client = createClient(server.transport());
});

afterEach(async () => {
  stop.abort();
  await running;
});

const config = (name: string, data: Record<string, string> = {}) => ({
  apiVersion: "v1" as const,
  kind: "ConfigMap" as const,
  metadata: { name, namespace: "default" },
  data,
});

const pod = (name: string) => ({
  apiVersion: "v1" as const,
  kind: "Pod" as const,
  metadata: { name, namespace: "default" },
  spec: { containers: [{ name: "main", image: "web:1" }] },
});

describe("ApiServer", () => {
  it("creates an object with the metadata that the server owns, and reads back the same", async () => {
    const created = await client.create(configMaps, config("one", { a: "1" }));
    expect(created.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(Number(created.metadata.resourceVersion)).toBeGreaterThan(0);
    const read = await client.get(configMaps, { namespace: "default", name: "one" });
    expect(read).toEqual(created);
    expect(read).toBe(created);
  });

  it("refuses a second object of the same name, an unknown one and a stale update", async () => {
    const created = await client.create(configMaps, config("one"));
    await expect(client.create(configMaps, config("one"))).rejects.toThrow('configmaps "one" already exists');
    await expect(client.get(configMaps, { namespace: "default", name: "two" })).rejects.toThrow(
      'configmaps "two" not found',
    );
    await client.update(configMaps, { ...created, data: { a: "2" } });
    const stale = client.update(configMaps, { ...created, data: { a: "3" } });
    await expect(stale).rejects.toSatisfy((error) => isStatusError(error, "Conflict"));
  });

  it("writes nothing when an update changes nothing", async () => {
    const created = await client.create(configMaps, config("one", { a: "1" }));
    const same = await client.update(configMaps, created);
    expect(same.metadata.resourceVersion).toBe(created.metadata.resourceVersion);
  });

  it("lists in pages of one revision and goes on after changes", async () => {
    for (const name of ["a", "b", "c", "d"]) await client.create(configMaps, config(name));
    const first = await client.list(configMaps, { namespace: "default", limit: 2 });
    expect(first.items.map(({ metadata }) => metadata.name)).toEqual(["a", "b"]);
    expect(first.metadata.remainingItemCount).toBe(2);
    await client.create(configMaps, config("bb"));
    const rest = await client.list(configMaps, { namespace: "default", limit: 5, continue: first.metadata.continue });
    expect(rest.items.map(({ metadata }) => metadata.name)).toEqual(["c", "d"]);
    expect(rest.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
  });

  it("watches from a revision and sees each change once, also what leaves the selector", async () => {
    const list = await client.list(configMaps, { namespace: "default" });
    const abort = new AbortController();
    const events: WatchEvent[] = [];
    const watching = (async () => {
      const { resourceVersion } = list.metadata;
      for await (const event of client.watch(configMaps, {
        namespace: "default",
        labelSelector: "on=yes",
        resourceVersion,
        signal: abort.signal,
      })) {
        events.push(event);
        if (events.length === 3) abort.abort();
      }
    })();
    const created = await client.create(configMaps, {
      ...config("one"),
      metadata: { name: "one", namespace: "default", labels: { on: "yes" } },
    });
    const off = await client.update(configMaps, {
      ...created,
      metadata: { ...created.metadata, labels: { on: "no" } },
    });
    await client.update(configMaps, { ...off, metadata: { ...off.metadata, labels: { on: "yes" } } });
    await watching;
    expect(events.map(({ type }) => type)).toEqual(["ADDED", "DELETED", "ADDED"]);
    expect(events[1]?.object.metadata.resourceVersion).toBe(off.metadata.resourceVersion);
  });

  it("keeps status apart from spec and counts generations", async () => {
    const created = await client.create(pods, pod("web"));
    const key = { namespace: "default", name: "web" };
    const ready: Pod = { ...created, status: { phase: "Running" } };
    const untouched = await client.update(pods, { ...ready, metadata: { ...ready.metadata, labels: { a: "b" } } });
    expect(untouched.status?.phase).toBe("Pending");
    const { resourceVersion: _, ...metadata } = ready.metadata;
    await client.update(pods, { ...ready, metadata: metadata as Pod["metadata"] }, { subresource: "status" });
    expect((await client.get(pods, key)).status?.phase).toBe("Running");
  });

  it("applies server-side: creates, merges, names who conflicts, takes over by force", async () => {
    const wanted = (data: Record<string, string>) => ({ ...config("one"), data });
    const created = await client.apply(configMaps, wanted({ a: "1" }), { fieldManager: "alice" });
    expect(created.metadata.managedFields?.map(({ manager, operation }) => `${manager} ${operation}`)).toEqual([
      "alice Apply",
    ]);
    await client.apply(configMaps, wanted({ b: "2" }), { fieldManager: "bob" });
    const conflict = client.apply(configMaps, wanted({ a: "3" }), { fieldManager: "bob" });
    await expect(conflict).rejects.toThrow('conflict with "alice": .data.a');
    await client.apply(configMaps, wanted({ a: "3" }), { fieldManager: "bob", force: true });
    const merged = await client.get(configMaps, { namespace: "default", name: "one" });
    expect(merged.data).toEqual({ a: "3" });
    const again = await client.apply(configMaps, wanted({ a: "3" }), { fieldManager: "bob" });
    expect(again.metadata.resourceVersion).toBe(merged.metadata.resourceVersion);
  });

  it("binds a pod once", async () => {
    await client.create(pods, pod("web"));
    const key = { namespace: "default", name: "web" };
    const binding = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name: "web" },
      target: { kind: "Node", name: "n1" },
    };
    await client.createSubresource(pods, key, "binding", binding);
    expect((await client.get(pods, key)).spec?.nodeName).toBe("n1");
    await expect(client.createSubresource(pods, key, "binding", binding)).rejects.toThrow("already assigned to node");
    const onNode = await client.list(pods, { fieldSelector: "spec.nodeName=n1" });
    expect(onNode.items.map(({ metadata }) => metadata.name)).toEqual(["web"]);
  });

  it("deletes, gracefully where there is something to wait for, and after the last finalizer", async () => {
    await client.create(pods, pod("web"));
    const gone = await client.delete(pods, { namespace: "default", name: "web" });
    expect(gone.kind).toBe("Pod");
    await expect(client.get(pods, { namespace: "default", name: "web" })).rejects.toThrow("not found");
    const held = await client.create(configMaps, {
      ...config("held"),
      metadata: { name: "held", namespace: "default", finalizers: ["example.com/hold"] },
    });
    await client.delete(configMaps, { namespace: "default", name: "held" });
    const marked = await client.get(configMaps, { namespace: "default", name: "held" });
    expect(marked.metadata.deletionTimestamp).toBeDefined();
    await client.update(configMaps, { ...marked, metadata: { ...marked.metadata, finalizers: [] } });
    await expect(client.get(configMaps, { namespace: "default", name: "held" })).rejects.toThrow("not found");
    expect(held.metadata.finalizers).toEqual(["example.com/hold"]);
  });
});
