import { expect, test } from "vitest";
import { type New, pods, type ReplicaSet, replicaSets, statusErrors } from "../../api/index.js";
import { makePod } from "../../testing/builders.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { podsToDelete } from "../shared/rank-pods.js";
import { replicaSetController } from "./replicaset.js";

const labels = { app: "web" };

function makeReplicaSet(name: string, replicas: number, spec: object = {}): New<ReplicaSet> {
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name, namespace: "default" },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: "c", image: "i" }] } },
      ...spec,
    },
  };
}

async function begin(): Promise<Scenario> {
  const scenario = new Scenario({ controllers: [replicaSetController] });
  await scenario.start();
  return scenario;
}

test("creates its pods in batches of 1, 2, 4 and so on, names them, and counts them", async () => {
  const scenario = await begin();
  await scenario.create(replicaSets, makeReplicaSet("web", 10));
  await scenario.settle();
  const all = await scenario.list(pods);
  expect(all).toHaveLength(10);
  expect(all[0]?.metadata).toMatchObject({
    generateName: "web-",
    labels,
    ownerReferences: [
      { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", controller: true, blockOwnerDeletion: true },
    ],
  });
  expect((await scenario.get(replicaSets, "web"))?.status).toEqual({
    replicas: 10,
    fullyLabeledReplicas: 10,
    readyReplicas: 10,
    availableReplicas: 10,
    terminatingReplicas: 0,
    observedGeneration: 1,
  });
  expect((await scenario.eventsOf("web"))[0]).toBe(`SuccessfulCreate: Created pod: ${all[0]?.metadata.name}`);
  expect(scenario.problems).toEqual([]);
});

test("mends drift, follows its size down, and goes on after a restart at any write", async () => {
  for (let at = 1; at <= 12; at++) {
    const scenario = await begin();
    let writes = 0;
    scenario.api.intercept = ({ verb, resource }) => {
      if (resource === "pods" && (verb === "create" || verb === "delete") && ++writes === at) void scenario.stop();
    };
    await scenario.create(replicaSets, makeReplicaSet("web", 7));
    await scenario.settle();
    await scenario.restart();
    expect(await scenario.list(pods)).toHaveLength(7);
    await scenario.delete(pods, (await scenario.list(pods))[0]?.metadata.name ?? "");
    await scenario.settle();
    await scenario.restart();
    expect(await scenario.list(pods)).toHaveLength(7);
    await scenario.change(replicaSets, "web", { spec: { replicas: 3 } });
    await scenario.settle();
    await scenario.restart();
    expect(await scenario.list(pods)).toHaveLength(3);
    expect((await scenario.get(replicaSets, "web"))?.status?.replicas).toBe(3);
    await scenario.stop();
  }
});

test("adopts orphans that match and lets go of what no longer does", async () => {
  const scenario = await begin();
  await scenario.create(pods, makePod("orphan", { labels }));
  await scenario.create(replicaSets, makeReplicaSet("web", 2));
  await scenario.settle();
  expect(await scenario.list(pods)).toHaveLength(2);
  expect((await scenario.get(pods, "orphan"))?.metadata.ownerReferences?.[0]?.name).toBe("web");
  await scenario.change(pods, "orphan", { metadata: { labels: { app: "other" } } });
  await scenario.settle();
  expect((await scenario.get(pods, "orphan"))?.metadata.ownerReferences ?? []).toEqual([]);
  expect(await scenario.list(pods, "app=web")).toHaveLength(2);
});

test("a pod that names its set without being controlled by it is adopted, and names it once", async () => {
  const scenario = await begin();
  const { metadata } = await scenario.create(replicaSets, makeReplicaSet("web", 1));
  const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: metadata.uid };
  const pod = makePod("orphan", { labels });
  await scenario.create(pods, { ...pod, metadata: { ...pod.metadata, ownerReferences: [owner] } });
  await scenario.settle();
  expect(await scenario.list(pods)).toHaveLength(1);
  expect((await scenario.get(pods, "orphan"))?.metadata.ownerReferences).toEqual([
    { ...owner, controller: true, blockOwnerDeletion: true },
  ]);
});

