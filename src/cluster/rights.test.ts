import { afterEach, expect, test } from "vitest";
import { builtinDescriptions } from "../api/describe/index.js";
import {
  type Deployment,
  daemonSets,
  deployments,
  type New,
  namespaces,
  nodes,
  type Pod,
  type PodTemplateSpec,
  podDisruptionBudgets,
  pods,
  priorityClasses,
  serviceAccounts,
  services,
} from "../api/index.js";
import { builtinStrategies } from "../api/kinds/index.js";
import { defaultAdmission } from "../apiserver/admission/default-admission.js";
import { liveDeps } from "../apiserver/admission/live-deps.js";
import { inScope, usageOf } from "../apiserver/admission/quota-usage.js";
import { controllerRoles } from "../apiserver/authz/bootstrap/controller-roles.js";
import { ensureNamespaces, ensurePriorityClasses } from "../apiserver/bootstrap/system-objects.js";
import { ApiServer, serviceHooks } from "../apiserver/index.js";
import { type Client, createClient, waitFor } from "../client/index.js";
import { builtinControllers, createManager } from "../controllers/index.js";
import { realClock } from "../internal/clock.js";
import { systemRandom } from "../internal/random.js";
import { createNodeAgent } from "../node/index.js";
import { FakeRuntime } from "../runtime/index.js";
import { createScheduler } from "../scheduler/index.js";
import { MemoryStore } from "../store/index.js";
import { UpstreamRights } from "../testing/upstream-rights.js";
import { identities } from "./identities.js";
import { Supervisor } from "./supervisor.js";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** All parts of a cluster, each with upstream's rights for it and no others. */
async function start(): Promise<{ readonly client: Client; readonly rights: UpstreamRights }> {
  const clock = realClock;
  const random = systemRandom;
  const store = new MemoryStore({ clock });
  const rights = new UpstreamRights();
  const server = new ApiServer({
    store,
    resources: builtinDescriptions(builtinStrategies),
    clock,
    random,
    authorizer: rights.authorizer,
    hooks: (api) => serviceHooks(api, { store }),
    // TaintNodesByCondition waits for the node lifecycle controller, which is one of the parts here.
    admission: (api) => defaultAdmission({ cache: api.cacheReader, clock, random, ...liveDeps(api) }),
  });
  const supervisor = new Supervisor();
  stops.push(() => store[Symbol.asyncDispose]());
  stops.push(() => supervisor.stop());
  const api = {
    name: "apiserver",
    dependencies: [],
    run: (context: Parameters<typeof server.component.run>[0]) => server.component.run(context),
  };
  await supervisor.start([api]);
  await ensureNamespaces(server.transport());
  await ensurePriorityClasses(server.transport());
  const as = (user: Parameters<typeof server.transport>[0], agent?: string): Client =>
    createClient(server.transport(user, agent));
  const manager = createManager({
    client: as(identities.controllerManager),
    clientFor: (account) => {
      expect(Object.keys(controllerRoles)).toContain(account);
      return as(identities.controller(account));
    },
    controllers: builtinControllers({
      rootCa: "PEM",
      quota: { usageOf, inScope },
      nodeIpam: { clusterCidrs: ["10.244.0.0/16"] },
      signToken: async () => "token",
    }),
    leaderElection: { identity: "a" },
  });
  const scheduler = createScheduler({
    client: as(identities.scheduler),
    leaderElection: { namespace: "kube-system", name: "kube-scheduler", identity: "a" },
  });
  const agents = ["n1", "n2"].map((nodeName) => {
    const client = as(identities.node(nodeName), "kubelet");
    const runtime = new FakeRuntime({ clock });
    return createNodeAgent({ client, runtime, nodeName, resources: { cpu: "4", memory: "8Gi", pods: "110" } });
  });
  await supervisor.start([manager, scheduler, ...agents]);
  return { client: as(undefined), rights };
}

