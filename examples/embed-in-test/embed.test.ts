// readme:begin
import { startControlPlane } from "coxswain";
import { pods, replicaSets } from "coxswain/api";
import { expect, test } from "vitest";

test("a ReplicaSet makes its pods", async () => {
  await using cp = await startControlPlane({ controllers: ["replicaset"] });
  const labels = { app: "web" };
  const template = { metadata: { labels }, spec: { containers: [{ name: "web", image: "web:1" }] } };
  const metadata = { name: "web", namespace: "default" };
  const spec = { replicas: 3, selector: { matchLabels: labels }, template };
  await cp.client.create(replicaSets, { apiVersion: "apps/v1", kind: "ReplicaSet", metadata, spec });
  await cp.settled();
  expect((await cp.client.list(pods)).items).toHaveLength(3);
});
// readme:end
