import { X509Certificate } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { builtinDescriptions } from "../../src/api/describe/index.js";
import {
  type APIService,
  apiServices,
  configMaps,
  endpointSlices,
  namespaces,
  type OwnerReference,
  services,
} from "../../src/api/index.js";
import { builtinStrategies } from "../../src/api/kinds/index.js";
import { bootstrapRbac } from "../../src/apiserver/authz/reconcile.js";
import { type ClusterPki, createClusterPki } from "../../src/apiserver/pki/cluster-pki.js";
import { SecuredApiServer } from "../../src/apiserver/secured-api-server.js";
import { type Client, createClient, waitFor } from "../../src/client/index.js";
import { kubeconfigFor } from "../../src/cluster/cluster.js";
import { loopbackStrategies } from "../../src/cluster/loopback-endpoints.js";
import { ProcessTransports } from "../../src/cluster/transports.js";
import { garbageCollector } from "../../src/controllers/garbagecollector/garbagecollector.js";
import { createManager } from "../../src/controllers/manager.js";
import { namespaceController } from "../../src/controllers/namespace/namespace.js";
import { realClock } from "../../src/internal/clock.js";
import { MemoryStore } from "../../src/store/index.js";
import { ExtensionServer, group, version } from "./support/extension-server.js";
import { createKubectl, type Kubectl } from "./support/kubectl.js";

const name = `${version}.${group}`;
const base = `/apis/${group}/${version}`;

let home = "";
let pki: ClusterPki;
let server: SecuredApiServer;
let extension: ExtensionServer;
let client: Client;
let kubectl: Kubectl;
let caBundle = "";
let running: Promise<void>;
const stop = new AbortController();

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "coxswain-aggregation-"));
  pki = await createClusterPki({ clock: realClock });
  server = new SecuredApiServer({
    store: new MemoryStore(),
    pki,
    host: "127.0.0.1",
    port: 0,
    tokens: new Map([["jane-token", { username: "jane", groups: ["dev,ops", "team"], extra: { "a/b": ["1", "ü"] } }]]),
    resources: builtinDescriptions(loopbackStrategies(builtinStrategies)),
    allowLocalAddresses: true,
  });
  await new Promise<void>((resolve, reject) => {
    running = server.run({ signal: stop.signal, ready: resolve });
    running.catch(reject);
  });
  client = createClient(server.transport());
  const serving = await pki.ca.issue({ commonName: "x", usages: ["server"], dnsNames: ["wardle.default.svc"] });
  caBundle = Buffer.from(pki.ca.certificate).toString("base64");
  extension = new ExtensionServer(pki, serving);
  const port = await extension.listen();
  const kubeconfig = join(home, "kubeconfig");
  await writeFile(kubeconfig, await kubeconfigFor(pki, server.https.url, "admin", pki.admin), { mode: 0o600 });
  kubectl = await createKubectl({ kubeconfig, home });
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
  await availability("True");
});

afterAll(async () => {
  stop.abort();
  await running;
  await extension?.close();
  await rm(home, { recursive: true, force: true });
});

