import { type New, type Node, nodes as nodesResource, type Pod, pods } from "coxswain/api";
import { startControlPlane } from "coxswain/cluster";
import { cost, type Row, rate } from "./rows.js";
import { bareRate } from "./scheduler/run.js";

const count = 10_000;
const creators = 32;

function node(index: number): New<Node> {
  const amounts = { cpu: "32", memory: "64Gi", pods: "110" };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name: `node-${index}`,
      labels: { "kubernetes.io/hostname": `node-${index}`, "topology.kubernetes.io/zone": `zone-${index % 3}` },
    },
    status: { capacity: amounts, allocatable: amounts, conditions: [] },
  };
}

function pod(index: number): New<Pod> {
  const resources = { requests: { cpu: "100m", memory: "500Mi" } };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `pod-${index}`, namespace: "default" },
    spec: { containers: [{ name: "main", image: "pause:1", resources }] },
  };
}

/**
 * From create to bound, all parts in one process on the memory store: pods a second, and CPU for each, against creating and binding
 * without a scheduler.
 */
export async function bindRate(name: string, nodeCount: number): Promise<readonly Row[]> {
  const bare = await bareRate(nodeCount);
  await using cp = await startControlPlane({ controllers: [], scheduler: {} });
  for (let index = 0; index < nodeCount; index++) await cp.client.create(nodesResource, node(index));
  await cp.settled();
  const cpu = process.cpuUsage();
  const began = performance.now();
  const bound = allBound(cp.client.watch(pods));
  let next = 0;
  const create = async (): Promise<void> => {
    while (next < count) await cp.client.create(pods, pod(next++));
  };
  await Promise.all(Array.from({ length: creators }, create));
  await bound;
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return [
    rate(name, count / seconds, "pods/s", bare.podsPerSecond),
    cost(`${name}: CPU`, (user + system) / count, "us/pod", bare.cpuMicros),
  ];
}

async function allBound(events: AsyncIterable<{ readonly type: string; readonly object: Pod }>): Promise<void> {
  let bound = 0;
  for await (const { type, object } of events) {
    if (type === "MODIFIED" && object.spec?.nodeName && ++bound === count) return;
  }
}
