import { type Deployment, deployments, type New } from "coxswain/api";
import { startControlPlane } from "coxswain/cluster";
import { figure, median, type Row } from "./rows.js";

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

/** Milliseconds from creating a Deployment to all its replicas being Ready on hollow nodes; median of 10. */
export async function deploymentReady(name: string, nodes: number, replicas: number): Promise<readonly Row[]> {
  const times: number[] = [];
  for (let round = 0; round < 10; round++) {
    await using cp = await startControlPlane({ nodes });
    const began = performance.now();
    await cp.client.create(deployments, deploymentOf(replicas));
    for await (const { object } of cp.client.watch(deployments, { namespace: "default" })) {
      if (object.status?.readyReplicas === replicas) break;
    }
    times.push(performance.now() - began);
  }
  return [figure(name, median(times), "ms")];
}
