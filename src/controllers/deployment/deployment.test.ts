import { expect, test } from "vitest";
import { type Deployment, deployments, type New, pods, replicaSets, statusErrors } from "../../api/index.js";
import { readyStatus, Scenario } from "../../testing/controller-scenario.js";
import { replicaSetController } from "../replicaset/replicaset.js";
import { deploymentController } from "./deployment.js";

const labels = { app: "web" };

function makeDeployment(replicas: number, image = "v1", spec: object = {}): New<Deployment> {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "default" },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } },
      progressDeadlineSeconds: 600,
      revisionHistoryLimit: 10,
      template: template(image),
      ...spec,
    },
  };
}

const template = (image: string) => ({ metadata: { labels }, spec: { containers: [{ name: "c", image }] } });

async function begin(replicas: number, spec: object = {}): Promise<Scenario> {
  const scenario = new Scenario({ controllers: [deploymentController, replicaSetController] });
  await scenario.start();
  await scenario.create(deployments, makeDeployment(replicas, "v1", spec));
  await scenario.settle();
  return scenario;
}

const setImage = (scenario: Scenario, image: string) =>
  scenario.change(deployments, "web", { spec: { template: template(image) } });

const images = async (scenario: Scenario) =>
  (await scenario.list(pods)).map((pod) => pod.spec?.containers[0]?.image ?? "").sort();

const conditionsOf = async (scenario: Scenario) =>
  ((await scenario.get(deployments, "web"))?.status?.conditions ?? []).map(
    ({ type, status, reason, message }) => `${type}=${status} ${reason}: ${message}`,
  );

test("rolls out its first version", async () => {
  const scenario = await begin(10);
  const [replicaSet] = await scenario.list(replicaSets);
  const hash = replicaSet?.metadata.labels?.["pod-template-hash"] ?? "";
  expect(hash).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{5,10}$/);
  expect(replicaSet?.metadata.name).toBe(`web-${hash}`);
  expect(replicaSet?.metadata.annotations).toEqual({
    "deployment.kubernetes.io/desired-replicas": "10",
    "deployment.kubernetes.io/max-replicas": "13",
    "deployment.kubernetes.io/revision": "1",
  });
  expect(replicaSet?.spec?.selector.matchLabels).toEqual({ app: "web", "pod-template-hash": hash });
  const deployment = await scenario.get(deployments, "web");
  expect(deployment?.metadata.annotations).toEqual({ "deployment.kubernetes.io/revision": "1" });
  expect(deployment?.status).toMatchObject({
    observedGeneration: 1,
    replicas: 10,
    updatedReplicas: 10,
    readyReplicas: 10,
    availableReplicas: 10,
  });
  expect(await conditionsOf(scenario)).toEqual([
    "Available=True MinimumReplicasAvailable: Deployment has minimum availability.",
    `Progressing=True NewReplicaSetAvailable: ReplicaSet "web-${hash}" has successfully progressed.`,
  ]);
  expect(await scenario.eventsOf("web")).toEqual([`ScalingReplicaSet: Scaled up replica set web-${hash} from 0 to 10`]);
  expect(scenario.problems).toEqual([]);
});

test("a rolling update never leaves its bounds, at whatever moment one looks", async () => {
  const scenario = await begin(10);
  let [most, leastAvailable] = [0, 100];
  scenario.onPod = () => {
    return readyStatus(scenario.clock);
  };
  scenario.api.intercept = ({ verb, resource, subresource }) => {
    if (resource !== "pods" || subresource !== undefined || (verb !== "create" && verb !== "delete")) return;
    void scenario.client.list(pods).then(({ items }) => {
      const alive = items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      most = Math.max(most, alive.length);
      const ready = alive.filter(({ status }) => status?.conditions?.[0]?.status === "True");
      leastAvailable = Math.min(leastAvailable, ready.length);
    });
  };
  await setImage(scenario, "v2");
  await scenario.settle();
  expect(await images(scenario)).toEqual(Array(10).fill("v2"));
  expect(most).toBeLessThanOrEqual(13);
  expect(leastAvailable).toBeGreaterThanOrEqual(8);
  const revisions = (await scenario.list(replicaSets)).map((one) => [
    one.metadata.annotations?.["deployment.kubernetes.io/revision"],
    one.spec?.replicas,
  ]);
  expect(revisions).toEqual([
    ["1", 0],
    ["2", 10],
  ]);
});

test("undo goes back to the old ReplicaSet under a new revision and remembers the old one", async () => {
  const scenario = await begin(4);
  await setImage(scenario, "v2");
  await scenario.settle();
  await setImage(scenario, "v1");
  await scenario.settle();
  expect(await images(scenario)).toEqual(Array(4).fill("v1"));
  const all = await scenario.list(replicaSets);
  expect(all).toHaveLength(2);
  expect(all[0]?.metadata.annotations).toMatchObject({
    "deployment.kubernetes.io/revision": "3",
    "deployment.kubernetes.io/revision-history": "1",
  });
});

test("counts on from a revision that numbers do not hold exactly", async () => {
  const scenario = new Scenario({ controllers: [deploymentController, replicaSetController] });
  await scenario.start();
  const revision = "deployment.kubernetes.io/revision";
  await scenario.create(replicaSets, {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name: "adopted", namespace: "default", annotations: { [revision]: "3546343826724305832" }, labels },
    spec: { replicas: 1, selector: { matchLabels: labels }, template: template("v0") },
  });
  await scenario.settle();
  await scenario.create(deployments, makeDeployment(1));
  await scenario.settle();
  expect((await scenario.get(deployments, "web"))?.metadata.annotations?.[revision]).toBe("3546343826724305833");
  const revisions = (await scenario.list(replicaSets)).map(({ metadata }) => metadata.annotations?.[revision]);
  expect(revisions.sort()).toEqual(["3546343826724305832", "3546343826724305833"]);
});

