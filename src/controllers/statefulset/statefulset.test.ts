import { expect, test } from "vitest";
import {
  controllerRevisions,
  type New,
  persistentVolumeClaims,
  pods,
  type StatefulSet,
  statefulSets,
} from "../../api/index.js";
import { readyStatus, Scenario } from "../../testing/controller-scenario.js";
import { garbageCollector } from "../garbagecollector/garbagecollector.js";
import { statefulSetController } from "./statefulset.js";

const labels = { app: "db" };
const template = (image: string) => ({ metadata: { labels }, spec: { containers: [{ name: "c", image }] } });

function makeSet(replicas: number, spec: object = {}): New<StatefulSet> {
  const base = { replicas, serviceName: "db", selector: { matchLabels: labels }, template: template("v1") };
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: "db", namespace: "default" },
    spec: { ...base, ...spec },
  };
}

async function begin(replicas: number, spec: object = {}, hold = false): Promise<Scenario> {
  const scenario = new Scenario({ controllers: [statefulSetController, garbageCollector] });
  if (hold) scenario.kubelet = false;
  await scenario.start();
  await scenario.create(statefulSets, makeSet(replicas, spec));
  await scenario.settle();
  return scenario;
}

const running = async (scenario: Scenario) =>
  (await scenario.list(pods)).map(({ metadata, spec }) => `${metadata.name} ${spec?.containers[0]?.image}`).sort();

test("starts pods one after another, each with its name, labels and place in DNS", async () => {
  const scenario = await begin(3, {}, true);
  expect(await running(scenario)).toEqual(["db-0 v1"]);
  scenario.kubelet = true;
  await scenario.settle();
  expect(await running(scenario)).toEqual(["db-0 v1", "db-1 v1", "db-2 v1"]);
  const set = await scenario.get(statefulSets, "db");
  const pod = await scenario.get(pods, "db-1");
  expect(pod?.metadata.labels).toEqual({
    app: "db",
    "statefulset.kubernetes.io/pod-name": "db-1",
    "apps.kubernetes.io/pod-index": "1",
    "controller-revision-hash": set?.status?.updateRevision,
  });
  expect(pod?.spec).toMatchObject({ hostname: "db-1", subdomain: "db" });
  expect(set?.status).toMatchObject({
    replicas: 3,
    readyReplicas: 3,
    availableReplicas: 3,
    currentReplicas: 3,
    updatedReplicas: 3,
  });
  expect(await scenario.eventsOf("db")).toContain("SuccessfulCreate: create Pod db-2 in StatefulSet db successful");
  expect(scenario.problems).toEqual([]);
});

test("Parallel starts all at once; ordinals may begin elsewhere", async () => {
  const scenario = await begin(3, { podManagementPolicy: "Parallel", ordinals: { start: 5 } }, true);
  expect(await running(scenario)).toEqual(["db-5 v1", "db-6 v1", "db-7 v1"]);
});

test("scales down from the top, and replaces what is deleted or failed, after a restart too", async () => {
  const scenario = await begin(4);
  await scenario.change(statefulSets, "db", { spec: { replicas: 2 } });
  await scenario.settle();
  expect(await running(scenario)).toEqual(["db-0 v1", "db-1 v1"]);
  await scenario.delete(pods, "db-0");
  await scenario.change(pods, "db-1", { status: { phase: "Failed" } }, "status");
  await scenario.restart();
  expect(await running(scenario)).toEqual(["db-0 v1", "db-1 v1"]);
  expect((await scenario.get(pods, "db-1"))?.status?.phase).toBe("Running");
});

test("an update goes from the top, one at a time, and waits for one that does not come up", async () => {
  const scenario = await begin(3);
  const before = (await scenario.get(statefulSets, "db"))?.status?.currentRevision;
  scenario.onPod = () => readyStatus(scenario.clock, false);
  await scenario.change(statefulSets, "db", { spec: { template: template("v2") } });
  await scenario.settle();
  expect(await running(scenario)).toEqual(["db-0 v1", "db-1 v1", "db-2 v2"]);
  expect((await scenario.get(statefulSets, "db"))?.status).toMatchObject({
    currentRevision: before,
    currentReplicas: 2,
    updatedReplicas: 1,
  });
  scenario.onPod = undefined;
  await scenario.change(pods, "db-2", { status: readyStatus(scenario.clock) }, "status");
  await scenario.settle();
  expect(await running(scenario)).toEqual(["db-0 v2", "db-1 v2", "db-2 v2"]);
  const { currentRevision, updateRevision, currentReplicas } = (await scenario.get(statefulSets, "db"))?.status ?? {};
  expect([currentRevision === updateRevision, currentReplicas]).toEqual([true, 3]);
  expect(await scenario.list(controllerRevisions)).toHaveLength(2);
});

