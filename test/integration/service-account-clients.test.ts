import { afterAll, beforeAll, expect, test } from "vitest";
import { deployments, namespaces, pods, replicaSets, secrets, serviceAccounts } from "../../src/api/index.js";
import { createClient, HttpTransport, type HttpTransportOptions, waitFor } from "../../src/client/index.js";
import { type Cluster, startCluster } from "../../src/cluster/cluster.js";
import { ServiceAccountClients } from "../../src/cluster/service-account-clients.js";
import { builtinControllers } from "../../src/controllers/index.js";
import { createManager } from "../../src/controllers/manager.js";
import { MemoryStore } from "../../src/store/index.js";

let cluster: Cluster;
let store: MemoryStore;

beforeAll(async () => {
  store = new MemoryStore();
  cluster = await startCluster({ store, controllers: [], scheduler: false });
});

afterAll(async () => {
  await cluster?.stop();
  await store?.[Symbol.asyncDispose]();
});

test("a controller manager of its own process works as its service accounts, with tokens that it asks for", async () => {
  const { certificate, key } = cluster.pki.controllerManager;
  const access: HttpTransportOptions = {
    server: cluster.url,
    ca: cluster.pki.ca.certificate,
    clientCertificate: certificate,
    clientKey: key,
  };
  await using transport = new HttpTransport(access);
  const client = createClient(transport);
  await using clients = new ServiceAccountClients({ client, transport: access });
  const problems: string[] = [];
  const note = (message: string, fields?: object): void => {
    const { error } = (fields ?? {}) as { readonly error?: unknown };
    problems.push(`${message}: ${error instanceof Error ? error.message : ""}`);
  };
  const manager = createManager({
    client,
    clientFor: (account, controller) => clients.clientFor(account, `kube-controller-manager/${controller}`),
    controllers: builtinControllers({ rootCa: cluster.pki.ca.certificate, signToken: async () => "t" }),
    leaderElection: { identity: "one" },
    logger: { debug: () => {}, info: () => {}, warn: note, error: note },
  });
  const stop = new AbortController();
  const running = manager.run({ signal: stop.signal, ready: () => {} });
  const soon = { timeoutMs: 30_000 };
  const admin = cluster.client;
  try {
    await admin.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "work" } });
    await waitFor(admin, serviceAccounts, { namespace: "work", name: "default" }, (one) => one !== undefined, soon);
    await admin.create(deployments, {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { namespace: "work", name: "web" },
      spec: {
        replicas: 3,
        selector: { matchLabels: { app: "web" } },
        template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "web:1" }] } },
      },
    });
    await waitFor(admin, deployments, { namespace: "work", name: "web" }, (one) => one?.status?.replicas === 3, soon);
    const [replicaSet] = (await admin.list(replicaSets, { namespace: "work" })).items;
    expect(replicaSet?.metadata.managedFields?.[0]?.manager).toBe("kube-controller-manager");
    await admin.create(secrets, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: {
        namespace: "work",
        name: "t",
        annotations: { "kubernetes.io/service-account.name": "default" },
      },
      type: "kubernetes.io/service-account-token",
    });
    await waitFor(admin, secrets, { namespace: "work", name: "t" }, (one) => one?.data?.["token"] !== undefined, soon);
    const accounts = (await admin.list(serviceAccounts, { namespace: "kube-system" })).items;
    expect(accounts.map(({ metadata }) => metadata.name)).toContain("deployment-controller");
    await admin.delete(namespaces, { name: "work" });
    await waitFor(admin, namespaces, { name: "work" }, (one) => one === undefined, soon);
    expect((await admin.list(pods)).items).toEqual([]);
    expect(problems.filter((problem) => /forbidden|cannot|unauthorized/i.test(problem))).toEqual([]);
  } finally {
    stop.abort();
    await running;
  }
});