test("a refused creation stops the batch, shows as a condition and an event, and is tried again", async () => {
  const scenario = await begin();
  let refused = 0;
  scenario.api.intercept = ({ verb, resource }) => {
    if (verb !== "create" || resource !== "pods" || refused > 5) return;
    refused++;
    throw statusErrors.forbidden(pods, "", "exceeded quota: q");
  };
  await scenario.create(replicaSets, makeReplicaSet("web", 50));
  await scenario.settle();
  // Each try begins with one pod.
  expect(refused).toBeLessThan(5);
  expect((await scenario.get(replicaSets, "web"))?.status?.conditions).toMatchObject([
    { type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: "pods is forbidden: exceeded quota: q" },
  ]);
  expect(await scenario.eventsOf("web")).toContain(
    "FailedCreate: Error creating: pods is forbidden: exceeded quota: q",
  );
  await scenario.advance(10_000);
  expect(await scenario.list(pods)).toHaveLength(50);
  expect((await scenario.get(replicaSets, "web"))?.status?.conditions).toBeUndefined();
});

test("a pod is available when it has been ready for minReadySeconds", async () => {
  const scenario = await begin();
  await scenario.create(replicaSets, makeReplicaSet("web", 2, { minReadySeconds: 30 }));
  await scenario.advance(29_000);
  expect((await scenario.get(replicaSets, "web"))?.status).toMatchObject({ readyReplicas: 2 });
  expect((await scenario.get(replicaSets, "web"))?.status?.availableReplicas).toBeUndefined();
  await scenario.advance(2_000);
  expect((await scenario.get(replicaSets, "web"))?.status?.availableReplicas).toBe(2);
});

test("finished pods are replaced, and one that is going is not counted", async () => {
  const scenario = await begin();
  await scenario.create(replicaSets, makeReplicaSet("web", 1));
  await scenario.settle();
  const [pod] = await scenario.list(pods);
  await scenario.change(pods, pod?.metadata.name ?? "", { status: { phase: "Failed" } }, "status");
  await scenario.settle();
  const phases = (await scenario.list(pods)).map(({ status }) => status?.phase);
  expect(phases.sort()).toEqual(["Failed", "Running"]);
});

test("pods to delete are ranked", () => {
  const now = Date.UTC(2026, 0, 1);
  const at = (secondsAgo: number) => new Date(now - secondsAgo * 1000).toISOString();
  const ready = (since: number) => ({
    phase: "Running",
    conditions: [{ type: "Ready", status: "True", lastTransitionTime: at(since) }],
  });
  const pod = (name: string, options: object) => makePod(name, { creationTimestamp: at(1000), ...options });
  const ranked = [
    pod("unassigned", {}),
    pod("pending", { nodeName: "n", status: { phase: "Pending" } }),
    pod("unready", { nodeName: "n", status: { phase: "Running" } }),
    pod("cheap", {
      nodeName: "n",
      status: ready(500),
      annotations: { "controller.kubernetes.io/pod-deletion-cost": "-1" },
    }),
    pod("crowded", { nodeName: "n", status: ready(500) }),
    pod("crowded", { nodeName: "n", status: ready(500), uid: "crowded-too" }),
    pod("recent", { nodeName: "m", status: ready(5) }),
    pod("restarted", {
      nodeName: "m",
      status: {
        ...ready(500),
        containerStatuses: [{ name: "c", restartCount: 4, ready: true, image: "", imageID: "" }],
      },
    }),
    pod("young", { nodeName: "m", status: ready(500), creationTimestamp: at(500) }),
    pod("old", { nodeName: "m", status: ready(500) }),
  ];
  const names = ranked.map(({ metadata }) => metadata.name);
  const shuffled = [...ranked].reverse();
  const picked = podsToDelete(shuffled, shuffled, 9, now).map(({ metadata }) => metadata.name);
  expect(picked).toEqual(names.slice(0, 9));
});