function apiService(spec: Partial<NonNullable<APIService["spec"]>>): APIService {
  return {
    apiVersion: "apiregistration.k8s.io/v1",
    kind: "APIService",
    metadata: { name },
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

async function availability(status: string, of = name, reason?: string): Promise<string> {
  const found = await waitFor(
    client,
    apiServices,
    { name: of },
    (object) =>
      object?.status?.conditions?.some((one) => one.status === status && (!reason || one.reason === reason)) === true,
    { timeoutMs: 20_000 },
  );
  const [condition] = found?.status?.conditions ?? [];
  return `${condition?.reason}: ${condition?.message}`;
}

interface Answer {
  readonly code: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

function ask(
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
        port: server.https.port,
        path,
        method: options.method ?? "GET",
        agent: false,
        ca: pki.ca.certificate,
        ...(options.token === undefined ? { cert: pki.admin.certificate, key: pki.admin.key } : {}),
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

describe("the APIServices of the server's own groups", () => {
  test("are there, available and labelled", async () => {
    await availability("True", "v2.autoscaling");
    const list = await client.list(apiServices);
    const own = list.items.filter(({ spec }) => spec?.service === undefined);
    expect(own.map(({ metadata }) => metadata.name)).toContain("v1.");
    expect(own.map(({ metadata }) => metadata.name)).not.toContain("v1.apiregistration.k8s.io");
    expect(own.find(({ metadata }) => metadata.name === "v2.autoscaling")).toMatchObject({
      metadata: { labels: { "kube-aggregator.kubernetes.io/automanaged": "onstart" } },
      spec: { groupPriorityMinimum: 17500, versionPriority: 30 },
      status: { conditions: [{ type: "Available", status: "True", reason: "Local" }] },
    });
    expect(await kubectl.ok("get apiservices v1.apps")).toMatch(/v1\.apps\s+Local\s+True/);
  });

  test("of custom resources come and go with their definitions", async () => {
    const definition = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"tests.stable.example.com"},
      "spec":{"group":"stable.example.com","scope":"Cluster","names":{"plural":"tests","kind":"Test"},"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object"}}}]}}`;
    await kubectl.ok("create -f -", { stdin: definition });
    await availability("True", "v1.stable.example.com");
    const made = await client.get(apiServices, { name: "v1.stable.example.com" });
    expect(made).toMatchObject({
      metadata: { labels: { "kube-aggregator.kubernetes.io/automanaged": "true" } },
      spec: { groupPriorityMinimum: 1000, versionPriority: 100 },
    });
    await kubectl.ok("delete crd tests.stable.example.com");
    await waitFor(client, apiServices, { name: "v1.stable.example.com" }, (object) => object === undefined, {
      timeoutMs: 20_000,
    });
  });
});

describe("clients in the process", () => {
  const flunders = { group, version, resource: "flunders", kind: "Flunder", namespaced: true };
  const flunder = (of: string) => ({
    apiVersion: `${group}/${version}`,
    kind: "Flunder",
    metadata: { name: of, namespace: "default" },
  });

  test("reach what another server has in their own name, and watch it", async () => {
    await using transports = new ProcessTransports(server, pki);
    const user = { username: "part", groups: ["system:masters"], uid: "7", extra: { "example.com/why": ["a b"] } };
    const part = createClient(transports.transport(user, "part/1"));
    const stopWatching = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      for await (const { type, object } of part.watch(flunders, {
        namespace: "default",
        signal: stopWatching.signal,
      })) {
        seen.push(`${type} ${object.metadata.name}`);
      }
    })();
    await expect.poll(() => extension.asked.some(({ url }) => url.includes("watch"))).toBe(true);
    await part.create(flunders, flunder("inner"));
    const { headers } = extension.asked.find(({ method }) => method === "POST") ?? { headers: {} };
    expect(headers).toMatchObject({
      "x-remote-user": "part",
      "x-remote-group": expect.stringContaining("system:masters"),
      "x-remote-extra-example.com%2fwhy": "a b",
    });
    expect((await part.list(flunders, { namespace: "default" })).items.map((one) => one.metadata.name)).toEqual([
      "inner",
    ]);
    await expect.poll(() => seen).toContain("ADDED inner");
    await createClient(transports.transport()).delete(flunders, { namespace: "default", name: "inner" });
    stopWatching.abort();
    await watching;
    // What this server has does not leave the process.
    const before = extension.asked.length;
    await part.get(services, { namespace: "default", name: "wardle" });
    expect(extension.asked).toHaveLength(before);
  });
});

describe("controllers", () => {
  const flunders = { group, version, resource: "flunders", kind: "Flunder", namespaced: true };

  test("empty a namespace of what other servers have, and collect it with its owners", async () => {
    await using transports = new ProcessTransports(server, pki);
    const part = createClient(transports.transport());
    const stopManager = new AbortController();
    const { signal } = stopManager;
    const flunder = (name: string, namespace: string, ownerReferences: readonly OwnerReference[] = []) =>
      part.create(flunders, {
        apiVersion: `${group}/${version}`,
        kind: "Flunder",
        metadata: { name, namespace, ownerReferences },
      });
    const left = async () => (await part.list(flunders)).items.map(({ metadata }) => metadata.name).sort();
    await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } });
    const metadata = { name: "owner", namespace: "default" };
    const owner = await client.create(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata });
    const { uid } = owner.metadata;
    await flunder("owned", "default", [{ apiVersion: "v1", kind: "ConfigMap", name: "owner", uid }]);
    await flunder("kept", "default");
    await flunder("inside", "team");
    const controllers = [namespaceController, garbageCollector];
    const manager = createManager({ client: part, controllers });
    const managing = manager.run({ signal, ready: () => {} });
    try {
      await client.delete(namespaces, { name: "team" });
      await client.delete(configMaps, metadata);
      await expect.poll(left, { timeout: 10_000 }).toEqual(["kept"]);
      await waitFor(client, namespaces, { name: "team" }, (object) => object === undefined, { timeoutMs: 10_000 });
    } finally {
      stopManager.abort();
      await managing;
    }
    await part.delete(flunders, { namespace: "default", name: "kept" });
  });
});

describe("kubectl through the server", () => {
  test("knows, creates, gets, lists and explains what the other server has", async () => {
    expect(await kubectl.ok("get apiservices v1alpha1.wardle.example.com")).toMatch(/default\/wardle\s+True/);
    expect(await kubectl.ok("api-resources --api-group=wardle.example.com")).toMatch(
      /flunders\s+fl\s+wardle\.example\.com\/v1alpha1\s+true\s+Flunder/,
    );
    const object = {
      apiVersion: `${group}/${version}`,
      kind: "Flunder",
      metadata: { name: "a" },
      spec: { reference: "b" },
    };
    await kubectl.ok("create --validate=false -f -", { stdin: JSON.stringify(object) });
    expect(await kubectl.ok("get fl")).toMatch(/NAME\s+a\b/);
    expect((await kubectl.json("get flunder a")).spec).toEqual({ reference: "b" });
    expect(await kubectl.ok("explain flunder.spec")).toContain("How it is to be flundered.");
    expect(await kubectl.fails("get fl nobody")).toContain('flunders.wardle.example.com "nobody" not found');
  });

  test("watches it", async () => {
    await using watching = kubectl.start("get flunders --watch --output=name");
    await watching.until(/flunder/);
    const object = { apiVersion: `${group}/${version}`, kind: "Flunder", metadata: { name: "late" } };
    await ask(`${base}/namespaces/default/flunders`, { method: "POST", body: JSON.stringify(object) });
    await watching.until(/flunder.*\/late/);
  });
});

describe("discovery", () => {
  const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  interface Discovery {
    readonly items: readonly { readonly metadata: { readonly name: string }; readonly versions: readonly object[] }[];
  }

  test("shows it by its priority, aggregated and legacy", async () => {
    const { items } = JSON.parse((await ask("/apis", { headers: { accept } })).body) as Discovery;
    const at = items.findIndex(({ metadata }) => metadata.name === group);
    expect(items[at]?.versions).toMatchObject([
      {
        version,
        freshness: "Current",
        resources: [{ resource: "flunders", subresources: [{ subresource: "status" }] }],
      },
    ]);
    expect(at).toBe(items.length - 1);
    const legacy = JSON.parse((await ask("/apis")).body) as { readonly groups: readonly { readonly name: string }[] };
    expect(legacy.groups.map((one) => one.name)).toContain(group);
    expect(JSON.parse((await ask(`/apis/${group}`)).body)).toMatchObject({
      kind: "APIGroup",
      preferredVersion: { groupVersion: `${group}/${version}` },
    });
    expect(JSON.parse((await ask(base)).body)).toMatchObject({ kind: "APIResourceList" });
  });

  test("OpenAPI v3 lists the group-version and passes its document on", async () => {
    const index = JSON.parse((await ask("/openapi/v3")).body) as { readonly paths: object };
    expect(index.paths).toHaveProperty([base.slice(1)], { serverRelativeURL: `/openapi/v3${base}?hash=F1` });
    expect(index.paths).not.toHaveProperty("version", { serverRelativeURL: "/x" });
    const document = await ask(`/openapi/v3${base}?hash=F1`);
    expect(JSON.parse(document.body)).toMatchObject({ info: { title: "wardle" } });
    expect(extension.last(`/openapi/v3${base}`)).toMatchObject({ headers: { "x-remote-user": "system:aggregator" } });
  });

  test("OpenAPI v2 has the other server's paths and definitions, and no more of them", async () => {
    const document = JSON.parse((await ask("/openapi/v2")).body) as {
      readonly paths: object;
      readonly definitions: object;
    };
    expect(document.paths).toHaveProperty([`${base}/namespaces/{namespace}/flunders`]);
    expect(document.definitions).toHaveProperty(["com.example.wardle.v1alpha1.Flunder"]);
    expect(document.definitions).not.toHaveProperty(["io.example.Unused"]);
  });
});

describe("who asks", () => {
  test("is told to the other server, which knows the proxy by its certificate", async () => {
    const answer = await ask(`${base}/flunders?limit=5&x=%2F`, {
      headers: {
        "X-Forwarded-For": "192.0.2.1",
        "X-Remote-User": "mallory",
        "X-Remote-Group": "system:masters",
        "X-Remote-Extra-Scopes": "all",
      },
    });
    const asked = extension.last("/flunders");
    expect(asked).toMatchObject({
      client: "front-proxy-client",
      url: `${base}/flunders?limit=5&x=%2F`,
      headers: { "x-remote-user": "kubernetes-admin" },
    });
    expect(asked?.headers["x-forwarded-for"]).toBe("192.0.2.1, 127.0.0.1");
    expect(asked?.headers["audit-id"]).toBe(answer.headers["audit-id"]);
    expect(asked?.headers).not.toHaveProperty("x-remote-extra-scopes");
    expect(asked?.headers).not.toHaveProperty("authorization");
    expect(groupsOf(asked?.rawHeaders ?? [])).toEqual(["system:masters", "system:authenticated"]);
  });

  test("is authorized here first", async () => {
    const before = extension.asked.length;
    const answer = await ask(`${base}/namespaces/default/flunders`, { token: "jane-token" });
    expect(answer.code).toBe(403);
    expect(JSON.parse(answer.body)).toMatchObject({
      message: `flunders.${group} is forbidden: User "jane" cannot list resource "flunders" in API group "${group}" in the namespace "default"`,
    });
    expect(extension.asked.slice(before).filter(({ url }) => url.includes("flunders"))).toEqual([]);
  });

  test("is sent with groups and extra fields as they are", async () => {
    await kubectl.ok(`create clusterrole flunders --verb=list,watch --resource=flunders.${group}`);
    await kubectl.ok("create clusterrolebinding flunders --clusterrole=flunders --user=jane");
    const answer = await ask(`${base}/flunders`, { token: "jane-token" });
    expect(answer.code).toBe(200);
    const asked = extension.last("/flunders");
    expect(asked?.headers["x-remote-user"]).toBe("jane");
    expect(asked?.headers).not.toHaveProperty("authorization");
    expect(groupsOf(asked?.rawHeaders ?? [])).toEqual(["dev,ops", "team", "system:authenticated"]);
    expect(Buffer.from(String(asked?.headers["x-remote-extra-a%2fb"]), "latin1").toString()).toBe("1, ü");
  });
});

describe("a server behind this one, with the rights that upstream gives it", () => {
  test("learns whom to believe, and asks who somebody is and what they may do", async () => {
    await waitFor(client, namespaces, { name: "kube-system" }, (object) => object !== undefined);
    await bootstrapRbac(client);
    await kubectl.ok("create serviceaccount wardle");
    const reader = "--role=extension-apiserver-authentication-reader --serviceaccount=default:wardle";
    await kubectl.in("kube-system").ok(`create rolebinding wardle ${reader}`);
    const delegator = "--clusterrole=system:auth-delegator --serviceaccount=default:wardle";
    await kubectl.ok(`create clusterrolebinding wardle ${delegator}`);
    const token = (await kubectl.ok("create token wardle")).trim();
    const place = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
    const { data } = JSON.parse((await ask(place, { token })).body) as { readonly data: Record<string, string> };
    expect(new X509Certificate(data["client-ca-file"] ?? "").raw).toEqual(new X509Certificate(pki.ca.certificate).raw);
    expect(new X509Certificate(data["requestheader-client-ca-file"] ?? "").raw).toEqual(
      new X509Certificate(pki.frontProxyCa.certificate).raw,
    );
    expect(data["requestheader-allowed-names"]).toBe('["front-proxy-client"]');
    const review = async (group: string, kind: string, spec: object): Promise<unknown> => {
      const headers = { "Content-Type": "application/json" };
      const body = JSON.stringify({ apiVersion: `${group}/v1`, kind, spec });
      const path = `/apis/${group}/v1/${kind.toLowerCase()}s`;
      return JSON.parse((await ask(path, { method: "POST", token, headers, body })).body);
    };
    expect(await review("authentication.k8s.io", "TokenReview", { token: "jane-token" })).toMatchObject({
      status: { authenticated: true, user: { username: "jane" } },
    });
    const resourceAttributes = { group, version, resource: "flunders", verb: "list" };
    const asked = { user: "jane", groups: ["team"], resourceAttributes };
    expect(await review("authorization.k8s.io", "SubjectAccessReview", asked)).toMatchObject({
      status: { allowed: true },
    });
  });
});

function groupsOf(raw: readonly string[]): readonly string[] {
  return raw.filter((_, at) => at % 2 === 1 && raw[at - 1]?.toLowerCase() === "x-remote-group");
}

describe("what another server must not be able to do", () => {
  test("a redirect is not passed on", async () => {
    extension.intercept = (_, response) => {
      response.writeHead(302, { Location: "https://169.254.169.254/" }).end();
      return true;
    };
    const answer = await ask(`${base}/flunders`);
    extension.intercept = undefined;
    expect(answer).toMatchObject({ code: 502, headers: { "content-type": "text/plain; charset=utf-8" } });
    expect(answer.body).toBe("the backend attempted to redirect this request, which is not permitted\n");
    expect(answer.headers).not.toHaveProperty("location");
  });

  test("nor on an upgrade, whose connection ends", async () => {
    let closed: Promise<void> = Promise.resolve();
    extension.onUpgrade = (_, socket) => {
      closed = new Promise((resolve) => socket.on("close", () => resolve()));
      socket.write("HTTP/1.1 302 Found\r\nLocation: https://169.254.169.254/\r\nContent-Length: 0\r\n\r\n");
    };
    expect(await upgrade("hello")).toContain("502 Bad Gateway");
    await closed;
  });

  test("a refused upgrade is answered as it was, and its connection ends", async () => {
    let closed: Promise<void> = Promise.resolve();
    extension.onUpgrade = (_, socket) => {
      closed = new Promise((resolve) => socket.on("close", () => resolve()));
      socket.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    };
    expect(await upgrade("hello")).toContain("403 Forbidden");
    await closed;
  });

  test("an upgrade streams both ways in the name of who asked", async () => {
    extension.onUpgrade = (request, socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
      socket.write(`${String(request.headers["x-remote-user"])}:`);
      socket.on("data", (chunk: Buffer) => socket.end(chunk));
    };
    expect(await upgrade("hello")).toMatch(/101 Switching Protocols[\s\S]*kubernetes-admin:hello/);
  });

  test("a body that hides a request stays a body", async () => {
    const hidden = `GET ${base}/hidden HTTP/1.1\r\nHost: x\r\nX-Remote-User: mallory\r\n\r\n`;
    const session = connectHttp2(server.https.url, {
      ca: pki.ca.certificate,
      cert: pki.admin.certificate,
      key: pki.admin.key,
    });
    const path = `${base}/namespaces/default/flunders/nobody`;
    await new Promise<void>((resolve, reject) => {
      const stream = session.request({ ":method": "DELETE", ":path": path }, { endStream: false });
      stream.on("error", reject);
      stream.on("close", () => resolve());
      stream.resume();
      stream.end(hidden);
    });
    session.close();
    expect(extension.last("/nobody")?.body).toBe(hidden);
    expect(extension.last("/hidden")).toBeUndefined();
  });
});

describe("a server that does not answer", () => {
  test("is not held on to when the client has gone", async () => {
    let closed: Promise<void> = Promise.resolve();
    const asked = new Promise<void>((resolve) => {
      extension.intercept = (request) => {
        if (!request.url?.endsWith("/hanging")) return false;
        closed = new Promise((resolveClosed) => request.socket.on("close", () => resolveClosed()));
        resolve();
        return true;
      };
    });
    const request = httpsRequest({
      host: "127.0.0.1",
      port: server.https.port,
      path: `${base}/namespaces/default/flunders/hanging`,
      agent: false,
      ca: pki.ca.certificate,
      cert: pki.admin.certificate,
      key: pki.admin.key,
    });
    request.on("error", () => {});
    request.end();
    await asked;
    request.destroy();
    await closed;
    extension.intercept = undefined;
  });

  test("is told to wait by a client that does not read", async () => {
    const size = 32 * 1024 * 1024;
    let written = 0;
    extension.intercept = (request, response) => {
      if (!request.url?.endsWith("/large")) return false;
      response.writeHead(200, { "Content-Type": "application/octet-stream" });
      const chunk = Buffer.alloc(64 * 1024);
      const more = (): void => {
        while (written < size) {
          written += chunk.length;
          if (!response.write(chunk)) return void response.once("drain", more);
        }
        response.end();
      };
      more();
      return true;
    };
    const received = await new Promise<number>((resolve, reject) => {
      const request = httpsRequest({
        host: "127.0.0.1",
        port: server.https.port,
        path: `${base}/namespaces/default/flunders/large`,
        agent: false,
        ca: pki.ca.certificate,
        cert: pki.admin.certificate,
        key: pki.admin.key,
      });
      request.on("error", reject);
      request.on("response", (response) => {
        let count = 0;
        // Nothing is read until the writing has come to a halt.
        void halted(() => written).then((held) => {
          expect(held).toBeLessThan(size);
          response.on("data", (chunk: Buffer) => {
            count += chunk.length;
          });
          response.on("end", () => resolve(count));
        }, reject);
      });
      request.end();
    });
    extension.intercept = undefined;
    expect(received).toBe(size);
  });
});

/** Resolves with a figure once it has stayed the same for a while. */
async function halted(figure: () => number): Promise<number> {
  let before = -1;
  for (let same = 0; same < 200; same = figure() === before ? same + 1 : 0) {
    before = figure();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return before;
}

/** Asks for another protocol, says something, and gives everything that came back. */
function upgrade(say: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      host: "127.0.0.1",
      port: server.https.port,
      ca: pki.ca.certificate,
      cert: pki.admin.certificate,
      key: pki.admin.key,
      ALPNProtocols: ["http/1.1"],
    });
    let text = "";
    let said = false;
    socket.on("secureConnect", () =>
      socket.write(
        `GET ${base}/namespaces/default/flunders/a/attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n`,
      ),
    );
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
      if (text.includes(" 101 ") && !said) {
        said = true;
        socket.write(say);
      }
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(text));
  });
}

describe("a server that is not as it should be", () => {
  test("is unavailable by a certificate of somebody else's, and stale in discovery", async () => {
    const other = await createClusterPki({ clock: realClock });
    const foreign = Buffer.from(other.ca.certificate).toString("base64");
    const now = await client.get(apiServices, { name });
    await client.update(apiServices, { ...now, spec: { ...apiService({ caBundle: foreign }).spec } as never });
    expect(await availability("False")).toContain("x509: certificate signed by unknown authority");
    const answer = await ask(`${base}/flunders`);
    expect(answer).toMatchObject({ code: 503, body: "service unavailable\n" });
    const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    await expect.poll(async () => (await ask("/apis", { headers: { accept } })).body).toContain('"freshness":"Stale"');
    const again = await client.get(apiServices, { name });
    await client.update(apiServices, { ...again, spec: { ...apiService({ caBundle }).spec } as never });
    expect(await availability("True")).toBe("Passed: all checks passed");
  });

  test("is unavailable without its service, port or endpoints", async () => {
    const spec = (service: object) => ({ ...apiService({ caBundle }).spec, service }) as never;
    const change = async (service: object): Promise<string> => {
      const now = await client.get(apiServices, { name });
      await client.update(apiServices, { ...now, spec: spec(service) });
      return availability("False");
    };
    expect(await change({ namespace: "default", name: "nobody" })).toBe(
      'ServiceNotFound: service/nobody in "default" is not present',
    );
    const now = await client.get(apiServices, { name });
    await client.update(apiServices, { ...now, spec: spec({ namespace: "default", name: "wardle", port: 444 }) });
    expect(await availability("False", name, "ServicePortError")).toBe(
      'ServicePortError: service/wardle in "default" is not listening on port 444',
    );
    const then = await client.get(apiServices, { name });
    await client.update(apiServices, { ...then, spec: spec({ namespace: "default", name: "wardle" }) });
    await availability("True");
  });

  test("that is gone is told of in upstream's words, and comes back", async () => {
    const slice = await client.get(endpointSlices, { namespace: "default", name: "wardle-1" });
    const [port] = slice.ports ?? [];
    await extension.close();
    const answer = await ask(`${base}/flunders`);
    expect(answer).toMatchObject({ code: 503 });
    expect(answer.body).toBe(
      `error trying to reach service: dial tcp 127.0.0.1:${port?.port}: connect: connection refused\n`,
    );
    // A change of its endpoints has it looked at again at once.
    await client.update(endpointSlices, { ...slice, metadata: { ...slice.metadata, annotations: { a: "b" } } });
    expect(await availability("False")).toMatch(/^FailedDiscoveryCheck: failing or missing response from https:/);
    const serving = await pki.ca.issue({ commonName: "x", usages: ["server"], dnsNames: ["wardle.default.svc"] });
    extension = new ExtensionServer(pki, serving);
    await extension.listen(port?.port ?? 0);
    expect(await availability("True")).toBe("Passed: all checks passed");
  });
});
