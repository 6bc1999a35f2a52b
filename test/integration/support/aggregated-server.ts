import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { builtinDescriptions } from "../../../src/api/describe/index.js";
import { type APIService, apiServices, endpointSlices, namespaces, services } from "../../../src/api/index.js";
import { builtinStrategies } from "../../../src/api/kinds/index.js";
import { type ClusterPki, createClusterPki } from "../../../src/apiserver/pki/cluster-pki.js";
import { SecuredApiServer } from "../../../src/apiserver/secured-api-server.js";
import { type Client, createClient, waitFor } from "../../../src/client/index.js";
import { kubeconfigFor } from "../../../src/cluster/cluster.js";
import { loopbackStrategies } from "../../../src/cluster/loopback-endpoints.js";
import { realClock } from "../../../src/internal/clock.js";
import { MemoryStore } from "../../../src/store/index.js";
import { ExtensionServer, group, version } from "./extension-server.js";
import { createKubectl, type Kubectl } from "./kubectl.js";

/** The APIService under test. */
export const aggregatedName: string = `${version}.${group}`;

export interface Answer {
  readonly code: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

interface Parts {
  readonly home: string;
  readonly pki: ClusterPki;
  readonly server: SecuredApiServer;
  readonly client: Client;
  readonly kubectl: Kubectl;
  /** Of the certificate of the server behind. */
  readonly caBundle: string;
  readonly extension: ExtensionServer;
  readonly stop: AbortController;
  readonly running: Promise<void>;
}

/** An API server, another one behind an APIService of it, and who asks. */
export class AggregatedServer {
  readonly pki: ClusterPki;
  readonly server: SecuredApiServer;
  readonly client: Client;
  readonly kubectl: Kubectl;
  readonly caBundle: string;
  extension: ExtensionServer;
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.pki = parts.pki;
    this.server = parts.server;
    this.client = parts.client;
    this.kubectl = parts.kubectl;
    this.caBundle = parts.caBundle;
    this.extension = parts.extension;
  }

  static async start(): Promise<AggregatedServer> {
    const home = await mkdtemp(join(tmpdir(), "coxswain-aggregation-"));
    const pki = await createClusterPki({ clock: realClock });
    const server = new SecuredApiServer({
      store: new MemoryStore(),
      pki,
      host: "127.0.0.1",
      port: 0,
      tokens: new Map([
        ["jane-token", { username: "jane", groups: ["dev,ops", "team"], extra: { "a/b": ["1", "ü"] } }],
      ]),
      resources: builtinDescriptions(loopbackStrategies(builtinStrategies)),
      allowLocalAddresses: true,
    });
    const stop = new AbortController();
    let running = Promise.resolve();
    await new Promise<void>((resolve, reject) => {
      running = server.run({ signal: stop.signal, ready: resolve });
      running.catch(reject);
    });
    const client = createClient(server.transport());
    const serving = await pki.ca.issue({ commonName: "x", usages: ["server"], dnsNames: ["wardle.default.svc"] });
    const caBundle = Buffer.from(pki.ca.certificate).toString("base64");
    const extension = new ExtensionServer(pki, serving);
    const port = await extension.listen();
    const kubeconfig = join(home, "kubeconfig");
    await writeFile(kubeconfig, await kubeconfigFor(pki, server.https.url, "admin", pki.admin), { mode: 0o600 });
    const kubectl = await createKubectl({ kubeconfig, home });
    await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
    await client.create(services, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "wardle", namespace: "default" },
      spec: { ports: [{ port: 443, protocol: "TCP" }], clusterIP: "10.96.0.77", type: "ClusterIP" },
    });
    await client.create(endpointSlices, {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: "wardle-1", namespace: "default", labels: { "kubernetes.io/service-name": "wardle" } },
      addressType: "IPv4",
      endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
      ports: [{ name: "", port, protocol: "TCP" }],
    });
    await client.create(apiServices, apiService({ caBundle }));
    const made = new AggregatedServer({ home, pki, server, client, kubectl, caBundle, extension, stop, running });
    await made.availability("True");
    return made;
  }

  async stop(): Promise<void> {
    const { stop, running, home } = this.#parts;
    stop.abort();
    await running;
    await this.extension.close();
    await rm(home, { recursive: true, force: true });
  }

  async availability(status: string, of: string = aggregatedName, reason?: string): Promise<string> {
    const found = await waitFor(
      this.client,
      apiServices,
      { name: of },
      (object) =>
        object?.status?.conditions?.some((one) => one.status === status && (!reason || one.reason === reason)) === true,
      { timeoutMs: 20_000 },
    );
    const [condition] = found?.status?.conditions ?? [];
    return `${condition?.reason}: ${condition?.message}`;
  }

  ask(
    path: string,
    options: {
      readonly method?: string;
      readonly headers?: Record<string, string>;
      readonly body?: string;
      readonly token?: string;
    } = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = httpsRequest(
        {
          host: "127.0.0.1",
          port: this.server.https.port,
          path,
          method: options.method ?? "GET",
          agent: false,
          ca: this.pki.ca.certificate,
          ...(options.token === undefined ? { cert: this.pki.admin.certificate, key: this.pki.admin.key } : {}),
          headers: {
            ...options.headers,
            ...(options.token === undefined ? {} : { Authorization: `Bearer ${options.token}` }),
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () =>
            resolve({
              code: response.statusCode ?? 0,
              headers: response.headers,
              body: Buffer.concat(chunks).toString(),
            }),
          );
        },
      );
      request.on("error", reject);
      request.end(options.body);
    });
  }
}

export function apiService(spec: Partial<NonNullable<APIService["spec"]>>): APIService {
  return {
    apiVersion: "apiregistration.k8s.io/v1",
    kind: "APIService",
    metadata: { name: aggregatedName },
    spec: {
      group,
      version,
      groupPriorityMinimum: 2000,
      versionPriority: 10,
      service: { namespace: "default", name: "wardle" },
      ...spec,
    },
  } as APIService;
}
