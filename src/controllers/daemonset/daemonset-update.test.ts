import { expect, test } from "vitest";
import { controllerRevisions, type DaemonSet, daemonSets, type New, nodes, type Pod, pods } from "../../api/index.js";
import { makeNode } from "../../testing/builders.js";
import { readyStatus, Scenario } from "../../testing/controller-scenario.js";
import { daemonSetController } from "./daemonset.js";
import { nodeOf } from "./placement.js";

const labels = { app: "agent" };
const hashLabel = "controller-revision-hash";

/** Two nodes each with a taint of their own, and two with a common one. */
const taints = ["y", "y", "z", "z", "common", "common"];

function tolerating(keys: readonly string[], more: object = {}): object {
  const tolerations = keys.map((key) => ({ key, operator: "Exists" }));
  return { metadata: { labels, ...more }, spec: { containers: [{ name: "c", image: "i" }], tolerations } };
}

class Daemons extends Scenario {
  ready = true;

  static async begin(spec: object, keys: readonly string[] = taints): Promise<Daemons> {
    const daemons = new Daemons({ controllers: [daemonSetController] });
    daemons.onPod = () => (daemons.ready ? readyStatus(daemons.clock) : undefined);
    await daemons.start();
    for (const [at, key] of keys.entries()) {
      const node = makeNode(`n${at}`, {});
      await daemons.create(nodes, { ...node, spec: { ...node.spec, taints: [{ key, effect: "NoSchedule" }] } });
    }
    await daemons.create(daemonSets, {
      apiVersion: "apps/v1",
      kind: "DaemonSet",
      metadata: { name: "agent", namespace: "default" },
      spec: { selector: { matchLabels: labels }, ...spec },
    } as unknown as New<DaemonSet>);
    await daemons.settle();
    return daemons;
  }

  async active(): Promise<readonly Pod[]> {
    const all = await this.list(pods);
    return all.filter(({ metadata, status }) => !metadata.deletionTimestamp && !/S|F/.test(status?.phase ?? ""));
  }

  async places(): Promise<string> {
    return (await this.active()).map(nodeOf).sort().join();
  }
}

test("with surge, pods on nodes that are to have none any more stay until others are available", async () => {
  const updateStrategy = { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
  const daemons = await Daemons.begin({ updateStrategy, template: tolerating(["y", "common"]) });
  expect(await daemons.places()).toBe("n0,n1,n4,n5");
  daemons.ready = false;
  await daemons.change(daemonSets, "agent", { spec: { template: tolerating(["z", "common"]) } });
  await daemons.settle();
  // Two new ones, one of the two that may be there twice, and all of the old.
  expect(await daemons.active()).toHaveLength(7);
  daemons.ready = true;
  await daemons.settle();
  expect(await daemons.places()).toBe("n2,n3,n4,n5");
  await daemons.change(daemonSets, "agent", { spec: { template: tolerating([]) } });
  await daemons.settle();
  expect(await daemons.places()).toBe("");
  expect((await daemons.get(daemonSets, "agent"))?.status).not.toHaveProperty("updatedNumberScheduled");
  expect(daemons.problems).toEqual([]);
});

test("without surge, pods that are not wanted any more go with the update, as many at a time as may be missing", async () => {
  const daemons = await Daemons.begin({ template: tolerating(["y", "common"]) });
  let least = 4;
  daemons.api.intercept = async ({ verb, resource }) => {
    if (resource === "pods" && verb === "create") least = Math.min(least, (await daemons.active()).length);
  };
  await daemons.change(daemonSets, "agent", { spec: { template: tolerating(["common"]) } });
  await daemons.settle();
  expect(await daemons.places()).toBe("n4,n5");
  expect(least).toBeGreaterThan(0);
});

test.each(["Succeeded", "Failed"])(
  "a pod that is over (%s) and that somebody holds on to is replaced",
  async (phase) => {
    const daemons = await Daemons.begin({ template: tolerating(["y"], { finalizers: ["a.example/held"] }) });
    const [pod] = await daemons.active();
    await daemons.change(pods, pod?.metadata.name ?? "", { status: { phase } }, "status");
    await daemons.advance(3000);
    expect(await daemons.places()).toBe("n0,n1");
    expect(await daemons.list(pods)).toHaveLength(3);
  },
);

test("a second revision of the same template takes over its pods, once the set is looked at", async () => {
  const daemons = await Daemons.begin({ template: tolerating(["y"]) });
  const [revision] = await daemons.list(controllerRevisions);
  const before = (await daemons.active()).map(({ metadata }) => metadata.uid);
  const metadata = { ...revision?.metadata, name: "agent-other", labels: { ...labels, [hashLabel]: "other" } };
  const { uid: _, resourceVersion: __, ...fresh } = metadata;
  await daemons.create(controllerRevisions, { ...revision, metadata: fresh, revision: 2 } as never);
  await daemons.settle();
  expect(await daemons.list(controllerRevisions)).toHaveLength(2);
  const node = makeNode("n9", {});
  await daemons.create(nodes, node);
  await daemons.settle();
  expect((await daemons.list(controllerRevisions)).map((one) => one.metadata.name)).toEqual(["agent-other"]);
  const after = await daemons.active();
  expect(after.map((pod) => pod.metadata.labels?.[hashLabel])).toEqual(["other", "other", "other"]);
  expect(after.map((pod) => pod.metadata.uid)).toEqual(expect.arrayContaining(before));
  expect(daemons.problems).toEqual([]);
});
