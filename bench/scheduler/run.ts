import { type New, namespaces, nodes as nodesResource, type Pod, pods, priorityClasses } from "coxswain/api";
import type { Client } from "coxswain/client";
import { type ControlPlane, startControlPlane } from "coxswain/cluster";
import { defaultPolicies, explanationText } from "coxswain/scheduler";
import { benchNode, benchPod, defaultPods, type Workload } from "./workloads.js";

const creators = 32;
/** Pods that wait longer than this never get a node: the workload does not fit. */
const patienceMs = 120_000;

export interface Measured {
  readonly podsPerSecond: number;
  readonly cpuMicros: number;
}

/** From create to bound, API server and scheduler in one process on the memory store, validation and admission on. */
export async function schedulerRate(workload: Workload, nodes: number): Promise<Measured> {
  const policies = [
    ...defaultPolicies(),
    ...(workload.policies ?? []).map((entry) => ("policy" in entry ? entry : { policy: entry, weight: 1 })),
  ];
  await using cp = await startControlPlane({ controllers: [], scheduler: { policies } });
  await prepare(cp.client, workload, nodes);
  const { before, hopeless = 0 } = workload;
  for (let index = 0; index < hopeless; index++) {
    await cp.client.create(pods, benchPod(`hopeless-${index}`, { cpu: "9" }));
  }
  if (before !== undefined) await createAndAwait(cp.client, before.count(nodes), "", before.pod);
  await cp.settled();
  const count = workload.pods?.(nodes) ?? defaultPods;
  const { explainEveryMs = Number.POSITIVE_INFINITY } = workload;
  let explainedAt = performance.now();
  // Awaited here: the control plane ends with this function.
  return await measure(count, () =>
    createAndAwait(cp.client, count, "before-", (index) => {
      if (performance.now() - explainedAt >= explainEveryMs) {
        explainedAt = performance.now();
        readExplanation(cp, index);
      }
      return workload.pod(index, nodes);
    }),
  );
}

/** What creating and binding cost by themselves: somebody binds every pod to the next node without looking. */
export async function bareRate(nodes: number): Promise<Measured> {
  await using cp = await startControlPlane({ controllers: [], scheduler: false });
  await prepare(cp.client, {}, nodes);
  const { client } = cp;
  await cp.settled();
  const stop = new AbortController();
  const binding = bindBlindly(client, nodes, stop.signal);
  const result = await measure(defaultPods, () =>
    createAndAwait(client, defaultPods, "", (index) => benchPod(`pod-${index}`)),
  );
  stop.abort();
  await binding.catch(() => {});
  return result;
}

async function measure(count: number, work: () => Promise<void>): Promise<Measured> {
  const cpu = process.cpuUsage();
  const began = performance.now();
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { podsPerSecond: (count * 1000) / (performance.now() - began), cpuMicros: (user + system) / count };
}

async function prepare(
  client: Client,
  { namespaces: names = [], zones }: Partial<Workload>,
  nodes: number,
): Promise<void> {
  for (const name of names) {
    const metadata = { name, labels: { "kubernetes.io/metadata.name": name } };
    await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata });
  }
  const metadata = { name: "high" };
  await client.create(priorityClasses, {
    apiVersion: "scheduling.k8s.io/v1",
    kind: "PriorityClass",
    metadata,
    value: 10,
  });
  for (let index = 0; index < nodes; index++) await client.create(nodesResource, benchNode(index, zones));
}

/** Creates pods, some at a time, and waits until all of them have a node. `ignored` is how other pods' names begin. */
async function createAndAwait(
  client: Client,
  count: number,
  ignored: string,
  pod: (index: number) => New<Pod>,
): Promise<void> {
  const names = new Set<string>();
  const stop = new AbortController();
  const patience = setTimeout(() => stop.abort(), patienceMs);
  const bound = allBound(client, names, count, ignored, stop.signal);
  let next = 0;
  const create = async (): Promise<void> => {
    while (next < count) {
      const made = pod(next++);
      names.add(made.metadata.name ?? "");
      await client.create(pods, made);
    }
  };
  await Promise.all(Array.from({ length: creators }, create));
  await bound.finally(() => clearTimeout(patience));
  stop.abort();
}

async function allBound(
  client: Client,
  names: ReadonlySet<string>,
  count: number,
  ignored: string,
  signal: AbortSignal,
): Promise<void> {
  let left = count;
  for await (const { type, object } of client.watch(pods, { signal })) {
    const { name } = object.metadata;
    if (type !== "MODIFIED" || !object.spec?.nodeName || object.metadata.deletionTimestamp !== undefined) continue;
    if (ignored !== "" && name.startsWith(ignored)) continue;
    if (names.has(name) && !object.status?.conditions?.some((c) => c.type === "DisruptionTarget") && --left === 0)
      return;
  }
  throw new Error(`${left} of ${count} pods got no node`);
}

async function bindBlindly(client: Client, nodes: number, signal: AbortSignal): Promise<void> {
  let next = 0;
  for await (const { type, object } of client.watch(pods, { signal })) {
    if (type !== "ADDED" || object.spec?.nodeName) continue;
    const { name, namespace } = object.metadata;
    const target = { kind: "Node", name: `node-${next++ % nodes}` };
    const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
    void client.createSubresource(pods, { name, namespace }, "binding", {
      apiVersion: "v1",
      kind: "Binding",
      metadata,
      target,
    });
  }
}

function readExplanation({ scheduler }: ControlPlane, index: number): void {
  const pod = benchPod(`why-${index}`);
  const metadata = { name: `why-${index}`, namespace: "default", uid: "", resourceVersion: "", creationTimestamp: "" };
  const explanation = scheduler?.explain({ ...pod, metadata } as Pod);
  if (explanation !== undefined) explanationText(explanation);
}
