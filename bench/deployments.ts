import { type Deployment, deployments, type New, pods } from "coxswain/api";
import { startControlPlane } from "coxswain/cluster";
import { MemoryStore } from "coxswain/store";
import { cost, median, type Row } from "./rows.js";

export function deploymentOf(replicas: number): New<Deployment> {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "default" },
    spec: {
      replicas,
      selector: { matchLabels: { app: "web" } },
      template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "main", image: "web:1" }] } },
    },
  };
}

/**
 * Milliseconds from creating a Deployment to all its replicas being Ready on hollow nodes, against the writes alone that this takes:
 * each pod is created, bound, and has its status written twice. Median of 10.
 */
export async function deploymentReady(name: string, nodes: number, replicas: number): Promise<readonly Row[]> {
  const times: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < 10; round++) {
    await using cp = await startControlPlane({ nodes });
    const began = performance.now();
    await cp.client.create(deployments, deploymentOf(replicas));
    for await (const { object } of cp.client.watch(deployments, { namespace: "default" })) {
      if (object.status?.readyReplicas === replicas) break;
    }
    times.push(performance.now() - began);
    const [pod] = (await cp.client.list(pods, { limit: 1 })).items;
    bare.push(await bareWrites(JSON.stringify(pod), replicas));
  }
  return [cost(name, median(times), "ms", median(bare))];
}

const writesOfPod = 4;

async function bareWrites(pod: string, count: number): Promise<number> {
  await using store = new MemoryStore();
  const began = performance.now();
  for (let index = 0; index < count; index++) {
    const encode = (): Buffer => Buffer.from(JSON.stringify(JSON.parse(pod)));
    let { revision } = await store.create(`/registry/pods/default/${index}`, encode());
    for (let write = 1; write < writesOfPod; write++) {
      ({ revision } = await store.update(`/registry/pods/default/${index}`, encode(), revision));
    }
  }
  return performance.now() - began;
}
