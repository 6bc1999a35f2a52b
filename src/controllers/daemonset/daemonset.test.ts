import { expect, test } from "vitest";
import { controllerRevisions, type DaemonSet, daemonSets, type New, nodes, pods } from "../../api/index.js";
import { makeNode } from "../../testing/builders.js";
import { readyStatus, Scenario } from "../../testing/controller-scenario.js";
import { daemonSetController } from "./daemonset.js";
import { nodeOf } from "./placement.js";

const labels = { app: "agent" };
const template = (image: string) => ({ metadata: { labels }, spec: { containers: [{ name: "c", image }] } });

function makeDaemonSet(spec: object = {}): New<DaemonSet> {
  const base = { selector: { matchLabels: labels }, template: template("v1") };
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: "agent", namespace: "default" },
    spec: { ...base, ...spec },
  };
}

async function begin(count: number, spec: object = {}): Promise<Scenario> {
  const scenario = new Scenario({ controllers: [daemonSetController] });
  await scenario.start();
  for (let n = 0; n < count; n++)
    await scenario.create(nodes, makeNode(`n${n}`, { labels: { even: `${n % 2 === 0}` } }));
  await scenario.create(daemonSets, makeDaemonSet(spec));
  await scenario.settle();
  return scenario;
}

const places = async (scenario: Scenario) =>
  (await scenario.list(pods)).map((pod) => `${nodeOf(pod)} ${pod.spec?.containers[0]?.image}`).sort();

test("puts one pod on every node, follows nodes and taints, and counts", async () => {
  const scenario = await begin(3);
  expect(await places(scenario)).toEqual(["n0 v1", "n1 v1", "n2 v1"]);
  const [pod] = await scenario.list(pods);
  expect(pod?.metadata.labels?.["controller-revision-hash"]).toMatch(/^[a-z0-9]+$/);
  expect(pod?.spec?.tolerations?.map(({ key, effect }) => `${key}:${effect}`)).toContain(
    "node.kubernetes.io/unschedulable:NoSchedule",
  );
  await scenario.create(nodes, makeNode("n3"));
  await scenario.settle();
  expect(await places(scenario)).toHaveLength(4);
  const away = { key: "x", value: "y", effect: "NoExecute" };
  await scenario.change(nodes, "n0", { spec: { taints: [away] } }, undefined, "");
  await scenario.delete(nodes, "n1", {}, "");
  await scenario.settle();
  expect((await places(scenario)).filter((place) => !place.startsWith("n1"))).toEqual(["n2 v1", "n3 v1"]);
  expect((await scenario.get(daemonSets, "agent"))?.status).toMatchObject({
    desiredNumberScheduled: 2,
    numberReady: 2,
    numberAvailable: 2,
  });
  expect(scenario.problems).toEqual([]);
});

test("a node selector chooses, and drift is mended, also by one that was restarted", async () => {
  const scenario = await begin(4, {
    template: { ...template("v1"), spec: { ...template("v1").spec, nodeSelector: { even: "true" } } },
  });
  expect(await places(scenario)).toEqual(["n0 v1", "n2 v1"]);
  await scenario.delete(pods, (await scenario.list(pods))[0]?.metadata.name ?? "");
  await scenario.restart();
  expect(await places(scenario)).toEqual(["n0 v1", "n2 v1"]);
});

test.each([
  ["one after another", { maxUnavailable: 1 }, 3],
  ["two at a time", { maxUnavailable: 2 }, 2],
  ["with surge", { maxSurge: 1, maxUnavailable: 0 }, 4],
])("rolls an update out %s", async (_, rollingUpdate, least) => {
  const scenario = await begin(4, { updateStrategy: { type: "RollingUpdate", rollingUpdate } });
  let leastReady = 4;
  scenario.onPod = () => readyStatus(scenario.clock);
  scenario.api.intercept = ({ verb, resource }) => {
    if (resource !== "pods" || verb !== "create") return;
    void scenario.client.list(pods).then(({ items }) => {
      const on = new Set(
        items
          .filter(({ metadata, status }) => !metadata.deletionTimestamp && status?.conditions?.[0]?.status === "True")
          .map(nodeOf),
      );
      leastReady = Math.min(leastReady, on.size);
    });
  };
  await scenario.change(daemonSets, "agent", { spec: { template: template("v2") } });
  await scenario.settle();
  expect(await places(scenario)).toEqual(["n0 v2", "n1 v2", "n2 v2", "n3 v2"]);
  expect(leastReady).toBeGreaterThanOrEqual(least);
  expect((await scenario.list(controllerRevisions)).map(({ revision }) => revision)).toEqual([1, 2]);
});

test("OnDelete waits for the pods to be deleted", async () => {
  const scenario = await begin(2, { updateStrategy: { type: "OnDelete" } });
  await scenario.change(daemonSets, "agent", { spec: { template: template("v2") } });
  await scenario.settle();
  expect(await places(scenario)).toEqual(["n0 v1", "n1 v1"]);
  const victim = (await scenario.list(pods)).find((pod) => nodeOf(pod) === "n0");
  await scenario.delete(pods, victim?.metadata.name ?? "");
  await scenario.settle();
  expect(await places(scenario)).toEqual(["n0 v2", "n1 v1"]);
});

test("a failed daemon is replaced, ever more slowly", async () => {
  const scenario = await begin(1);
  let made = 0;
  scenario.onPod = () => {
    made++;
    return { phase: "Failed" };
  };
  await scenario.change(
    pods,
    (await scenario.list(pods))[0]?.metadata.name ?? "",
    { status: { phase: "Failed" } },
    "status",
  );
  await scenario.advance(60_000);
  expect(made).toBeGreaterThan(3);
  expect(made).toBeLessThan(10);
  expect(
    (await scenario.eventsOf("agent")).some((event) => event.startsWith("FailedDaemonPod: Found failed daemon pod")),
  ).toBe(true);
});

test("revisions have the set's annotations, and are known in whatever form they were written", async () => {
  const scenario = await begin(1);
  const [revision] = await scenario.list(controllerRevisions);
  const counted = { "deprecated.daemonset.template.generation": "1" };
  expect(revision?.metadata.annotations).toEqual(counted);
  const [pod] = await scenario.list(pods);
  expect(pod?.metadata.labels).toMatchObject({ "pod-template-generation": "1" });
  const { data: _, ...others } = revision ?? {};
  await scenario.stop();
  await scenario.delete(controllerRevisions, revision?.metadata.name ?? "");
  // As older versions wrote it: in another order, without what is empty.
  const { spec } = (await scenario.get(daemonSets, "agent")) ?? {};
  const data = { spec: { template: { ...spec?.template, $patch: "replace" } } };
  const { name, labels, ownerReferences } = revision?.metadata ?? {};
  const metadata = { name, namespace: "default", labels, ownerReferences };
  await scenario.create(controllerRevisions, { ...others, metadata, data, revision: 7 } as never);
  await scenario.start();
  await scenario.settle();
  expect((await scenario.list(controllerRevisions)).map((one) => one.revision)).toEqual([7]);
  expect((await scenario.list(pods)).map(({ metadata: { uid } }) => uid)).toEqual([pod?.metadata.uid]);
});
