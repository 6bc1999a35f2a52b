import { startControlPlane } from "coxswain";
import { deployments } from "coxswain/api";
import { describeStore, makeDeployment } from "coxswain/testing";
import { expect, test } from "vitest";
import { createMapStore } from "./map-store.js";

describeStore({ name: "A stranger's store", setup: () => ({ store: createMapStore() }) });

test("it carries a cluster", async () => {
  await using store = createMapStore();
  await using cp = await startControlPlane({ store, nodes: 2 });
  await cp.client.create(deployments, makeDeployment("web", { replicas: 5 }));
  await cp.settled();
  const { status } = await cp.client.get(deployments, { namespace: "default", name: "web" });
  expect(status?.readyReplicas).toBe(5);
});
