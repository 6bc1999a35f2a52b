import { expect, test } from "vitest";
import { leases, type Node, nodes, pods, type Toleration } from "../../api/index.js";
import { microTimestamp, timestamp } from "../../internal/clock.js";
import { makeNode, makePod } from "../../testing/builders.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { podGarbageCollector } from "../podgc/podgc.js";
import { taintEvictionController } from "../tainteviction/tainteviction.js";
import { nodeLifecycleController } from "./nodelifecycle.js";

async function begin(names: readonly string[]): Promise<Scenario> {
  const scenario = new Scenario({
    controllers: [nodeLifecycleController(), taintEvictionController, podGarbageCollector()],
  });
  for (const name of names) {
    await scenario.create(nodes, makeNode(name, {}));
    const now = timestamp(scenario.clock);
    const conditions = [
      { type: "Ready", status: "True", reason: "KubeletReady", lastHeartbeatTime: now, lastTransitionTime: now },
    ];
    await scenario.change(nodes, name, { status: { conditions } }, "status", "");
  }
  await scenario.start();
  return scenario;
}

/** Lets time pass while the named nodes renew their leases. */
async function live(scenario: Scenario, seconds: number, alive: readonly string[]): Promise<void> {
  for (let left = seconds; left > 0; left -= 5) {
    for (const name of alive) {
      const spec = { holderIdentity: name, renewTime: microTimestamp(scenario.clock) };
      const lease = await scenario.get(leases, name, "kube-node-lease");
      if (lease !== undefined) await scenario.client.update(leases, { ...lease, spec });
      else {
        const metadata = { name, namespace: "kube-node-lease" };
        await scenario.create(leases, { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec });
      }
    }
    await scenario.advance(5000, 5000);
  }
}

const taintsOf = (node: Node | undefined) => (node?.spec?.taints ?? []).map(({ key, effect }) => `${key}:${effect}`);
const patient: Toleration = {
  key: "node.kubernetes.io/unreachable",
  operator: "Exists",
  effect: "NoExecute",
  tolerationSeconds: 300,
};

test("a node that falls silent is unknown, tainted, and loses its pods after their time", async () => {
  const scenario = await begin(["a", "b"]);
  await scenario.create(pods, makePod("patient", { nodeName: "a", tolerations: [patient] }));
  await scenario.create(pods, makePod("touchy", { nodeName: "a" }));
  await scenario.create(pods, makePod("safe", { nodeName: "b" }));
  await live(scenario, 30, ["a", "b"]);
  expect(taintsOf(await scenario.get(nodes, "a", ""))).toEqual([]);
  await live(scenario, 45, ["b"]);
  expect(taintsOf(await scenario.get(nodes, "a", ""))).toEqual([]);
  scenario.kubelet = false;
  await live(scenario, 15, ["b"]);
  const lost = await scenario.get(nodes, "a", "");
  expect(taintsOf(lost)).toEqual([
    "node.kubernetes.io/unreachable:NoSchedule",
    "node.kubernetes.io/unreachable:NoExecute",
  ]);
  expect(lost?.status?.conditions?.[0]).toMatchObject({
    type: "Ready",
    status: "Unknown",
    reason: "NodeStatusUnknown",
    message: "Kubelet stopped posting node status.",
  });
  expect((await scenario.get(pods, "patient"))?.status?.conditions?.find(({ type }) => type === "Ready")?.status).toBe(
    "False",
  );
  expect((await scenario.get(pods, "touchy"))?.metadata.deletionTimestamp).toBeDefined();
  expect((await scenario.get(pods, "patient"))?.metadata.deletionTimestamp).toBeUndefined();
  await scenario.restart();
  await live(scenario, 280, ["b"]);
  expect((await scenario.get(pods, "patient"))?.metadata.deletionTimestamp).toBeUndefined();
  await live(scenario, 30, ["b"]);
  expect((await scenario.get(pods, "patient"))?.metadata.deletionTimestamp).toBeDefined();
  expect((await scenario.get(pods, "safe"))?.metadata.deletionTimestamp).toBeUndefined();
  expect(await scenario.eventsOf("touchy")).toContain("TaintManagerEviction: Marking for deletion Pod default/touchy");
  expect(scenario.problems).toEqual([]);
});

test("when every node falls silent nothing is evicted, and all is well when they come back", async () => {
  const scenario = await begin(["a", "b"]);
  await scenario.create(pods, makePod("touchy", { nodeName: "a" }));
  await live(scenario, 120, []);
  expect(taintsOf(await scenario.get(nodes, "a", ""))).not.toContain("node.kubernetes.io/unreachable:NoExecute");
  expect((await scenario.get(pods, "touchy"))?.metadata.deletionTimestamp).toBeUndefined();
});

test("cordoning is a taint", async () => {
  const scenario = await begin(["a"]);
  await scenario.change(nodes, "a", { spec: { unschedulable: true } }, undefined, "");
  await scenario.settle();
  expect(taintsOf(await scenario.get(nodes, "a", ""))).toEqual(["node.kubernetes.io/unschedulable:NoSchedule"]);
  await scenario.change(nodes, "a", { spec: { unschedulable: false } }, undefined, "");
  await scenario.settle();
  expect(taintsOf(await scenario.get(nodes, "a", ""))).toEqual([]);
});

test("pods of a node that is gone are removed after a while", async () => {
  const scenario = await begin(["a"]);
  await scenario.create(pods, makePod("left", { nodeName: "a" }));
  await scenario.settle();
  await scenario.delete(nodes, "a", {}, "");
  scenario.kubelet = false;
  await scenario.advance(30_000, 5000);
  expect(await scenario.get(pods, "left")).toBeDefined();
  await scenario.advance(60_000, 5000);
  expect(await scenario.get(pods, "left")).toBeUndefined();
});