test("a partition keeps the lower ordinals at the old revision, also when they are made anew", async () => {
  const scenario = await begin(3, { updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 2 } } });
  await scenario.change(statefulSets, "db", { spec: { template: template("v2") } });
  await scenario.settle();
  await scenario.delete(pods, "db-0");
  await scenario.settle();
  expect(await running(scenario)).toEqual(["db-0 v1", "db-1 v1", "db-2 v2"]);
});

const claimTemplate = {
  metadata: { name: "data" },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
};

test("claims are made for each pod, and kept by default", async () => {
  const scenario = await begin(2, { volumeClaimTemplates: [claimTemplate] });
  expect((await scenario.list(persistentVolumeClaims)).map(({ metadata }) => metadata.name)).toEqual([
    "data-db-0",
    "data-db-1",
  ]);
  expect((await scenario.get(pods, "db-1"))?.spec?.volumes?.[0]).toEqual({
    name: "data",
    persistentVolumeClaim: { claimName: "data-db-1" },
  });
  await scenario.change(statefulSets, "db", { spec: { replicas: 1 } });
  await scenario.settle();
  expect(await scenario.list(persistentVolumeClaims)).toHaveLength(2);
});

test("claims go with pods that are scaled away, where the policy says so", async () => {
  const persistentVolumeClaimRetentionPolicy = { whenScaled: "Delete", whenDeleted: "Delete" };
  const scenario = await begin(3, { volumeClaimTemplates: [claimTemplate], persistentVolumeClaimRetentionPolicy });
  await scenario.change(statefulSets, "db", { spec: { replicas: 1 } });
  await scenario.advance(2000);
  expect((await scenario.list(persistentVolumeClaims)).map(({ metadata }) => metadata.name)).toEqual(["data-db-0"]);
  await scenario.delete(statefulSets, "db");
  await scenario.advance(2000);
  expect(await scenario.list(persistentVolumeClaims)).toEqual([]);
});

test.each([
  [{ whenScaled: "Retain", whenDeleted: "Retain" }, "-", "-"],
  [{ whenScaled: "Retain", whenDeleted: "Delete" }, "StatefulSet db", "StatefulSet db"],
  [{ whenScaled: "Delete", whenDeleted: "Retain" }, "-", "Pod db-1"],
  [{ whenScaled: "Delete", whenDeleted: "Delete" }, "StatefulSet db", "Pod db-1"],
])("who controls claims by policy %j: %s, and %s once its pod is scaled away", async (policy, kept, scaled) => {
  const scenario = await begin(2, {
    volumeClaimTemplates: [claimTemplate],
    persistentVolumeClaimRetentionPolicy: policy,
  });
  await scenario.change(pods, "db-1", { metadata: { finalizers: ["a.example/held"] } });
  await scenario.change(statefulSets, "db", { spec: { replicas: 1 } });
  await scenario.settle();
  const owners = async () =>
    (await scenario.list(persistentVolumeClaims)).map(({ metadata }) => {
      const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
      return owner === undefined ? "-" : `${owner.kind} ${owner.name}`;
    });
  expect(await owners()).toEqual([kept, scaled]);
  expect(scenario.problems).toEqual([]);
});

test("a pod does not take up a claim that goes with the one before it", async () => {
  const persistentVolumeClaimRetentionPolicy = { whenScaled: "Delete", whenDeleted: "Retain" };
  const scenario = await begin(2, { volumeClaimTemplates: [claimTemplate], persistentVolumeClaimRetentionPolicy });
  const old = (await scenario.get(persistentVolumeClaims, "data-db-1"))?.metadata.uid;
  await scenario.change(persistentVolumeClaims, "data-db-1", { metadata: { finalizers: ["a.example/held"] } });
  await scenario.change(statefulSets, "db", { spec: { replicas: 1 } });
  await scenario.advance(2000);
  await scenario.change(statefulSets, "db", { spec: { replicas: 2 } });
  await scenario.advance(3000);
  expect(await scenario.get(pods, "db-1")).toBeUndefined();
  await scenario.change(persistentVolumeClaims, "data-db-1", { metadata: { finalizers: [] } });
  await scenario.advance(3000);
  expect(await scenario.get(pods, "db-1")).toBeDefined();
  expect((await scenario.get(persistentVolumeClaims, "data-db-1"))?.metadata.uid).not.toBe(old);
});
