import { createServer as createHttp, type IncomingMessage, type Server as PlainServer } from "node:http";
import { createServer as createHttps, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { KubeObject, ResourceDescription } from "../../src/api/index.js";
import type { CacheReader } from "../../src/apiserver/admission/admission.js";
import { createHttpServer } from "../../src/apiserver/http/server.js";
import type { HttpServer } from "../../src/apiserver/http/server-options.js";
import { type ClusterPki, createClusterPki } from "../../src/apiserver/pki/cluster-pki.js";
import { networkDial } from "../../src/apiserver/proxy/dial.js";
import { reportedNodeTarget } from "../../src/apiserver/proxy/nodes.js";
import { podStreams } from "../../src/apiserver/proxy/pod-streams.js";
import { resourceProxy } from "../../src/apiserver/proxy/resource-proxy.js";
import { realClock } from "../../src/internal/clock.js";
import { seededRandom } from "../../src/internal/random.js";

const descriptions = ["pods", "nodes", "services"].map(
  (resource) =>
    ({
      group: "",
      version: "v1",
      resource,
      namespaced: resource !== "nodes",
      verbs: ["get"],
      subresources: new Map(),
    }) as unknown as ResourceDescription,
);

let pki: ClusterPki;
let kubelet: Server;
let server: HttpServer;
let strict: HttpServer;
const seen: IncomingMessage[] = [];
const callers: unknown[] = [];
const backends: Duplex[] = [];
/** Serves a page, as a pod would. */
let page: PlainServer;
let pagePort = 0;
const pages: (Pick<IncomingMessage, "method" | "url" | "headers"> & { readonly body: string })[] = [];
let objects: Map<string, KubeObject>;

const cache: CacheReader = {
  get: ((resource: { resource: string }, { namespace = "", name }: { namespace?: string; name: string }) =>
    objects.get(`${resource.resource}/${namespace}/${name}`)) as CacheReader["get"],
  list: () => [],
  generation: () => 0,
};

function newServer(allowLocalAddresses: boolean): HttpServer {
  const dial = networkDial({
    clock: realClock,
    clientCertificate: pki.apiserverKubeletClient,
    authorities: [pki.ca.certificate],
    allowLocalAddresses,
  });
  const connectNode = reportedNodeTarget();
  return createHttpServer({
    host: "127.0.0.1",
    port: 0,
    tls: { certificate: pki.apiserver.certificate, key: pki.apiserver.key, clientCas: [pki.ca.certificate] },
    handler: { handle: () => Promise.reject(new Error("unused")), watch: () => Promise.reject(new Error("unused")) },
    resources: {
      lookup: (_, __, resource) => descriptions.find((one) => one.resource === resource),
      all: () => descriptions,
    },
    authenticator: { name: "test", authenticate: () => ({ user: { username: "jane", groups: [] } }) },
    authorizer: {
      name: "test",
      authorize: ({ verb, name }) => ({ decision: verb === "create" && name === "guarded" ? "noOpinion" : "allow" }),
    },
    connect: [
      podStreams({ cache, dial, connectNode }),
      resourceProxy({ cache, dial, connectNode, random: seededRandom(1) }),
    ],
  });
}

beforeAll(async () => {
  pki = await createClusterPki({ clock: realClock });
  const node = await pki.node("node-a");
  kubelet = createHttps(
    { cert: node.certificate, key: node.key, ca: pki.ca.certificate, requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      seen.push(request);
      callers.push((request.socket as TLSSocket).getPeerCertificate().subject.CN);
      if (request.url?.includes("/waiting")) {
        response.writeHead(400);
        response.end('container "c" in pod "web" is waiting to start: ContainerCreating\n');
        return;
      }
      if (request.url === "/redirect") {
        response.writeHead(302, { Location: "http://169.254.169.254/latest" });
        response.end();
        return;
      }
      if (request.headers.upgrade !== undefined) {
        response.writeHead(403);
        response.end("no such protocol");
        return;
      }
      response.writeHead(200, { "Content-Type": "text/plain" });
      response.write("line 1\n");
      setImmediate(() => response.end("line 2\n"));
    },
  );
  kubelet.on("upgrade", (request, socket: Duplex, head: Buffer) => {
    seen.push(request);
    backends.push(socket);
    if (request.headers.upgrade === "refused") {
      socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
      return;
    }
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4\r\n\r\nhello",
    );
    if (head.length > 0) socket.write(head);
    socket.on("data", (chunk) => socket.write(chunk));
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => kubelet.listen(0, "127.0.0.1", resolve));
  const port = (kubelet.address() as AddressInfo).port;
  const pod = (name: string, containers: string[], nodeName = "node-a"): [string, KubeObject] => [
    `pods/default/${name}`,
    {
      metadata: { name, namespace: "default" },
      spec: { nodeName, containers: containers.map((container) => ({ name: container })) },
    } as unknown as KubeObject,
  ];
  page = createHttp((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => {
      pages.push({ method: request.method, url: request.url, headers: request.headers, body });
      if (request.url === "/moved") response.writeHead(302, { Location: `http://127.0.0.1:${pagePort}/there` }).end();
      else {
        response.writeHead(200, { "Content-Type": "text/html; charset=utf-8", "Access-Control-Allow-Origin": "*" });
        response.end('<a href="/rewriteme">test</a>');
      }
    });
  });
  await new Promise<void>((resolve) => page.listen(0, "127.0.0.1", resolve));
  pagePort = (page.address() as AddressInfo).port;
  objects = new Map([
    [
      "pods/default/page",
      {
        metadata: { name: "page", namespace: "default" },
        spec: { containers: [{ name: "c", ports: [{ containerPort: pagePort }] }] },
        status: { podIP: "127.0.0.1" },
      } as unknown as KubeObject,
    ],
    pod("web", ["c"]),
    pod("guarded", ["c"]),
    pod("waiting", ["c"]),
    pod("two", ["a", "b"]),
    pod("unbound", ["c"], ""),
    pod("lost", ["c"], "node-z"),
    [
      "nodes//node-a",
      {
        metadata: { name: "node-a" },
        status: {
          addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
          daemonEndpoints: { kubeletEndpoint: { Port: port } },
        },
      } as unknown as KubeObject,
    ],
  ]);
  server = newServer(true);
  strict = newServer(false);
  await server.listen();
  await strict.listen();
});

