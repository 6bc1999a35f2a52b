import { expect, test } from "vitest";
import { persistentVolumeClaims, pods, replicaSets, resourceQuotas, services } from "../../api/index.js";
import { inScope, usageOf } from "../../apiserver/admission/quota-usage.js";
import { makePod } from "../../testing/builders.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { resourceQuotaController } from "./resourcequota.js";

test("counts what there is, and counts anew when something goes or ends", async () => {
  const scenario = new Scenario({ controllers: [resourceQuotaController({ inScope, usageOf })] });
  await scenario.start();
  const hard = { pods: "5", "requests.cpu": "2", services: "3", "count/deployments.apps": "2" };
  await scenario.create(pods, makePod("a", { cpuMillis: 300 }));
  await scenario.create(pods, makePod("b", { cpuMillis: 200 }));
  await scenario.create(pods, makePod("elsewhere", { cpuMillis: 200, namespace: "other" }));
  const spec = { selector: { a: "b" }, ports: [{ port: 80 }] };
  await scenario.create(services, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "s", namespace: "default" },
    spec,
  });
  await scenario.create(resourceQuotas, {
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: { name: "q", namespace: "default" },
    spec: { hard },
  });
  await scenario.settle();
  const used = async () => (await scenario.get(resourceQuotas, "q"))?.status?.used;
  expect(await used()).toEqual({ pods: "2", "requests.cpu": "500m", services: "1", "count/deployments.apps": "0" });
  await scenario.change(pods, "a", { status: { phase: "Succeeded" } }, "status");
  await scenario.delete(services, "s");
  await scenario.settle();
  expect(await used()).toEqual({ pods: "1", "requests.cpu": "200m", services: "0", "count/deployments.apps": "0" });
  await scenario.stop();
  await scenario.delete(pods, "b");
  await scenario.start();
  expect(await used()).toMatchObject({ pods: "0", "requests.cpu": "0" });
});

test("leaves a charge of admission alone whose object is not there yet", async () => {
  const scenario = new Scenario({ controllers: [resourceQuotaController({ inScope, usageOf })] });
  await scenario.start();
  const hard = { configmaps: "2" };
  await scenario.create(resourceQuotas, {
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: { name: "q", namespace: "default" },
    spec: { hard },
  });
  await scenario.settle();
  const used = async () => (await scenario.get(resourceQuotas, "q"))?.status?.used;
  expect(await used()).toEqual({ configmaps: "0" });
  await scenario.change(resourceQuotas, "q", { status: { hard, used: { configmaps: "1" } } }, "status");
  await scenario.settle();
  expect(await used()).toEqual({ configmaps: "1" });
  // The write that was charged for never came: the next full count says so.
  await scenario.advance(5 * 60_000, 60_000);
  expect(await used()).toEqual({ configmaps: "0" });
});

test("counts anew when something goes that is counted by its name alone, also where the quota is newer", async () => {
  const scenario = new Scenario({ controllers: [resourceQuotaController({ inScope, usageOf })] });
  await scenario.start();
  const labels = { app: "a" };
  const template = { metadata: { labels }, spec: { containers: [{ name: "a", image: "a" }] } };
  await scenario.create(replicaSets, {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name: "r", namespace: "default" },
    spec: { replicas: 0, selector: { matchLabels: labels }, template },
  });
  await scenario.create(resourceQuotas, {
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: { name: "q", namespace: "default" },
    spec: { hard: { "count/replicasets.apps": "2" } },
  });
  await scenario.settle();
  const used = async () => (await scenario.get(resourceQuotas, "q"))?.status?.used;
  expect(await used()).toEqual({ "count/replicasets.apps": "1" });
  await scenario.delete(replicaSets, "r");
  await scenario.settle();
  expect(await used()).toEqual({ "count/replicasets.apps": "0" });
  await scenario.stop();
});

test("a claim counts for the quotas of all classes of attributes that it has to do with", async () => {
  const scenario = new Scenario({ controllers: [resourceQuotaController({ inScope, usageOf })] });
  await scenario.start();
  for (const [name, operator, values] of [
    ["gold", "In", ["gold"]],
    ["others", "NotIn", ["gold"]],
    ["any", "Exists", undefined],
    ["none", "DoesNotExist", undefined],
  ] as const) {
    const matchExpressions = [{ scopeName: "VolumeAttributesClass", operator, ...(values && { values }) }];
    await scenario.create(resourceQuotas, {
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: { name, namespace: "default" },
      spec: { hard: { persistentvolumeclaims: "1", "requests.storage": "5Gi" }, scopeSelector: { matchExpressions } },
    });
  }
  const used = async () =>
    (await scenario.list(resourceQuotas))
      .map(({ metadata, status }) => `${metadata.name} ${status?.used?.["persistentvolumeclaims"]}`)
      .sort();
  await scenario.create(persistentVolumeClaims, {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "c", namespace: "default" },
    spec: {
      accessModes: ["ReadWriteOnce"],
      storageClassName: "",
      volumeAttributesClassName: "silver",
      resources: { requests: { storage: "1Gi" } },
    },
  });
  // Admission would have charged for it.
  await scenario.restart();
  expect(await used()).toEqual(["any 1", "gold 0", "none 0", "others 1"]);
  await scenario.change(
    persistentVolumeClaims,
    "c",
    { status: { currentVolumeAttributesClassName: "gold" } },
    "status",
  );
  await scenario.settle();
  expect(await used()).toEqual(["any 1", "gold 1", "none 0", "others 1"]);
});
