import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { coreEvents, leases, type New, type Node, nodes, type Pod, pods, priorityClasses } from "coxswain/api";
import { waitFor } from "coxswain/client";
import { type Cluster, kubeconfigFor, startCluster } from "coxswain/cluster";
import { MemoryStore } from "coxswain/store";
import { makeNode, makePod, type PodOptions } from "coxswain/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCli } from "./support/cli.js";
import { eventually, type Program } from "./support/cli-program.js";

// `coxswain scheduler` with nothing but a kubeconfig of system:kube-scheduler: what it may do is what upstream's may.

let folder: string;
let store: MemoryStore;
let cluster: Cluster;
const running: Program[] = [];
const soon = { timeoutMs: 30_000 };

const configuration = `
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: { leaseDuration: 3s, renewDeadline: 2s, retryPeriod: 500ms }
podInitialBackoffSeconds: 1
profiles:
- schedulerName: default-scheduler
- schedulerName: packing
  plugins: { score: { disabled: [{ name: NodeResourcesBalancedAllocation }] } }
  pluginConfig:
  - { name: NodeResourcesFit, args: { scoringStrategy: { type: MostAllocated } } }
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "scheduler-test-"));
  store = new MemoryStore();
  cluster = await startCluster({ store, controllers: ["serviceaccount"], scheduler: false });
  const { pki, url } = cluster;
  await writeFile(join(folder, "kubeconfig"), await kubeconfigFor(pki, url, "system:kube-scheduler", pki.scheduler));
  await writeFile(join(folder, "config.yaml"), configuration);
  await cluster.client.create(priorityClasses, {
    apiVersion: "scheduling.k8s.io/v1",
    kind: "PriorityClass",
    metadata: { name: "high" },
    value: 1000,
  });
});

afterAll(async () => {
  for (const program of running) await program[Symbol.asyncDispose]();
  await cluster?.stop();
  await store?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function startScheduler(): Program {
  const args = ["scheduler", "--kubeconfig", join(folder, "kubeconfig"), "--config", join(folder, "config.yaml"), "-v"];
  const program = startCli(args);
  running.push(program);
  return program;
}

function withoutUid<T extends { readonly metadata: { readonly uid: string } }>(
  object: T,
): Omit<T, "metadata"> & { metadata: object } {
  const { uid: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

async function node(name: string, cpuMillis: number): Promise<void> {
  await cluster.client.create(nodes, withoutUid(makeNode(name, { cpuMillis })) as New<Node>);
  // Admission keeps a new node closed until somebody looks after it.
  await cluster.client.patch(nodes, { name }, { type: "merge", body: { spec: { taints: null } } });
}

async function pod(name: string, options: PodOptions = {}): Promise<void> {
  await cluster.client.create(pods, withoutUid(makePod(name, options)) as New<Pod>);
}

const key = (name: string) => ({ namespace: "default", name });
const until = async (name: string, holds: (pod: Pod) => boolean): Promise<Pod> => {
  const found = await waitFor(cluster.client, pods, key(name), (one) => one !== undefined && holds(one), soon);
  if (found === undefined) throw new Error(`${name} is gone`);
  return found;
};
const bound = (name: string): Promise<Pod> => until(name, ({ spec }) => Boolean(spec?.nodeName));

async function eventsAbout(name: string): Promise<readonly string[]> {
  const { items } = await cluster.client.list(coreEvents, { namespace: "default" });
  return items
    .filter(({ involvedObject }) => involvedObject.name === name)
    .map(({ type, reason, message, reportingComponent }) => `${reportingComponent} ${type} ${reason}: ${message}`);
}

test("schedules, explains and preempts over HTTPS with the rights of system:kube-scheduler", async () => {
  await node("one", 1000);
  startScheduler();
  await pod("low", { cpuMillis: 800 });
  expect((await bound("low")).spec?.nodeName).toBe("one");
  await eventually(async () => (await eventsAbout("low"))[0], "an event about the pod", 30_000);
  expect(await eventsAbout("low")).toEqual([
    "default-scheduler Normal Scheduled: Successfully assigned default/low to one",
  ]);
  const lease = await cluster.client.get(leases, { namespace: "kube-system", name: "kube-scheduler" });
  expect(lease.spec).toMatchObject({ leaseDurationSeconds: 3, leaseTransitions: expect.any(Number) });

  await pod("second", { cpuMillis: 800 });
  const unbound = await until("second", ({ status }) => (status?.conditions ?? []).length > 0);
  const message =
    "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";
  expect(unbound.status?.conditions).toMatchObject([
    { type: "PodScheduled", status: "False", reason: "Unschedulable", message },
  ]);
  await eventually(async () => (await eventsAbout("second"))[0], "an event about the other pod", 30_000);
  expect(await eventsAbout("second")).toEqual([`default-scheduler Warning FailedScheduling: ${message}`]);

  await pod("high", { cpuMillis: 800, spec: { priorityClassName: "high" } });
  const nominated = await until("high", ({ status }) => Boolean(status?.nominatedNodeName));
  expect(nominated.status?.nominatedNodeName).toBe("one");
  const victim = await until("low", ({ metadata }) => metadata.deletionTimestamp !== undefined);
  expect(victim.status?.conditions).toContainEqual(
    expect.objectContaining({
      type: "DisruptionTarget",
      status: "True",
      reason: "PreemptionByScheduler",
      message: "default-scheduler: preempting to accommodate a higher priority pod",
    }),
  );
  await cluster.client.delete(pods, key("low"), { gracePeriodSeconds: 0 });
  const high = await bound("high");
  expect(await eventsAbout("low")).toContain(
    `default-scheduler Normal Preempted: Preempted by pod ${high.metadata.uid} on node one`,
  );
  await cluster.client.deleteCollection(pods, { namespace: "default", deleteOptions: { gracePeriodSeconds: 0 } });
});

test("goes on when the leader is killed: each pod is bound once, and no node is overcommitted", async () => {
  startScheduler();
  for (let index = 0; index < 8; index++) await node(`many-${index}`, 10_000);
  const count = 240;
  const names = Array.from({ length: count }, (_, index) => `pod-${index}`);
  const transitions = new Map<string, Set<string>>();
  const stop = new AbortController();
  const watching = (async () => {
    for await (const { object } of cluster.client.watch(pods, { namespace: "default", signal: stop.signal })) {
      const { nodeName } = object.spec ?? {};
      const seen = transitions.get(object.metadata.name) ?? new Set();
      transitions.set(object.metadata.name, seen);
      if (nodeName) seen.add(nodeName);
    }
  })().catch(() => {});
  const [first] = running;
  for (const [index, name] of names.entries()) {
    await pod(name, { cpuMillis: 250, ...(index % 2 === 0 ? { schedulerName: "packing" } : {}) });
    if (index === count / 2) first?.kill("SIGKILL");
  }
  for (const name of names) await bound(name);
  stop.abort();
  await watching;
  for (const name of names) expect(transitions.get(name)?.size, name).toBe(1);
  const used = new Map<string, number>();
  for (const { spec } of (await cluster.client.list(pods)).items) {
    const on = spec?.nodeName ?? "";
    used.set(on, (used.get(on) ?? 0) + 1);
  }
  for (const [name, number] of used) expect(number, name).toBeLessThanOrEqual(name === "one" ? 4 : 40);
});

test("says in one sentence what is wrong with a configuration", async () => {
  const path = join(folder, "wrong.yaml");
  await writeFile(path, `${configuration}parallelism: none\n`);
  const program = startCli(["scheduler", "--kubeconfig", join(folder, "kubeconfig"), "--config", path]);
  const { code, stderr } = await program.ended;
  expect(stderr).toBe('coxswain: parallelism: Invalid value: "none": want an integer\n');
  expect(code).toBe(1);
});