test("Recreate ends all old pods before it begins new ones", async () => {
  const scenario = await begin(3, { strategy: { type: "Recreate" } });
  let mixed = false;
  scenario.onPod = () => {
    void images(scenario).then((all) => {
      if (new Set(all).size > 1) mixed = true;
    });
    return readyStatus(scenario.clock);
  };
  await setImage(scenario, "v2");
  await scenario.settle();
  expect(await images(scenario)).toEqual(["v2", "v2", "v2"]);
  expect(mixed).toBe(false);
});

test("a rollout that does not come up keeps the old pods and runs out of time", async () => {
  const scenario = await begin(4, { progressDeadlineSeconds: 60 });
  scenario.onPod = () => readyStatus(scenario.clock, false);
  await setImage(scenario, "broken");
  await scenario.advance(70_000, 5000);
  expect(await images(scenario)).toEqual(["broken", "broken", "v1", "v1", "v1"]);
  const name = (await scenario.list(replicaSets))[1]?.metadata.name;
  expect(await conditionsOf(scenario)).toEqual([
    "Available=True MinimumReplicasAvailable: Deployment has minimum availability.",
    `Progressing=False ProgressDeadlineExceeded: ReplicaSet "${name}" has timed out progressing.`,
  ]);
  scenario.onPod = undefined;
  await setImage(scenario, "v3");
  await scenario.settle();
  expect(await images(scenario)).toEqual(Array(4).fill("v3"));
});

test("scaling in the middle of a rollout spreads the pods in proportion", async () => {
  const scenario = await begin(10, {
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } },
  });
  scenario.onPod = () => readyStatus(scenario.clock, false);
  await setImage(scenario, "v2");
  await scenario.settle();
  const sizes = async () => (await scenario.list(replicaSets)).map(({ spec }) => spec?.replicas);
  expect(await sizes()).toEqual([8, 5]);
  await scenario.change(deployments, "web", { spec: { replicas: 30 } });
  await scenario.settle();
  // 33 in place of 13: 8/13 of the new ones for the old, the rest for the new.
  expect(await sizes()).toEqual([20, 13]);
});

test("a paused one scales but does not roll, and goes on when resumed", async () => {
  const scenario = await begin(2);
  await scenario.change(deployments, "web", { spec: { paused: true } });
  await setImage(scenario, "v2");
  await scenario.change(deployments, "web", { spec: { replicas: 4 } });
  await scenario.settle();
  expect(await images(scenario)).toEqual(["v1", "v1", "v1", "v1"]);
  expect(await conditionsOf(scenario)).toContain("Progressing=Unknown DeploymentPaused: Deployment is paused");
  await scenario.change(deployments, "web", { spec: { paused: false } });
  await scenario.settle();
  expect(await images(scenario)).toEqual(["v2", "v2", "v2", "v2"]);
});

test("history beyond the limit is deleted, oldest first", async () => {
  const scenario = await begin(1, { revisionHistoryLimit: 2 });
  for (const image of ["v2", "v3", "v4", "v5"]) {
    await setImage(scenario, image);
    await scenario.advance(1000);
  }
  const kept = (await scenario.list(replicaSets)).map(({ spec }) => spec?.template?.spec?.containers[0]?.image);
  expect(kept).toEqual(["v3", "v4", "v5"]);
});

test("a name that another template has taken makes a collision, and another name", async () => {
  const scenario = await begin(1);
  const [first] = await scenario.list(replicaSets);
  await scenario.delete(deployments, "web");
  const name = first?.metadata.name ?? "";
  await scenario.delete(replicaSets, name);
  const theirs = { app: "stranger" };
  await scenario.create(replicaSets, {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name, namespace: "default" },
    spec: {
      replicas: 0,
      selector: { matchLabels: theirs },
      template: { ...template("v1"), metadata: { labels: theirs } },
    },
  });
  await scenario.create(deployments, makeDeployment(1));
  await scenario.advance(2000);
  expect((await scenario.get(deployments, "web"))?.status?.collisionCount).toBe(1);
  expect((await scenario.get(deployments, "web"))?.status?.availableReplicas).toBe(1);
});

test("controllers may stop at any write of a rollout and finish it after a restart", async () => {
  for (let at = 1; at <= 24; at++) {
    const scenario = await begin(4);
    let writes = 0;
    scenario.api.intercept = ({ verb, resource }) => {
      if (resource !== "events" && verb !== "list" && verb !== "get" && ++writes === at) void scenario.stop();
    };
    await setImage(scenario, "v2");
    await scenario.settle();
    await scenario.restart();
    expect([at, await images(scenario)]).toEqual([at, Array(4).fill("v2")]);
    expect((await scenario.get(deployments, "web"))?.status).toMatchObject({
      updatedReplicas: 4,
      availableReplicas: 4,
    });
    await scenario.stop();
  }
});

test("is silent where a namespace is going, and nothing can be made", async () => {
  const scenario = new Scenario({ controllers: [deploymentController, replicaSetController] });
  await scenario.start();
  const causes = [
    { reason: "NamespaceTerminating", message: "namespace default is being terminated", field: "metadata.namespace" },
  ];
  scenario.api.intercept = ({ verb, resource }) => {
    if (resource !== "replicasets" || verb !== "create") return;
    throw statusErrors.forbidden({ group: "apps", resource }, "web-1", "it is being terminated", causes);
  };
  await scenario.create(deployments, makeDeployment(1));
  await scenario.advance(10_000);
  expect(await scenario.list(replicaSets)).toEqual([]);
  expect(scenario.problems).toEqual([]);
});
