import { request } from "node:http";
import { type Deployment, deployments, isStatusError, type New, type Service, services } from "../api/index.js";
import { type Client, waitFor } from "../client/index.js";

const replicas = 3;
const port = 8080;

const deployment: New<Deployment> = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "default", labels: { app: "web" } },
  spec: {
    replicas,
    selector: { matchLabels: { app: "web" } },
    template: {
      metadata: { labels: { app: "web" } },
      spec: {
        containers: [
          {
            name: "web",
            image: "coxswain/web:1",
            ports: [{ containerPort: port }],
            readinessProbe: { httpGet: { path: "/", port }, periodSeconds: 1 },
          },
        ],
      },
    },
  },
};

const service: New<Service> = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace: "default" },
  spec: { selector: { app: "web" }, ports: [{ port, targetPort: port }] },
};

export interface DemoResult {
  readonly address: string;
  /** The names of the pods that answered. */
  readonly pods: readonly string[];
}

/** Deploys a web server of three replicas behind a Service, and asks it until all three have answered. */
export async function runDemo(client: Client, signal: AbortSignal, get: Getter = httpGet): Promise<DemoResult> {
  await createOnce(() => client.create(deployments, deployment));
  await createOnce(() => client.create(services, service));
  const key = { namespace: "default", name: "web" };
  await waitFor(client, deployments, key, (object) => object?.status?.readyReplicas === replicas, { signal });
  const { spec } = await client.get(services, key);
  const address = `${spec?.clusterIP}:${port}`;
  const pods = new Set<string>();
  while (pods.size < replicas && !signal.aborted) {
    const answer = await get(`http://${address}/`, signal).catch(() => undefined);
    const name = answer === undefined ? undefined : /web-[a-z0-9]+-[a-z0-9]+/.exec(answer)?.[0];
    if (name !== undefined) pods.add(name);
    else await new Promise((resolve) => setTimeout(resolve, 50));
  }
  signal.throwIfAborted();
  return { address, pods: [...pods].sort() };
}

async function createOnce(create: () => Promise<unknown>): Promise<void> {
  try {
    await create();
  } catch (error) {
    // A cluster that is kept has it from last time.
    if (!isStatusError(error, "AlreadyExists")) throw error;
  }
}

export type Getter = (url: string, signal: AbortSignal) => Promise<string>;

/** A connection of its own for each request, so that each may reach another pod. */
function httpGet(url: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(url, { agent: false, signal, timeout: 2_000 }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        body += chunk.slice(0, 4096 - body.length);
      });
      response.on("end", () => resolve(body));
      response.on("error", reject);
    });
    call.on("timeout", () => call.destroy(new Error("no answer")));
    call.on("error", reject);
    call.end();
  });
}