afterAll(async () => {
  for (const socket of backends) socket.destroy();
  await server.close(200);
  await strict.close(200);
  page.closeAllConnections();
  page.close();
  kubelet.closeAllConnections();
  kubelet.close();
});

async function get(path: string, to = server): Promise<{ code: number; text: string }> {
  const answer = await raw(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, to);
  const [head = "", body = ""] = answer.split("\r\n\r\n");
  return { code: Number(head.split(" ")[1]), text: body };
}

function raw(text: string, to = server): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = open(to, () => socket.write(text));
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk.toString();
    });
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}

function open(to: HttpServer, ready: () => void): TLSSocket {
  return connectTls({ host: "127.0.0.1", port: to.port, ca: pki.ca.certificate, ALPNProtocols: ["http/1.1"] }, ready);
}

const at = "/api/v1/namespaces/default/pods";

describe("logs", () => {
  test("are streamed from the kubelet's path, as the API server", async () => {
    const { code, text } = await get(`${at}/web/log?follow=true&tailLines=10&pretty=true`);
    expect(code).toBe(200);
    expect(text).toContain("line 1");
    expect(text).toContain("line 2");
    const request = seen.at(-1);
    expect(request?.url).toBe("/containerLogs/default/web/c?follow=true&tailLines=10");
    expect(callers.at(-1)).toBe("kube-apiserver-kubelet-client");
    expect(request?.headers["authorization"]).toBeUndefined();
  });

  test.each([
    [
      "of several containers one must be named",
      "two",
      "",
      400,
      "a container name must be specified for pod two, choose one of: [a b]",
    ],
    ["of a container that is not there", "two", "?container=x", 400, "container x is not valid for pod two"],
    ["of a pod that is nowhere yet", "unbound", "", 200, ""],
    ["of a pod whose node is gone", "lost", "", 404, 'nodes \\"node-z\\" not found'],
    ["of no pod", "none", "", 404, 'pods \\"none\\" not found'],
    ["that do not exist yet", "waiting", "", 400, "is waiting to start: ContainerCreating"],
    [
      "with bad options",
      "web",
      "?tailLines=-1",
      422,
      "tailLines: Invalid value: -1: must be greater than or equal to 0",
    ],
  ])("%s", async (_, pod, query, code, message) => {
    const answer = await get(`${at}/${pod}/log${query}`);
    expect(answer.code).toBe(code);
    expect(answer.text).toContain(message);
  });
});

