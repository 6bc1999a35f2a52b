import { connect as connectHttp2 } from "node:http2";
import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import { connect as connectTcp } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { KubeObject, ResourceDescription } from "../../src/api/index.js";
import { statusErrors } from "../../src/api/index.js";
import { bearerAuthenticator, staticTokenAuthenticator } from "../../src/apiserver/authn/bearer.js";
import { certificateAuthenticator } from "../../src/apiserver/authn/certificates.js";
import { unionAuthenticator, withAnonymous } from "../../src/apiserver/authn/union.js";
import type { Authorizer } from "../../src/apiserver/authz/authorizer.js";
import { createHttpServer } from "../../src/apiserver/http/server.js";
import type { HttpServer, HttpServerOptions } from "../../src/apiserver/http/server-options.js";
import { type ClusterPki, createClusterPki } from "../../src/apiserver/pki/cluster-pki.js";
import type { RequestHandler, ServerRequest, StoredEvent, StoredObject } from "../../src/apiserver/request.js";
import { ConvertedObject } from "../../src/apiserver/watchcache/stored-object.js";
import { AsyncQueue } from "../../src/internal/async-queue.js";
import { realClock } from "../../src/internal/clock.js";

function description(group: string, resource: string, kind: string, namespaced: boolean): ResourceDescription {
  return {
    group,
    version: "v1",
    resource,
    kind,
    namespaced,
    singular: kind.toLowerCase(),
    listKind: `${kind}List`,
    shortNames: [],
    categories: [],
    verbs: ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"],
    schema: { type: "object" },
    subresources: new Map([
      ["status", { name: "status", kind, group, version: "v1", verbs: ["get", "update", "patch"] }],
    ]),
    storage: { path: resource, version: "v1", group },
    columns: [],
    selectableFields: new Map(),
    strategy: {},
  } as unknown as ResourceDescription;
}

function stored(name: string, revision: number, padding = 0): StoredObject {
  const object = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "default",
      resourceVersion: String(revision),
      annotations: { pad: "x".repeat(padding) },
    },
  };
  return new ConvertedObject({ key: `default/${name}`, revision }, object);
}

function added(object: StoredObject): StoredEvent {
  const frame = Buffer.from(`{"type":"ADDED","object":${object.bytes.toString()}}\n`);
  return { type: "ADDED", stored: object, frame };
}

/** A handler whose answers the test sets, and that keeps what it was asked. */
class FakeHandler implements RequestHandler {
  readonly requests: ServerRequest[] = [];
  readonly watches: AsyncQueue<readonly StoredEvent[]>[] = [];
  items: StoredObject[] = [];
  onHandle: ((request: ServerRequest) => Promise<void>) | undefined;
  watchArrived: (() => void) | undefined;

  async handle(request: ServerRequest): ReturnType<RequestHandler["handle"]> {
    this.requests.push(request);
    await this.onHandle?.(request);
    if (request.name === "panic") throw new TypeError("secret detail");
    if (request.name === "missing") throw statusErrors.notFound(request, "missing");
    if (request.name === "busy") throw statusErrors.tooManyRequests("later", 7);
    request.warn?.('use "v2"\nnow');
    if (request.verb === "list") {
      return {
        type: "list",
        list: { apiVersion: "v1", kind: "PodList", metadata: { resourceVersion: "9" }, items: this.items },
      };
    }
    if (request.verb === "get") return { type: "stored", code: 200, stored: stored(request.name ?? "", 5) };
    return { type: "object", code: 201, object: (request.body ?? { kind: "Status" }) as KubeObject };
  }

  async watch(request: ServerRequest): Promise<AsyncIterable<readonly StoredEvent[]>> {
    this.requests.push(request);
    const queue = new AsyncQueue<readonly StoredEvent[]>(100);
    request.signal?.addEventListener("abort", () => queue.end());
    this.watches.push(queue);
    this.watchArrived?.();
    return queue;
  }

  nextWatch(): Promise<void> {
    return new Promise((resolve) => {
      this.watchArrived = resolve;
    });
  }
}

const allowKnown: Authorizer = {
  name: "test",
  authorize: ({ user, path }) =>
    user.username !== "system:anonymous" || path === "/healthz" || path === "/readyz"
      ? { decision: "allow" }
      : { decision: "noOpinion" },
};

let pki: ClusterPki;
let handler: FakeHandler;
let server: HttpServer;
const resources = [
  description("", "pods", "Pod", true),
  description("", "nodes", "Node", false),
  description("", "namespaces", "Namespace", false),
  description("example.com", "widgets", "Widget", true),
];

