import { describe, expect, it } from "vitest";
import { deployments, type New, pods, type ReplicaSet, replicaSets } from "../api/index.js";
import { startControlPlane } from "./control-plane.js";

const replicaSet = (name: string, replicas: number): New<ReplicaSet> => ({
  apiVersion: "apps/v1",
  kind: "ReplicaSet",
  metadata: { name, namespace: "default" },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "main", image: "web:1" }] } },
  },
});

describe("startControlPlane", () => {
  it("keeps a ReplicaSet at its size", async () => {
    await using cp = await startControlPlane({ controllers: ["replicaset"] });
    await cp.client.create(replicaSets, replicaSet("web", 3));
    await cp.settled();
    expect((await cp.client.list(pods, { namespace: "default" })).items).toHaveLength(3);
  });

  it("runs the pods of a Deployment on hollow nodes", async () => {
    await using cp = await startControlPlane({ nodes: 3 });
    const { spec, ...rest } = replicaSet("web", 10);
    await cp.client.create(deployments, { ...rest, kind: "Deployment", spec } as never);
    await cp.settled();
    const deployment = await cp.client.get(deployments, { namespace: "default", name: "web" });
    expect(deployment.status?.readyReplicas).toBe(10);
    const nodes = new Set((await cp.client.list(pods)).items.map((pod) => pod.spec?.nodeName));
    expect(nodes.size).toBe(3);
  });

  it("leaves two control planes in one process alone with their own objects", async () => {
    await using one = await startControlPlane({ controllers: ["replicaset"] });
    await using two = await startControlPlane({ controllers: ["replicaset"] });
    await one.client.create(replicaSets, replicaSet("web", 2));
    await Promise.all([one.settled(), two.settled()]);
    expect((await one.client.list(pods)).items).toHaveLength(2);
    expect((await two.client.list(pods)).items).toHaveLength(0);
  });
});
