import { expect, test } from "vitest";
import { configMaps } from "../../src/api/index.js";
import { createCompactor } from "../../src/apiserver/compactor.js";
import { startControlPlane } from "../../src/cluster/control-plane.js";
import { realClock } from "../../src/internal/clock.js";
import { EtcdStore } from "../../src/store/etcd/index.js";
import { eventually } from "./support/cli-program.js";
import { startEtcd } from "./support/etcd.js";

test("an etcd forgets history while servers and their watches go on", async () => {
  await using etcd = await startEtcd();
  await using store = new EtcdStore({ endpoints: [etcd.endpoint] });
  await using cp = await startControlPlane({ store, controllers: [], scheduler: false });
  const metadata = { name: "a", namespace: "default" };
  const first = await cp.client.create(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata, data: { n: "0" } });
  const stop = new AbortController();
  const seen: string[] = [];
  const watching = (async () => {
    const since = first.metadata.resourceVersion;
    for await (const { type, object } of cp.client.watch(configMaps, { resourceVersion: since, signal: stop.signal })) {
      if (type !== "BOOKMARK") seen.push(object.data?.n ?? "");
    }
  })().catch(() => undefined);
  // Those of two servers: they take turns.
  const options = { store, clock: realClock, intervalMs: 20 };
  const compacting = [createCompactor(options), createCompactor(options)].map((one) =>
    one.run({ signal: stop.signal, ready: () => {} }),
  );
  const written: string[] = [];
  const early = Number(first.metadata.resourceVersion);
  await eventually(async () => {
    const n = String(written.length + 1);
    await cp.client.patch(configMaps, metadata, { type: "merge", body: { data: { n } } });
    written.push(n);
    const old = await store.range("/registry/configmaps/", { revision: early }).catch((error: unknown) => error);
    return old instanceof Error && written.length > 50 ? true : undefined;
  }, "what was first is forgotten");
  await expect(store.range("/registry/configmaps/", { revision: early })).rejects.toMatchObject({ code: "compacted" });
  await eventually(() => (seen.length >= written.length ? true : undefined), "all of it was watched");
  expect(seen).toEqual(written);
  expect((await cp.client.get(configMaps, metadata)).data).toEqual({ n: written.at(-1) });
  stop.abort();
  await Promise.all([watching, ...compacting]);
});
