import { expect, test } from "vitest";
import { nodes, type Pod, pods } from "../../api/index.js";
import { makeNode, makePod } from "../../testing/builders.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { podGarbageCollector } from "./podgc.js";

/** A pod on a node that somebody holds on to, so that it can be looked at after it was deleted. */
async function begin(ready: "True" | "False"): Promise<Scenario> {
  const scenario = new Scenario({ controllers: [podGarbageCollector()] });
  scenario.kubelet = false;
  await scenario.start();
  await scenario.create(nodes, makeNode("n", {}));
  await scenario.change(nodes, "n", { status: { conditions: [{ type: "Ready", status: ready }] } }, "status", "");
  await scenario.create(pods, makePod("p", { nodeName: "n" }));
  await scenario.change(pods, "p", { metadata: { finalizers: ["a.example/held"] } });
  return scenario;
}

const podOf = async (scenario: Scenario): Promise<Pod | undefined> => scenario.get(pods, "p");

async function takeOut(scenario: Scenario): Promise<void> {
  await scenario.delete(pods, "p", { gracePeriodSeconds: 300 });
  const taint = { key: "node.kubernetes.io/out-of-service", effect: "NoExecute" };
  await scenario.change(nodes, "n", { spec: { taints: [taint] } }, undefined, "");
  await scenario.advance(21_000, 5000);
}

test("a pod of a node that is gone has failed, as one that was disrupted", async () => {
  const scenario = await begin("True");
  await scenario.delete(nodes, "n", {}, "");
  await scenario.advance(70_000, 10_000);
  const pod = await podOf(scenario);
  expect(pod?.metadata.deletionTimestamp).toBeDefined();
  expect(pod?.status).toMatchObject({
    phase: "Failed",
    conditions: [{ type: "DisruptionTarget", status: "True", reason: "DeletionByPodGC" }],
  });
  expect(scenario.problems).toEqual([]);
});

test("a pod that was deleted on a node out of service has failed, and nothing more is said", async () => {
  const scenario = await begin("False");
  await takeOut(scenario);
  const pod = await podOf(scenario);
  expect(pod?.metadata.deletionGracePeriodSeconds).toBe(0);
  expect(pod?.status?.phase).toBe("Failed");
  expect(pod?.status?.conditions ?? []).toEqual([]);
});

test("a node that is ready ends its pods itself, whatever is said of it", async () => {
  const scenario = await begin("True");
  await takeOut(scenario);
  const pod = await podOf(scenario);
  expect([pod?.metadata.deletionGracePeriodSeconds, pod?.status?.phase]).toEqual([300, "Pending"]);
});