function optionsFor(fake: FakeHandler, more: Partial<HttpServerOptions> = {}): HttpServerOptions {
  const clock = realClock;
  const tokens = [staticTokenAuthenticator(new Map([["good", { username: "jane", groups: ["dev"] }]]))];
  return {
    host: "127.0.0.1",
    port: 0,
    tls: { certificate: pki.apiserver.certificate, key: pki.apiserver.key, clientCas: [pki.ca.certificate] },
    handler: fake,
    resources: {
      lookup: (group, version, resource) =>
        resources.find((one) => one.group === group && one.version === version && one.resource === resource),
      all: () => resources,
    },
    authenticator: withAnonymous(
      unionAuthenticator([
        certificateAuthenticator({ authorities: [pki.ca.certificate], clock }),
        bearerAuthenticator({ tokens, audiences: ["api"], clock }),
      ]),
    ),
    authorizer: allowKnown,
    ...more,
  };
}

beforeAll(async () => {
  pki = await createClusterPki({ clock: realClock });
  handler = new FakeHandler();
  server = createHttpServer(optionsFor(handler));
  await server.listen();
});

afterAll(() => server.close());

interface Answer {
  readonly code: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Buffer;
  json(): Record<string, unknown>;
}

function call(
  path: string,
  options: RequestOptions & { body?: string | Buffer; to?: HttpServer } = {},
): Promise<Answer> {
  const { body, to = server, headers, ...rest } = options;
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: "127.0.0.1",
        port: to.port,
        path,
        ca: pki.ca.certificate,
        headers: { Authorization: "Bearer good", Connection: "close", ...headers },
        ...rest,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const whole = Buffer.concat(chunks);
          resolve({
            code: response.statusCode ?? 0,
            headers: response.headers,
            body: whole,
            json: () => JSON.parse(whole.toString()),
          });
        });
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

