import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, startCluster, startControlPlane, waitFor } from "coxswain";
import { type ConfigMap, configMaps, type New, namespaces } from "coxswain/api";
import { writeKubeconfig } from "coxswain/client";
import { MemoryStore } from "coxswain/store";
import { expect, test } from "vitest";
import { configMapCopier, copyTo } from "./configmap-copier.js";
import { run } from "./main.js";

const source = (targets: string, text: string): New<ConfigMap> => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "settings", namespace: "default", annotations: { [copyTo]: targets } },
  data: { text },
});

async function makeNamespaces(client: Client, ...names: string[]): Promise<void> {
  for (const name of names)
    await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
}

async function copies(client: Client): Promise<string[]> {
  const { items } = await client.list(configMaps, { fieldSelector: "metadata.name=settings" });
  return items.map(({ metadata, data }) => `${metadata.namespace}: ${data?.text}`).sort();
}

test("copies follow their source", async () => {
  await using cp = await startControlPlane({ controllers: [], custom: [configMapCopier] });
  await makeNamespaces(cp.client, "a", "b", "c");
  const made = await cp.client.create(configMaps, source("a, b", "one"));
  await cp.settled();
  expect(await copies(cp.client)).toEqual(["a: one", "b: one", "default: one"]);

  await cp.client.update(configMaps, {
    ...made,
    ...source("b, c", "two"),
    metadata: { ...made.metadata, annotations: { [copyTo]: "b, c" } },
  });
  await cp.settled();
  expect(await copies(cp.client)).toEqual(["b: two", "c: two", "default: two"]);

  await cp.client.delete(configMaps, { namespace: "b", name: "settings" });
  await cp.client.patch(
    configMaps,
    { namespace: "c", name: "settings" },
    { type: "merge", body: { data: { text: "mine" } } },
  );
  await cp.settled();
  expect(await copies(cp.client)).toEqual(["b: two", "c: two", "default: two"]);

  await cp.client.delete(configMaps, { namespace: "default", name: "settings" });
  await cp.settled();
  expect(await copies(cp.client)).toEqual([]);
});

test("a process of its own does the same with a kubeconfig", async () => {
  const folder = await mkdtemp(join(tmpdir(), "copier-"));
  await using store = new MemoryStore();
  await using cluster = await startCluster({ store, controllers: [], scheduler: false });
  const stop = new AbortController();
  try {
    await writeKubeconfig(join(folder, "kubeconfig"), await cluster.kubeconfig());
    const running = run(join(folder, "kubeconfig"), "copier-1", stop.signal);
    await makeNamespaces(cluster.client, "a");
    await cluster.client.create(configMaps, source("a", "one"));
    await waitFor(
      cluster.client,
      configMaps,
      { namespace: "a", name: "settings" },
      (copy) => copy?.data?.text === "one",
    );
    stop.abort();
    await running;
  } finally {
    stop.abort();
    await rm(folder, { recursive: true, force: true });
  }
});