describe("logs over a WebSocket", () => {
  const read = (protocols: string[], pod = "web"): Promise<{ protocol: string; messages: (Buffer | string)[] }> =>
    new Promise((resolve, reject) => {
      const url = `wss://127.0.0.1:${server.port}${at}/${pod}/log`;
      const socket = new WebSocket(url, protocols, { ca: pki.ca.certificate, perMessageDeflate: false });
      const messages: (Buffer | string)[] = [];
      socket.on("message", (data: Buffer, binary) => messages.push(binary ? data : data.toString()));
      socket.on("close", () => resolve({ protocol: socket.protocol, messages }));
      socket.on("error", reject);
    });

  test.each([
    ["without a protocol", [], ""],
    ["as bytes", ["binary.k8s.io"], "binary.k8s.io"],
  ])("come %s", async (_, protocols, chosen) => {
    const { protocol, messages } = await read(protocols);
    expect(protocol).toBe(chosen);
    expect(messages.every(Buffer.isBuffer)).toBe(true);
    expect(Buffer.concat(messages as Buffer[]).toString()).toBe("line 1\nline 2\n");
    expect(seen.at(-1)?.headers.upgrade).toBeUndefined();
  });

  test("come as text in base64, and the token is no protocol", async () => {
    const { protocol, messages } = await read([
      "base64url.bearer.authorization.k8s.io.c2VjcmV0",
      "unknown",
      "base64.binary.k8s.io",
    ]);
    expect(protocol).toBe("base64.binary.k8s.io");
    expect(messages.map((message) => Buffer.from(String(message), "base64").toString()).join("")).toBe(
      "line 1\nline 2\n",
    );
  });

  test("are refused like any others", async () => {
    await expect(read(["binary.k8s.io"], "waiting")).rejects.toThrow("Unexpected server response: 400");
    await expect(read(["binary.k8s.io"], "none")).rejects.toThrow("Unexpected server response: 404");
  });
});

describe("upgrades", () => {
  const upgrade = (pod: string, protocol = "SPDY/3.1"): string =>
    `POST ${at}/${pod}/exec?command=sh&command=-c&command=a%20b&stdin=true&stdout=true&tty=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\nX-Stream-Protocol-Version: v4\r\nX-Stream-Protocol-Version: v5\r\n\r\n`;

  test("become tunnels, byte for byte, and end together", async () => {
    let answer = "";
    const socket = open(server, () => socket.write(`${upgrade("web")}early`));
    const has = (text: string): Promise<void> =>
      new Promise((resolve) => {
        const look = (): void => {
          if (answer.includes(text)) resolve();
        };
        socket.on("data", look);
        look();
      });
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
    });
    await has("helloearly");
    expect(answer).toMatch(/^HTTP\/1.1 101 Switching Protocols\r\n/);
    expect(answer).toContain("X-Stream-Protocol-Version: v4");
    socket.write(Buffer.from([0xff, 0x00, 0x7f]));
    await has("\u00ff\u0000\u007f");
    const request = seen.at(-1);
    expect(request?.url).toBe("/exec/default/web/c?input=1&output=1&tty=1&command=sh&command=-c&command=a+b");
    expect(request?.headers["x-stream-protocol-version"]).toBe("v4, v5");
    expect(request?.headers["authorization"]).toBeUndefined();
    const backend = backends.at(-1);
    const gone = new Promise<void>((resolve) => backend?.on("close", () => resolve()));
    socket.destroy();
    await gone;
  });

  test("that the backend refuses are answered as it did, and nothing stays open", async () => {
    const answer = await raw(upgrade("web", "refused"));
    expect(answer).toMatch(/^HTTP\/1.1 403 /);
    expect(backends.at(-1)?.destroyed || backends.at(-1)?.writableEnded).toBe(true);
  });

  test("over GET need the permission to create", async () => {
    expect((await get(`${at}/guarded/exec?command=x`)).code).toBe(403);
  });

  test("end when the node's side ends", async () => {
    const socket = open(server, () => socket.write(upgrade("web")));
    await new Promise<void>((resolve) => socket.once("data", () => resolve()));
    const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
    socket.resume();
    backends.at(-1)?.destroy();
    await closed;
  });
});