const labels = { app: "web" };
const selector = { matchLabels: labels };
const template = (image: string): PodTemplateSpec => ({
  metadata: { labels },
  spec: { containers: [{ name: "main", image, resources: { requests: { cpu: "100m" } } }] },
});
const place = { namespace: "work", name: "web" };
const soon = { timeoutMs: 15_000 };

test("controller manager, scheduler and nodes need no rights beyond upstream's", async () => {
  const { client, rights } = await start();
  await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "work" } });
  const account = { namespace: "work", name: "default" };
  await waitFor(client, serviceAccounts, account, (one) => one !== undefined, soon);
  await client.create(deployments, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: place,
    spec: { replicas: 5, selector, template: template("web:1") },
  });
  await client.create(services, {
    apiVersion: "v1",
    kind: "Service",
    metadata: place,
    spec: { selector: labels, ports: [{ port: 80 }] },
  });
  await client.create(podDisruptionBudgets, {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: place,
    spec: { minAvailable: 1, selector },
  });
  await waitFor(client, deployments, place, (one) => one?.status?.readyReplicas === 5, soon);
  const body = { spec: { template: template("web:2") } };
  const { metadata } = await client.patch(deployments, place, { type: "merge", body });
  await waitFor(client, deployments, place, (one) => isRolledOut(one, metadata.generation ?? 0), soon);
  await waitFor(client, podDisruptionBudgets, place, (one) => one?.status?.currentHealthy === 5, soon);
  rights.check();
});

test("nor to preempt, to keep pods on every node, to lose a node and to empty a namespace", async () => {
  const { client, rights } = await start();
  await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "work" } });
  const account = { namespace: "work", name: "default" };
  await waitFor(client, serviceAccounts, account, (one) => one !== undefined, soon);
  await client.create(daemonSets, {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: place,
    spec: { selector, template: template("web:1") },
  });
  await waitFor(client, daemonSets, place, (one) => one?.status?.numberReady === 2, soon);
  const pod = (name: string, cpu: string, priorityClassName?: string): New<Pod> => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: "work", name },
    spec: {
      containers: [{ name: "main", image: "web:1", resources: { requests: { cpu } } }],
      ...(priorityClassName === undefined ? {} : { priorityClassName }),
    },
  });
  const running = async (name: string): Promise<unknown> =>
    waitFor(client, pods, { namespace: "work", name }, (one) => one?.status?.phase === "Running", soon);
  for (const name of ["low-1", "low-2"]) await client.create(pods, pod(name, "3"));
  await Promise.all(["low-1", "low-2"].map(running));
  await client.create(priorityClasses, {
    apiVersion: "scheduling.k8s.io/v1",
    kind: "PriorityClass",
    metadata: { name: "high" },
    value: 1000,
  });
  await client.create(pods, pod("high", "3", "high"));
  await running("high");
  await client.create(pods, pod("never", "30"));
  await waitFor(client, pods, { namespace: "work", name: "never" }, isUnschedulable, soon);
  const taints = [{ key: "out", effect: "NoExecute" }];
  await client.patch(nodes, { name: "n1" }, { type: "merge", body: { spec: { taints } } });
  const onNode = async (): Promise<number> =>
    (await client.list(pods, { fieldSelector: "spec.nodeName=n1" })).items.length;
  await waitFor(client, daemonSets, place, (one) => one?.status?.desiredNumberScheduled === 1, soon);
  await client.delete(namespaces, { name: "work" });
  await waitFor(client, namespaces, { name: "work" }, (one) => one === undefined, soon);
  expect(await onNode()).toBe(0);
  rights.check();
});

function isRolledOut(deployment: Deployment | undefined, generation: number): boolean {
  const { observedGeneration = 0, updatedReplicas, replicas, readyReplicas } = deployment?.status ?? {};
  return observedGeneration >= generation && [updatedReplicas, replicas, readyReplicas].every((count) => count === 5);
}

function isUnschedulable(pod: Pod | undefined): boolean {
  return (pod?.status?.conditions ?? []).some(
    ({ type, reason }) => type === "PodScheduled" && reason === "Unschedulable",
  );
}
