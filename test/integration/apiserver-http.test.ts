import { connect as connectHttp2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { statusErrors } from "../../src/api/index.js";
import type { HttpServer } from "../../src/apiserver/http/server-options.js";
import type { ClusterPki } from "../../src/apiserver/pki/cluster-pki.js";
import { type Answer, ApiHttp, added, type FakeHandler, stored } from "./support/api-http.js";

let api: ApiHttp;
let pki: ClusterPki;
let handler: FakeHandler;
let server: HttpServer;

beforeAll(async () => {
  api = await ApiHttp.start();
  ({ pki, handler, server } = api);
});

afterAll(() => server.close());

const call = (...args: Parameters<ApiHttp["call"]>): Promise<Answer> => api.call(...args);

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

test("metrics count requests by verb, resource and code", async () => {
  await call("/api/v1/namespaces/default/pods/web");
  const text = (await call("/metrics")).body.toString();
  expect(text).toMatch(/apiserver_request_total\{.*resource="pods".*verb="GET".*code="200"\} \d+/);
  expect(text).toMatch(/apiserver_request_duration_seconds_bucket\{.*le="\+Inf"\} \d+/);
  expect(text).toContain("process_resident_memory_bytes");
});
