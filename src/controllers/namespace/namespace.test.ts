import { expect, test } from "vitest";
import {
  type APIService,
  apiServices,
  configMaps,
  type New,
  namespaces,
  pods,
  serviceAccounts,
} from "../../api/index.js";
import { makePod } from "../../testing/builders.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { rootCaPublisher, serviceAccountController } from "../serviceaccount/serviceaccount.js";
import { namespaceController } from "./namespace.js";

const namespace = (name: string) =>
  ({ apiVersion: "v1", kind: "Namespace", metadata: { name }, spec: { finalizers: ["kubernetes"] } }) as const;

test("a new namespace gets its service account and root certificate, again when they are deleted", async () => {
  const scenario = new Scenario({ controllers: [serviceAccountController, rootCaPublisher("PEM")] });
  await scenario.start();
  await scenario.create(namespaces, namespace("team"));
  await scenario.settle();
  expect(await scenario.get(serviceAccounts, "default", "team")).toBeDefined();
  expect((await scenario.get(configMaps, "kube-root-ca.crt", "team"))?.data).toEqual({ "ca.crt": "PEM" });
  await scenario.delete(serviceAccounts, "default", {}, "team");
  await scenario.change(configMaps, "kube-root-ca.crt", { data: { "ca.crt": "other", more: "x" } }, undefined, "team");
  await scenario.settle();
  expect(await scenario.get(serviceAccounts, "default", "team")).toBeDefined();
  expect((await scenario.get(configMaps, "kube-root-ca.crt", "team"))?.data).toEqual({ "ca.crt": "PEM" });
});

test("a deleted namespace is emptied and goes, pods first", async () => {
  const scenario = new Scenario({ controllers: [namespaceController, serviceAccountController] });
  await scenario.start();
  await scenario.create(namespaces, namespace("team"));
  await scenario.create(pods, makePod("p", { namespace: "team", nodeName: "n" }));
  await scenario.create(configMaps, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "c", namespace: "team" },
  });
  await scenario.create(configMaps, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "c", namespace: "other" },
  });
  await scenario.settle();
  scenario.kubelet = false;
  await scenario.delete(namespaces, "team", {}, "");
  await scenario.settle();
  const dying = await scenario.get(namespaces, "team");
  expect(dying?.status?.phase).toBe("Terminating");
  expect(dying?.status?.conditions?.find(({ type }) => type === "NamespaceContentRemaining")?.message).toBe(
    "Some resources are remaining: pods. has 1 resource instances",
  );
  expect(await scenario.get(configMaps, "c", "team")).toBeDefined();
  scenario.kubelet = true;
  await scenario.restart();
  await scenario.advance(20_000);
  expect(await scenario.get(namespaces, "team")).toBeUndefined();
  expect((await scenario.list(configMaps)).map(({ metadata }) => metadata.namespace)).toEqual(["other"]);
});

test("a finalizer in it holds a namespace and is named", async () => {
  const scenario = new Scenario({ controllers: [namespaceController] });
  await scenario.start();
  await scenario.create(namespaces, namespace("team"));
  await scenario.create(configMaps, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "c", namespace: "team", finalizers: ["example.com/hold"] },
  });
  await scenario.delete(namespaces, "team", {}, "");
  await scenario.advance(5000);
  const held = (await scenario.get(namespaces, "team"))?.status?.conditions;
  expect(held?.find(({ type }) => type === "NamespaceFinalizersRemaining")).toMatchObject({
    status: "True",
    reason: "SomeFinalizersRemain",
    message: "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
  });
  await scenario.change(configMaps, "c", { metadata: { finalizers: null } }, undefined, "team");
  await scenario.advance(5000);
  expect(await scenario.get(namespaces, "team")).toBeUndefined();
});

const apiService = (status: string): New<APIService> => ({
  apiVersion: "apiregistration.k8s.io/v1",
  kind: "APIService",
  metadata: { name: "v1beta1.metrics.k8s.io" },
  spec: {
    group: "metrics.k8s.io",
    version: "v1beta1",
    groupPriorityMinimum: 100,
    versionPriority: 100,
    service: { namespace: "kube-system", name: "metrics" },
  },
  status: { conditions: [{ type: "Available", status, lastTransitionTime: "2026-01-01T00:00:00Z" }] },
});

test("a namespace stays while it is not known what servers behind the API have in it", async () => {
  const scenario = new Scenario({ controllers: [namespaceController] });
  const asked: string[] = [];
  scenario.api.behind = async ({ group, version }) => {
    asked.push(`${group}/${version}`);
    return [{ group, version, resource: "pods", kind: "PodMetrics", namespaced: true, verbs: ["get", "list"] }];
  };
  await scenario.start();
  const { status, ...service } = apiService("False");
  await scenario.create(apiServices, service);
  await scenario.change(apiServices, service.metadata.name ?? "", { status }, "status");
  await scenario.create(namespaces, namespace("team"));
  await scenario.create(configMaps, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "c", namespace: "team" },
  });
  await scenario.settle();
  await scenario.delete(namespaces, "team", {}, "");
  await scenario.settle();
  const held = (await scenario.get(namespaces, "team"))?.status?.conditions;
  expect(held?.map(({ type, status: is, reason }) => `${type} ${is} ${reason}`)).toEqual([
    "NamespaceDeletionDiscoveryFailure True DiscoveryFailed",
    "NamespaceDeletionGroupVersionParsingFailure False ParsedGroupVersions",
    "NamespaceDeletionContentFailure False ContentDeleted",
    "NamespaceContentRemaining False ContentRemoved",
    "NamespaceFinalizersRemaining False ContentHasNoFinalizers",
  ]);
  expect(held?.[0]?.message).toBe(
    "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1: stale GroupVersion discovery: metrics.k8s.io/v1beta1",
  );
  // The rest went meanwhile.
  expect(await scenario.get(configMaps, "c", "team")).toBeUndefined();
  expect(asked).toEqual([]);
  await scenario.change(apiServices, service.metadata.name ?? "", { status: apiService("True").status }, "status");
  await scenario.advance(10_000);
  expect(await scenario.get(namespaces, "team")).toBeUndefined();
  expect(new Set(asked)).toEqual(new Set(["metrics.k8s.io/v1beta1"]));
});

test("a server behind the API that does not answer counts as one that is away", async () => {
  const scenario = new Scenario({ controllers: [namespaceController] });
  scenario.api.behind = (_, signal) =>
    new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  await scenario.start();
  const { status, ...service } = apiService("True");
  await scenario.create(apiServices, service);
  await scenario.change(apiServices, service.metadata.name ?? "", { status }, "status");
  await scenario.create(namespaces, namespace("team"));
  await scenario.delete(namespaces, "team", {}, "");
  await scenario.advance(11_000);
  const [condition] = (await scenario.get(namespaces, "team"))?.status?.conditions ?? [];
  expect(condition).toMatchObject({ type: "NamespaceDeletionDiscoveryFailure", status: "True" });
  await scenario.stop();
});