/** Sends bytes as they are, so that no client library tidies the path up. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connectTls(
      { host: "127.0.0.1", port: server.port, ca: pki.ca.certificate, ALPNProtocols: ["http/1.1"] },
      () => socket.write(text),
    );
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk.toString();
    });
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}

describe("answers", () => {
  test("a GET is the stored bytes and a line feed, with upstream's headers", async () => {
    const answer = await call("/api/v1/namespaces/default/pods/web");
    expect(answer.code).toBe(200);
    expect(answer.body.toString()).toBe(`${stored("web", 5).bytes.toString()}\n`);
    expect(answer.headers["content-type"]).toBe("application/json");
    expect(answer.headers["cache-control"]).toBe("no-cache, private");
    expect(answer.headers["audit-id"]).toMatch(/^[0-9a-f-]{36}$/);
    expect(answer.headers["warning"]).toBe('299 - "use \\"v2\\" now"');
    expect(handler.requests.at(-1)).toMatchObject({
      verb: "get",
      namespace: "default",
      name: "web",
      user: { username: "jane", groups: ["dev", "system:authenticated"] },
    });
  });

  test("a LIST is its items' bytes joined, the same when packed", async () => {
    handler.items = Array.from({ length: 500 }, (_, at) => stored(`p${at}`, at, 1000));
    const plain = await call("/api/v1/pods?limit=500");
    expect(plain.json()).toMatchObject({ kind: "PodList", apiVersion: "v1", metadata: { resourceVersion: "9" } });
    expect((plain.json()["items"] as unknown[]).length).toBe(500);
    expect(handler.requests.at(-1)?.options?.limit).toBe(500);
    const packed = await call("/api/v1/pods", { headers: { "Accept-Encoding": "gzip" } });
    expect(packed.headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(packed.body).equals(plain.body)).toBe(true);
    handler.items = handler.items.slice(1);
    const fewer = await call("/api/v1/pods");
    expect((fewer.json()["items"] as { metadata: { name: string } }[])[0]?.metadata.name).toBe("p1");
    handler.items = [];
    expect((await call("/api/v1/pods")).json()["items"]).toEqual([]);
  });

  test("failures are Status, faults say nothing of themselves", async () => {
    const missing = await call("/api/v1/namespaces/default/pods/missing");
    expect(missing.code).toBe(404);
    expect(missing.json()).toMatchObject({ kind: "Status", reason: "NotFound", message: 'pods "missing" not found' });
    const panic = await call("/api/v1/namespaces/default/pods/panic");
    expect(panic.code).toBe(500);
    expect(panic.body.toString()).not.toContain("secret detail");
    expect((await call("/api/v1/namespaces/default/pods/busy")).headers["retry-after"]).toBe("7");
  });

  test.each([
    ["limit that is no number", "/api/v1/pods?limit=x", 400, 'strconv.ParseInt: parsing "x": invalid syntax'],
    ["unknown group", "/apis/nope/v1/things", 404, "404 page not found"],
    ["unknown resource", "/api/v1/things", 404, "the server could not find the requested resource"],
    ["namespaced path of a cluster resource", "/api/v1/namespaces/a/nodes", 404, "could not find"],
    ["unknown subresource", "/api/v1/namespaces/a/pods/b/nope", 404, "could not find"],
    ["unknown path", "/nope", 404, "404 page not found"],
  ])("%s", async (_, path, code, text) => {
    const answer = await call(path);
    expect(answer.code).toBe(code);
    expect(answer.body.toString()).toContain(
      text.replaceAll('"', answer.headers["content-type"] === "application/json" ? '\\"' : '"'),
    );
  });

  test("writes carry their body and the agent as field manager", async () => {
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "new" } };
    const headers = { "Content-Type": "application/json", "User-Agent": "kubectl/v1.33 (linux)" };
    const made = await call("/api/v1/namespaces/default/pods?dryRun=All", {
      method: "POST",
      headers,
      body: JSON.stringify(pod),
    });
    expect(made.code).toBe(201);
    expect(handler.requests.at(-1)).toMatchObject({
      verb: "create",
      body: pod,
      options: { fieldManager: "kubectl", dryRun: ["All"] },
    });
    const yaml = await call("/api/v1/namespaces/default/pods", {
      method: "POST",
      headers: { "Content-Type": "application/yaml" },
      body: "apiVersion: v1\nkind: Pod\nmetadata:\n  name: new\n",
    });
    expect(yaml.json()).toEqual(pod);
    const patched = await call("/api/v1/namespaces/default/pods/new?fieldManager=me&force=true", {
      method: "PATCH",
      headers: { "Content-Type": "application/apply-patch+yaml" },
      body: "metadata: {name: new}",
    });
    expect(patched.code).toBe(201);
    expect(handler.requests.at(-1)).toMatchObject({ verb: "patch", patchType: "apply", options: { force: true } });
  });

  test.each([
    [
      "415 for a patch of an unknown type",
      "PATCH",
      "/api/v1/namespaces/a/pods/b",
      { "Content-Type": "application/json" },
      415,
    ],
    [
      "400 for protobuf that is none",
      "POST",
      "/api/v1/namespaces/a/pods",
      { "Content-Type": "application/vnd.kubernetes.protobuf" },
      400,
    ],
    [
      "415 for protobuf of a custom resource",
      "POST",
      "/apis/example.com/v1/namespaces/a/widgets",
      { "Content-Type": "application/vnd.kubernetes.protobuf" },
      415,
    ],
    [
      "406 for protobuf alone of a custom resource",
      "GET",
      "/apis/example.com/v1/widgets",
      { Accept: "application/vnd.kubernetes.protobuf" },
      406,
    ],
    [
      "JSON where protobuf is only preferred",
      "GET",
      "/apis/example.com/v1/widgets",
      { Accept: "application/vnd.kubernetes.protobuf,application/json" },
      200,
    ],
    ["405 for POST on a name", "POST", "/api/v1/namespaces/a/pods/b", {}, 405],
    ["405 for creation across namespaces", "POST", "/api/v1/pods", {}, 405],
    ["422 for a bad dryRun", "POST", "/api/v1/namespaces/a/pods?dryRun=x", {}, 422],
  ])("%s", async (_, method, path, headers, code) => {
    expect((await call(path, { method, headers, ...(method === "GET" ? {} : { body: "{}" }) })).code).toBe(code);
  });
});

describe("who asks", () => {
  test("by certificate, over HTTP/1.1", async () => {
    const { certificate: cert, key } = pki.admin;
    await call("/api/v1/nodes/a", { cert, key, headers: { Authorization: "" } });
    expect(handler.requests.at(-1)?.user).toMatchObject({
      username: "kubernetes-admin",
      groups: ["system:masters", "system:authenticated"],
    });
  });

  test("a bad token is 401, no token is anonymous and forbidden", async () => {
    const bad = await call("/api/v1/pods", { headers: { Authorization: "Bearer bad" } });
    expect(bad.code).toBe(401);
    expect(bad.json()).toMatchObject({ reason: "Unauthorized", message: "Unauthorized" });
    const none = await call("/version", { headers: { Authorization: "" } });
    expect(none.code).toBe(403);
    expect(none.json()["message"]).toBe('forbidden: User "system:anonymous" cannot get path "/version"');
  });

  test("impersonation is authorized, and takes effect", async () => {
    await call("/api/v1/nodes/a", { headers: { "Impersonate-User": "system:serviceaccount:ns:sa" } });
    expect(handler.requests.at(-1)?.user).toMatchObject({
      username: "system:serviceaccount:ns:sa",
      groups: ["system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"],
    });
    const refused = await call("/api/v1/nodes/a", { headers: { Authorization: "", "Impersonate-User": "boss" } });
    expect(refused.code).toBe(403);
  });
});

describe("watch", () => {
  test("frames arrive as they are made, and the watch ends when the client goes", async () => {
    const arrived = handler.nextWatch();
    const chunks: string[] = [];
    let more: () => void = () => {};
    const request = httpsRequest({
      host: "127.0.0.1",
      port: server.port,
      path: "/api/v1/pods?watch=1&resourceVersion=3",
      ca: pki.ca.certificate,
      headers: { Authorization: "Bearer good" },
    });
    request.on("error", () => {});
    const headed = new Promise<number>((resolve) => {
      request.on("response", (response) => {
        resolve(response.statusCode ?? 0);
        response.on("data", (chunk: Buffer) => {
          chunks.push(chunk.toString());
          more();
        });
        response.on("error", () => {});
      });
    });
    request.end();
    await arrived;
    expect(await headed).toBe(200);
    const queue = handler.watches.at(-1);
    const got = new Promise<void>((resolve) => {
      more = () => {
        if (chunks.join("").split("\n").length > 2) resolve();
      };
    });
    queue?.push([added(stored("a", 4)), added(stored("b", 5))]);
    await got;
    expect(
      chunks
        .join("")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).object.metadata.name),
    ).toEqual(["a", "b"]);
    const watched = handler.requests.at(-1);
    expect(watched).toMatchObject({ verb: "watch", options: { resourceVersion: "3" } });
    expect(watched?.options?.timeoutSeconds).toBeGreaterThanOrEqual(1800);
    expect(watched?.options?.timeoutSeconds).toBeLessThanOrEqual(3600);
    const ended = new Promise<void>((resolve) => watched?.signal?.addEventListener("abort", () => resolve()));
    request.destroy();
    await ended;
  });

  test("a failure of the watch is an ERROR event", async () => {
    const arrived = handler.nextWatch();
    const answer = call("/api/v1/watch/namespaces/default/pods/web");
    await arrived;
    expect(handler.requests.at(-1)?.options?.fieldSelector).toBe("metadata.name=web");
    handler.watches.at(-1)?.end(statusErrors.expired("too old resource version: 1 (2)"));
    const event = (await answer).json();
    expect(event).toMatchObject({ type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired" } });
  });

  test("over a WebSocket each event is a message", async () => {
    const arrived = handler.nextWatch();
    const token = `base64url.bearer.authorization.k8s.io.${Buffer.from("good").toString("base64url")}`;
    const socket = new WebSocket(`wss://127.0.0.1:${server.port}/api/v1/pods?watch=true`, [token, "other"], {
      ca: pki.ca.certificate,
    });
    const messages: string[] = [];
    const two = new Promise<void>((resolve, reject) => {
      socket.on("error", reject);
      socket.on("message", (data) => {
        messages.push(data.toString());
        if (messages.length === 2) resolve();
      });
    });
    await arrived;
    handler.watches.at(-1)?.push([added(stored("a", 4)), added(stored("b", 5))]);
    await two;
    expect(socket.protocol).not.toContain("bearer");
    expect(messages.map((text) => JSON.parse(text).object.metadata.name)).toEqual(["a", "b"]);
    const closed = new Promise((resolve) => socket.on("close", resolve));
    handler.watches.at(-1)?.end();
    await closed;
  });
});

describe("HTTP/2", () => {
  test("serves many streams of one connection, with the certificate's user", async () => {
    const session = connectHttp2(`https://127.0.0.1:${server.port}`, {
      ca: pki.ca.certificate,
      cert: pki.admin.certificate,
      key: pki.admin.key,
    });
    const get = (path: string): Promise<{ code: number; body: string }> =>
      new Promise((resolve, reject) => {
        const stream = session.request({ ":path": path });
        let code = 0;
        let body = "";
        stream.on("response", (headers) => {
          code = headers[":status"] ?? 0;
        });
        stream.on("data", (chunk) => {
          body += chunk;
        });
        stream.on("end", () => resolve({ code, body }));
        stream.on("error", reject);
      });
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, at) => get(`/api/v1/namespaces/default/pods/p${at}`)),
    );
    expect(answers.every(({ code }) => code === 200)).toBe(true);
    expect(JSON.parse(answers[42]?.body ?? "").metadata.name).toBe("p42");
    expect(handler.requests.at(-1)?.user.username).toBe("kubernetes-admin");
    session.close();
  });

  test("a connection that opens and cancels streams without end is cut, and the server goes on", async () => {
    const session = connectHttp2(`https://127.0.0.1:${server.port}`, { ca: pki.ca.certificate });
    session.on("error", () => {});
    const cut = new Promise<void>((resolve) => session.on("close", () => resolve()));
    let open = 0;
    const flood = (): void => {
      if (session.destroyed || session.closed) return;
      for (; open < 50; open++) {
        const stream = session.request({ ":path": "/api/v1/pods?watch=1", authorization: "Bearer good" });
        stream.on("error", () => {});
        stream.on("response", () => stream.destroy());
        stream.on("close", () => {
          open--;
          setImmediate(flood);
        });
      }
    };
    session.on("connect", flood);
    await cut;
    expect((await call("/healthz")).code).toBe(200);
  });
});

describe("hostile requests", () => {
  test.each([
    ["/api/v1/namespaces/default/pods/..%2f..%2fsecrets", 404],
    ["/api/v1/namespaces/../namespaces/kube-system/pods", 404],
    ["/api/v1/namespaces/%2e%2e/pods/x", 404],
    ["/api//v1/pods", 404],
    ["/api/v1/namespaces/default/pods/%zz", 400],
    ["/api/v1/namespaces/default/pods/a%00b", 404],
    ["/healthz/../metrics", 404],
    ["http://elsewhere/api/v1/pods", 400],
  ])("%s is %i", async (path, code) => {
    const before = handler.requests.length;
    const answer = await raw(
      `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${code} `));
    expect(handler.requests.length).toBe(before);
  });

  test("a body over the limit is 413, said and unsaid", async () => {
    const body = Buffer.alloc(4 * 1024 * 1024, 0x20);
    const said = await call("/api/v1/namespaces/a/pods", { method: "POST", body }).catch(() => undefined);
    if (said !== undefined) expect(said.code).toBe(413);
    const chunked = await raw(
      `POST /api/v1/namespaces/a/pods HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\nTransfer-Encoding: chunked\r\n\r\n400000\r\n${" ".repeat(0x400000)}\r\n0\r\n\r\n`,
    );
    expect(chunked).toMatch(/^HTTP\/1.1 413 /);
    expect(chunked).toContain("Request entity too large: limit is 3145728");
  });

  test("deep bodies, YAML bombs and broken text are 400", async () => {
    const post = (body: string, type: string): Promise<Answer> =>
      call("/api/v1/namespaces/a/pods", { method: "POST", headers: { "Content-Type": type }, body });
    expect((await post("[".repeat(100_000), "application/json")).code).toBe(400);
    expect((await post(`${"- ".repeat(50_000)}x`, "application/yaml")).code).toBe(400);
    const bomb = [
      "a: &a [x,x,x,x,x,x,x,x,x]",
      ...Array.from(
        "bcdefghi",
        (letter, at) => `${letter}: &${letter} [${Array(9).fill(`*${"abcdefgh"[at]}`).join(",")}]`,
      ),
    ];
    expect((await post(bomb.join("\n"), "application/yaml")).code).toBe(400);
    expect((await post('{"a":', "application/json")).code).toBe(400);
  });

  test("headers without end are refused", async () => {
    const request = `GET /healthz HTTP/1.1\r\nHost: x\r\nX-Pad: ${"a".repeat(300_000)}\r\n\r\n`;
    let answer = "";
    // Who still sends may find the connection reset before it has read why.
    for (let tries = 0; tries < 20 && answer === ""; tries++) answer = await raw(request).catch(() => "");
    expect(answer).toMatch(/^HTTP\/1.1 431 /);
  });

  test("what is no TLS does not disturb", async () => {
    const socket = connectTcp(server.port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\n\r\n"));
    socket.on("error", () => {});
    await new Promise((resolve) => socket.on("close", resolve));
    expect((await call("/healthz")).body.toString()).toBe("ok");
  });
});

describe("limits", () => {
  async function withServer(
    more: Partial<HttpServerOptions>,
    act: (server: HttpServer, fake: FakeHandler) => Promise<void>,
  ) {
    const fake = new FakeHandler();
    const own = createHttpServer(optionsFor(fake, more));
    await own.listen();
    try {
      await act(own, fake);
    } finally {
      await own.close(1000);
    }
  }

  test("too many at once are 429, but not watches, health checks and masters", () =>
    withServer({ inFlight: { reads: 1, writes: 1 } }, async (own, fake) => {
      let release: () => void = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      const entered = new Promise<void>((resolve) => {
        fake.onHandle = (request) => {
          resolve();
          return request.name === "slow" ? held : Promise.resolve();
        };
      });
      const slow = call("/api/v1/namespaces/a/pods/slow", { to: own });
      await entered;
      const refused = await call("/api/v1/namespaces/a/pods/b", { to: own });
      expect(refused.code).toBe(429);
      expect(refused.headers["retry-after"]).toBe("1");
      expect((await call("/healthz", { to: own })).code).toBe(200);
      const { certificate: cert, key } = pki.admin;
      expect((await call("/api/v1/nodes/b", { to: own, cert, key, headers: { Authorization: "" } })).code).toBe(200);
      release();
      expect((await slow).code).toBe(200);
      expect((await call("/api/v1/namespaces/a/pods/b", { to: own })).code).toBe(200);
    }));

  test("what takes too long is 504, and its work is aborted", () =>
    withServer({ requestTimeoutMs: 100 }, async (own, fake) => {
      let aborted = false;
      fake.onHandle = (request) =>
        new Promise((resolve) => {
          request.signal?.addEventListener("abort", () => {
            aborted = true;
            resolve();
          });
        });
      const answer = await call("/api/v1/namespaces/a/pods", { to: own, method: "POST", body: "{}" });
      expect(answer.code).toBe(504);
      expect(answer.json()["message"]).toBe("Timeout: request did not complete within the allotted timeout");
      expect(aborted).toBe(true);
    }));

  test("a watcher that takes nothing is cut with bounded memory", () =>
    withServer({ stallTimeoutMs: 200 }, async (own, fake) => {
      const arrived = fake.nextWatch();
      const agent = new Agent();
      const request = httpsRequest({
        host: "127.0.0.1",
        port: own.port,
        path: "/api/v1/pods?watch=1",
        ca: pki.ca.certificate,
        agent,
        headers: { Authorization: "Bearer good" },
      });
      request.on("response", (response) => {
        response.pause();
        response.socket.pause();
        response.on("error", () => {});
      });
      request.on("error", () => {});
      request.end();
      await arrived;
      const watched = fake.requests.at(-1);
      const ended = new Promise<void>((resolve) => watched?.signal?.addEventListener("abort", () => resolve()));
      const queue = fake.watches.at(-1);
      const big = added(stored("big", 1, 1024 * 1024));
      const push = (): void => {
        if (watched?.signal?.aborted) return;
        queue?.push([big]);
        setImmediate(push);
      };
      push();
      await ended;
      agent.destroy();
    }));

  test("closing fails readyz, ends watches and lets requests finish", async () => {
    const fake = new FakeHandler();
    const own = createHttpServer(optionsFor(fake));
    await own.listen();
    expect((await call("/readyz?verbose", { to: own })).body.toString()).toContain("[+]shutdown ok");
    const arrived = fake.nextWatch();
    const watching = call("/api/v1/pods?watch=1", { to: own });
    await arrived;
    const entered = new Promise<void>((resolve) => {
      fake.onHandle = () => {
        resolve();
        return new Promise((done) => setImmediate(done));
      };
    });
    const reading = call("/api/v1/namespaces/a/pods/b", { to: own });
    await entered;
    await own.close();
    expect((await reading).code).toBe(200);
    expect((await watching).code).toBe(200);
    await expect(call("/healthz", { to: own })).rejects.toThrow();
  });
});

test("metrics count requests by verb, resource and code", async () => {
  await call("/api/v1/namespaces/default/pods/web");
  const text = (await call("/metrics")).body.toString();
  expect(text).toMatch(/apiserver_request_total\{.*resource="pods".*verb="GET".*code="200"\} \d+/);
  expect(text).toMatch(/apiserver_request_duration_seconds_bucket\{.*le="\+Inf"\} \d+/);
  expect(text).toContain("process_resident_memory_bytes");
});
