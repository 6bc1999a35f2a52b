import { expect, test } from "vitest";
import { type New, type PodDisruptionBudget, podDisruptionBudgets, pods, replicaSets } from "../../api/index.js";
import { timestamp } from "../../internal/clock.js";
import { makePod } from "../../testing/builders.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { replicaSetController } from "../replicaset/replicaset.js";
import { disruptionController } from "./disruption.js";

const labels = { app: "web" };

async function begin(spec: object, replicas = 4): Promise<Scenario> {
  const scenario = new Scenario({ controllers: [disruptionController, replicaSetController] });
  await scenario.start();
  const template = { metadata: { labels }, spec: { containers: [{ name: "c", image: "i" }] } };
  await scenario.create(replicaSets, {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name: "web", namespace: "default" },
    spec: { replicas, selector: { matchLabels: labels }, template },
  });
  const budget: New<PodDisruptionBudget> = {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name: "b", namespace: "default" },
    spec: { selector: { matchLabels: labels }, ...spec },
  };
  await scenario.create(podDisruptionBudgets, budget);
  await scenario.settle();
  return scenario;
}

const statusOf = async (scenario: Scenario) => (await scenario.get(podDisruptionBudgets, "b"))?.status;

test.each([
  ["minAvailable 3", { minAvailable: 3 }, { desiredHealthy: 3, disruptionsAllowed: 1 }],
  ["minAvailable 50%", { minAvailable: "50%" }, { desiredHealthy: 2, disruptionsAllowed: 2 }],
  ["maxUnavailable 1", { maxUnavailable: 1 }, { desiredHealthy: 3, disruptionsAllowed: 1 }],
  ["maxUnavailable 30%", { maxUnavailable: "30%" }, { desiredHealthy: 2, disruptionsAllowed: 2 }],
])("counts for %s", async (_, spec, expected) => {
  const scenario = await begin(spec);
  const status = await statusOf(scenario);
  expect(status).toMatchObject({ currentHealthy: 4, expectedPods: 4, observedGeneration: 1, ...expected });
  expect(status?.conditions).toMatchObject([{ type: "DisruptionAllowed", status: "True", reason: "SufficientPods" }]);
  expect(scenario.problems).toEqual([]);
});

test("follows readiness, sizes and evictions under way", async () => {
  const scenario = await begin({ maxUnavailable: 1 });
  const [first, second] = await scenario.list(pods);
  const conditions = [{ type: "Ready", status: "False", lastTransitionTime: "2026-01-01T00:00:00Z" }];
  await scenario.change(pods, first?.metadata.name ?? "", { status: { conditions } }, "status");
  await scenario.settle();
  expect(await statusOf(scenario)).toMatchObject({ currentHealthy: 3, disruptionsAllowed: 0 });
  await scenario.change(replicaSets, "web", { spec: { replicas: 8 } });
  await scenario.settle();
  expect(await statusOf(scenario)).toMatchObject({ expectedPods: 8, currentHealthy: 7, disruptionsAllowed: 0 });
  await scenario.change(podDisruptionBudgets, "b", { spec: { maxUnavailable: 3 } });
  await scenario.settle();
  expect((await statusOf(scenario))?.disruptionsAllowed).toBe(2);
  const disruptedPods = { [second?.metadata.name ?? ""]: new Date(scenario.clock.now()).toISOString() };
  await scenario.change(podDisruptionBudgets, "b", { status: { disruptedPods, disruptionsAllowed: 1 } }, "status");
  await scenario.settle();
  expect((await statusOf(scenario))?.disruptionsAllowed).toBe(1);
  await scenario.restart();
  await scenario.advance(125_000, 25_000);
  expect(await statusOf(scenario)).toMatchObject({ disruptionsAllowed: 2 });
  expect((await statusOf(scenario))?.disruptedPods).toBeUndefined();
});

test("pods that nobody controls are told of", async () => {
  const scenario = await begin({ maxUnavailable: 1 }, 0);
  await scenario.delete(replicaSets, "web");
  await scenario.create(pods, makePod("alone", { labels, namespace: "default" }));
  await scenario.settle();
  expect((await scenario.eventsOf("b")).some((event) => event.startsWith("UnmanagedPods: Pods selected by this"))).toBe(
    true,
  );
});

test.each([
  ["an eviction that nobody carried out", "Running", "EvictionByEvictionAPI", "False"],
  ["a node's own word", "Running", "TerminationByKubelet", "True"],
  ["a pod that has failed by it", "Failed", "EvictionByEvictionAPI", "True"],
])("takes back after two minutes what was said of pods: %s", async (_, phase, reason, status) => {
  const scenario = await begin({ minAvailable: 0 }, 0);
  await scenario.create(pods, makePod("p", {}));
  await scenario.settle();
  const lastTransitionTime = timestamp(scenario.clock);
  const conditions = [{ type: "DisruptionTarget", status: "True", reason, message: "m", lastTransitionTime }];
  await scenario.change(pods, "p", { status: { phase, conditions } }, "status");
  await scenario.advance(118_000, 10_000);
  expect((await scenario.get(pods, "p"))?.status?.conditions).toMatchObject([{ status: "True" }]);
  await scenario.advance(4_000);
  expect((await scenario.get(pods, "p"))?.status?.conditions).toMatchObject([{ type: "DisruptionTarget", status }]);
  expect(scenario.problems).toEqual([]);
});
