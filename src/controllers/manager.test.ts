import { expect, test } from "vitest";
import { clusterRoles, configMaps, deployments, nodes, type Pod, pods } from "../api/index.js";
import { createClient, waitFor } from "../client/index.js";
import { makeNode } from "../testing/builders.js";
import { Scenario } from "../testing/controller-scenario.js";
import { builtinControllers } from "./builtin.js";
import { defineController } from "./define-controller.js";
import { selectControllers } from "./manager.js";

const all = builtinControllers({ rootCa: "PEM", nodeIpam: { clusterCidrs: ["10.244.0.0/22"] } });
const chosen = (select: readonly string[] | undefined) => selectControllers(all, select).map(({ name }) => name);

test("controllers are chosen as with upstream's flag", () => {
  expect(chosen(undefined)).toEqual(all.filter(({ optIn }) => !optIn).map(({ name }) => name));
  expect(chosen(undefined)).not.toContain("token-cleaner-controller");
  expect(chosen(["*", "tokencleaner"])).toContain("token-cleaner-controller");
  expect(chosen(["replicaset", "deployment-controller"])).toEqual(["deployment-controller", "replicaset-controller"]);
  expect(chosen(["*", "-garbagecollector"])).not.toContain("garbage-collector-controller");
  expect(() => chosen(["nonesuch"])).toThrow('"nonesuch" is not in the list of known controllers');
});

test("a controller of one's own, in a few lines", async () => {
  const greeter = defineController({
    name: "greeter",
    for: configMaps,
    async reconcile(key, { informer, client }) {
      const config = informer(configMaps).get(key);
      if (config === undefined || config.data?.greeting !== undefined) return;
      await client.update(configMaps, { ...config, data: { ...config.data, greeting: "hello" } });
    },
  });
  const scenario = new Scenario({ controllers: [greeter] });
  await scenario.start();
  await scenario.create(configMaps, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "c", namespace: "default" },
  });
  await scenario.settle();
  expect((await scenario.get(configMaps, "c"))?.data).toEqual({ greeting: "hello" });
});

test("a scenario fails when a controller needs more than its account may do upstream", async () => {
  const greedy = defineController({
    name: "greedy",
    account: "job-controller",
    for: configMaps,
    async reconcile(_, { client }) {
      await client.list(configMaps);
    },
  });
  const scenario = new Scenario({ controllers: [greedy] });
  await scenario.start();
  await scenario.create(configMaps, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "c", namespace: "default" },
  });
  await expect(scenario.settle()).rejects.toThrow(
    "beyond upstream's rights: system:serviceaccount:kube-system:job-controller cannot list configmaps",
  );
});

test("one that fails is tried again, ever later, and does not stop others", async () => {
  let tries = 0;
  const failing = defineController({
    name: "failing",
    for: configMaps,
    reconcile() {
      if (++tries < 5) throw new Error("not yet");
    },
  });
  const scenario = new Scenario({ controllers: [failing] });
  await scenario.start();
  await scenario.create(configMaps, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "c", namespace: "default" },
  });
  await scenario.clock.advance(1000);
  expect(tries).toBe(5);
  expect(scenario.problems).toHaveLength(4);
});

test("all of them run beside one another, and stop", async () => {
  const scenario = new Scenario({ controllers: all });
  await scenario.start();
  const read = { apiGroups: [""], resources: ["pods"], verbs: ["get"] };
  const role = { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole" } as const;
  await scenario.create(clusterRoles, { ...role, metadata: { name: "part", labels: { to: "whole" } }, rules: [read] });
  const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { to: "whole" } }] };
  await scenario.create(clusterRoles, { ...role, metadata: { name: "whole" }, aggregationRule, rules: [] });
  for (const name of ["a", "b"]) await scenario.create(nodes, makeNode(name));
  await scenario.settle();
  expect((await scenario.get(clusterRoles, "whole", ""))?.rules).toEqual([read]);
  expect((await scenario.list(nodes)).map(({ spec }) => spec?.podCIDR)).toEqual(["10.244.0.0/24", "10.244.1.0/24"]);
  expect(scenario.problems).toEqual([]);
  await scenario.stop();
});

test("a deployment of 100 is rolled out in a moment", async () => {
  const scenario = new Scenario({ controllers: all });
  await scenario.start();
  const labels = { app: "web" };
  const template = { metadata: { labels }, spec: { containers: [{ name: "c", image: "i" }] } };
  const spec = { replicas: 100, selector: { matchLabels: labels }, template };
  const client = createClient(scenario.api);
  const kubelet = client.watch<Pod>(pods, { resourceVersion: "0" });
  void (async () => {
    const lastTransitionTime = "2026-01-01T00:00:00Z";
    const status = { phase: "Running", conditions: [{ type: "Ready", status: "True", lastTransitionTime }] };
    for await (const { type, object } of kubelet) {
      if (type === "ADDED")
        void client.patch(pods, object.metadata, { type: "merge", body: { status } }, { subresource: "status" });
    }
  })();
  await scenario.create(deployments, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "default" },
    spec,
  });
  const key = { namespace: "default", name: "web" };
  await waitFor(client, deployments, key, (object) => object?.status?.availableReplicas === 100);
  const writes = scenario.api.requests.filter(
    ({ verb, resource }) => verb !== "list" && verb !== "watch" && resource !== "events",
  );
  // 100 creates, 100 status patches, and few besides.
  expect(writes.length).toBeLessThan(300);
});