describe("proxy", () => {
  test("passes any path on to a node, and no redirect is followed", async () => {
    expect((await get("/api/v1/nodes/node-a/proxy/stats/summary?x=1")).text).toContain("line 1");
    expect(seen.at(-1)?.url).toBe("/stats/summary?x=1");
    const redirected = await get("/api/v1/nodes/node-a/proxy/redirect");
    expect(redirected.code).toBe(302);
  });

  test("makes pages of pods readable below its own path", async () => {
    const { code, text } = await get(`${at}/page/proxy/`);
    expect(code).toBe(200);
    expect(text).toContain(`<a href="${at}/page/proxy/rewriteme">test</a>`);
    expect((await get(`${at}/http:page:${pagePort}/proxy/deep/er`)).text).toContain(
      `<a href="${at}/http:page:${pagePort}/proxy/rewriteme">test</a>`,
    );
  });

  test("tells the backend who asks under which path, and the reader nothing of other origins", async () => {
    const answer = await raw(
      `POST ${at}/page/proxy/some/path?x=1 HTTP/1.1\r\nHost: api:6443\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi`,
    );
    expect(answer).not.toMatch(/access-control/i);
    const { method, url, headers, body } = pages.at(-1) ?? {};
    expect({ method, url, body }).toEqual({ method: "POST", url: "/some/path?x=1", body: "hi" });
    expect(headers).toMatchObject({
      host: "api:6443",
      "x-forwarded-uri": `${at}/page/proxy/some/path`,
      "x-forwarded-for": "127.0.0.1",
    });
  });

  test("sends readers of a root without a slash to the root", async () => {
    for (const method of ["GET", "HEAD"]) {
      const answer = await raw(
        `${method} ${at}/page/proxy?method=${method} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1.1 301 /);
      expect(answer).toContain(`Location: ${at}/page/proxy/?method=${method}\r\n`);
    }
    await raw(`DELETE ${at}/page/proxy?x=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(pages.at(-1)).toMatchObject({ method: "DELETE", url: "/?x=1" });
  });

  test("keeps redirects of a pod below its own path", async () => {
    const answer = await raw(`GET ${at}/page/proxy/moved HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 302 /);
    expect(answer).toMatch(new RegExp(`location: ${at}/page/proxy/there\r\n`, "i"));
  });

  test("says that the service cannot be reached where nobody listens", async () => {
    const { code, text } = await get(`${at}/page:1/proxy/`);
    expect(code).toBe(503);
    expect(JSON.parse(text)).toMatchObject({
      reason: "ServiceUnavailable",
      message: "error trying to reach service: dial tcp 127.0.0.1:1: connect: connection refused",
    });
  });

  test("does not climb out of what was authorized", async () => {
    const before = seen.length;
    expect((await get("/api/v1/nodes/node-a/proxy/a/../../exec")).code).toBe(404);
    expect((await get("/api/v1/nodes/node-a/proxy/%2e%2e/exec")).code).toBe(404);
    expect((await get("/api/v1/nodes/node-a/proxy/a%2f..%2f..%2fexec")).code).toBe(404);
    expect(seen.length).toBe(before);
  });

  test("does not go to addresses of this machine unless told so", async () => {
    const before = seen.length;
    const answer = await get(`${at}/web/log`, strict);
    expect(answer.code).toBe(400);
    expect(answer.text).toContain("address not allowed");
    expect(seen.length).toBe(before);
  });
});
