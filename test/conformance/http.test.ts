import { connect as connectTls } from "node:tls";
import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/api/index.js";
import { configMap } from "./support/objects.js";
import { Api, useControlPlane } from "./support/subject.js";
import type { Answer, WireCall } from "./support/wire.js";

const cp = useControlPlane({ tokens: new Map([["nobody", { username: "nobody", groups: [] }]]) });
const api = new Api(() => cp.https);
const pods = "/api/v1/namespaces/default/pods";

const status = (code: number, reason: string, message: string, details?: object): object => ({
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Failure",
  message,
  reason,
  ...(details === undefined ? {} : { details }),
  code,
});
const notFoundPage = { code: 404, type: "text/plain; charset=utf-8", text: "404 page not found\n" };
const noResource = status(404, "NotFound", "the server could not find the requested resource", {});
const noMethod = status(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {});

describe("exec, attach, port-forward and proxy", () => {
  const admissionregistration = "apis/admissionregistration.k8s.io/v1";
  const policy = {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicy",
    metadata: { name: "no-way-in" },
    spec: {
      matchConstraints: {
        resourceRules: [
          { apiGroups: [""], apiVersions: ["v1"], operations: ["CONNECT"], resources: ["pods/*", "services/proxy"] },
        ],
      },
      validations: [{ expression: "false", message: "no way in" }],
    },
  };
  const binding = {
    apiVersion: policy.apiVersion,
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: policy.metadata,
    spec: { policyName: "no-way-in", validationActions: ["Deny"] },
  };

  test("pass admission", async () => {
    await api.call("create", `${admissionregistration}/validatingadmissionpolicies`, { body: policy });
    await api.call("create", `${admissionregistration}/validatingadmissionpolicybindings`, { body: binding });
    for (const path of ["exec?command=ls&stdout=1", "attach", "portforward?ports=80", "proxy/a"]) {
      const answer = await cp.wire.send(`${pods}/nobody/${path}`);
      expect(answer.code, path).toBe(422);
      expect(answer.json()["message"]).toBe(
        `pods "nobody" is forbidden: ValidatingAdmissionPolicy 'no-way-in' with binding 'no-way-in' denied request: no way in`,
      );
    }
    await api.call("delete", `${admissionregistration}/validatingadmissionpolicybindings`, { name: "no-way-in" });
    expect((await cp.wire.send(`${pods}/nobody/exec?command=ls&stdout=1`)).code).toBe(404);
  });

  test("of logs nobody asks admission", async () => {
    expect((await cp.wire.send(`${pods}/nobody/log`)).code).toBe(404);
  });
});

describe.each([
  { protocol: "HTTP/1.1", send: (path: string, call?: WireCall): Promise<Answer> => cp.wire.send(path, call) },
  { protocol: "HTTP/2", send: (path: string, call?: WireCall): Promise<Answer> => cp.wire.send2(path, call) },
])("over $protocol", ({ send }) => {
  test("an answer is not to be kept, and has an id", async () => {
    const { code, headers } = await send("/api/v1/namespaces/default");
    expect(code).toBe(200);
    expect(headers).toMatchObject({
      "content-type": "application/json",
      "cache-control": "no-cache, private",
      "audit-id": expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
    });
  });

  test("the id is the client's where it gives one, of at most 64 characters", async () => {
    const { headers } = await send("/version", { headers: { "Audit-ID": "my-id" } });
    expect(headers["audit-id"]).toBe("my-id");
    const long = await send("/version", { headers: { "Audit-ID": "x".repeat(100) } });
    expect(long.headers["audit-id"]).toBe("x".repeat(64));
  });

  const unknown: { path: string; answer: object }[] = [
    { path: "/nowhere", answer: notFoundPage },
    { path: "/api/v2", answer: notFoundPage },
    { path: "/api/v2/pods", answer: notFoundPage },
    { path: "/apis/nobody.example.com", answer: notFoundPage },
    { path: "/apis/nobody.example.com/v1", answer: notFoundPage },
    { path: "/apis/nobody.example.com/v1/things", answer: notFoundPage },
    { path: "/apis/apps/v7/deployments", answer: notFoundPage },
    { path: "/healthz/nothing", answer: notFoundPage },
    { path: "/openapi/v3/apis/nobody.example.com/v1", answer: notFoundPage },
    { path: "/api/v1/things", answer: noResource },
    { path: "/apis/apps/v1/namespaces/default/things", answer: noResource },
    { path: "/api/v1/namespaces/default/pods/p/thing", answer: noResource },
    { path: "/api/v1/namespaces/default/nodes", answer: noResource },
    { path: "/api/v1/namespaces/default/pods/p/status/more", answer: noResource },
  ];
  test.each(unknown)("$path is not there", async ({ path, answer }) => {
    const { code, headers, text } = await send(path);
    expect(code).toBe(404);
    if (answer === notFoundPage) {
      expect({ code, type: headers["content-type"], text }).toEqual(notFoundPage);
      expect(headers["x-content-type-options"]).toBe("nosniff");
    } else expect(JSON.parse(text)).toEqual(answer);
  });

  const methods: { method: string; path: string }[] = [
    { method: "OPTIONS", path: pods },
    { method: "PUT", path: pods },
    { method: "PATCH", path: pods },
    { method: "POST", path: `${pods}/p` },
    { method: "POST", path: "/api/v1/pods" },
    { method: "DELETE", path: "/api/v1/pods" },
    { method: "POST", path: `${pods}/p/status` },
    { method: "DELETE", path: `${pods}/p/status` },
    { method: "PUT", path: "/api/v1/componentstatuses/x" },
    { method: "GET", path: "/apis/authorization.k8s.io/v1/subjectaccessreviews" },
    { method: "POST", path: "/apis" },
    { method: "POST", path: "/version" },
  ];
  test.each(methods)("$method of $path is not allowed", async ({ method, path }) => {
    const { code, json } = await send(path, { method, headers: { "Content-Type": "application/json" }, body: "{}" });
    expect(code).toBe(405);
    expect(json()).toEqual(noMethod);
  });

  test("HEAD is no method of a built-in resource, and has no body", async () => {
    const { code, body, headers } = await send(`${pods}`, { method: "HEAD" });
    expect([code, body.length, headers["content-type"]]).toEqual([405, 0, "application/json"]);
    const health = await send("/healthz", { method: "HEAD" });
    expect([health.code, health.body.length]).toEqual([200, 0]);
  });

  test("a slash at the end changes nothing", async () => {
    for (const path of [
      "/api/",
      "/apis/",
      "/apis/apps/",
      "/apis/apps/v1/",
      "/version/",
      `${pods}/`,
      "/api/v1/namespaces/default/",
    ]) {
      expect([path, (await send(path)).code]).toEqual([path, 200]);
    }
  });

  test("whoever is not known by the token given is refused", async () => {
    const { code, headers, json } = await cp.wire.send("/api", {
      anonymous: true,
      headers: { Authorization: "Bearer bad" },
    });
    expect([code, headers["content-type"]]).toEqual([401, "application/json"]);
    expect(json()).toEqual(status(401, "Unauthorized", "Unauthorized"));
  });

  test("whoever may not do something is told what", async () => {
    const path = await cp.wire.send("/metrics", { anonymous: true });
    expect([path.code, path.json()]).toEqual([
      403,
      status(403, "Forbidden", 'forbidden: User "system:anonymous" cannot get path "/metrics"', {}),
    ]);
    const list = await cp.wire.send(pods, { anonymous: true, headers: { Authorization: "Bearer nobody" } });
    expect(list.json()).toEqual(
      status(
        403,
        "Forbidden",
        'pods is forbidden: User "nobody" cannot list resource "pods" in API group "" in the namespace "default"',
        { kind: "pods" },
      ),
    );
  });

  test("a deprecated version is warned of", async () => {
    const { headers } = await send("/api/v1/componentstatuses");
    expect(headers["warning"]).toBe('299 - "v1 ComponentStatus is deprecated in v1.19+"');
  });

  test("numbers that are none are refused in Go's words", async () => {
    const { code, json } = await send(`${pods}?limit=many`);
    expect([code, json()]).toEqual([
      400,
      status(400, "BadRequest", 'strconv.ParseInt: parsing "many": invalid syntax'),
    ]);
  });

  test("a body beyond 3 MiB is too large", async () => {
    const body = `{"data":"${"x".repeat(3 * 1024 * 1024)}"}`;
    const answer = await send(pods, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    expect([answer.code, answer.json()]).toEqual([
      413,
      status(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728"),
    ]);
  });

  test("the start says what paths there are", async () => {
    const { headers, text, json } = await send("/");
    expect(headers["content-type"]).toBe("application/json");
    const paths = json()["paths"] as string[];
    expect(text).toBe(JSON.stringify({ paths }, null, 2));
    const some = [
      "/api",
      "/api/v1",
      "/apis",
      "/apis/",
      "/apis/apps",
      "/apis/apps/v1",
      "/healthz",
      "/healthz/ping",
      "/livez",
      "/readyz",
      "/metrics",
      "/openapi/v2",
      "/openapi/v3",
      "/openapi/v3/",
      "/version",
    ];
    expect(paths).toEqual(expect.arrayContaining(some));
    expect([...paths].sort()).toEqual(paths);
  });

  test("the version is upstream's, field by field", async () => {
    const { headers, text, json } = await send("/version");
    expect(headers["content-type"]).toBe("application/json");
    expect(text).toBe(JSON.stringify(json(), null, 2));
    expect(Object.keys(json())).toEqual([
      "major",
      "minor",
      "emulationMajor",
      "emulationMinor",
      "minCompatibilityMajor",
      "minCompatibilityMinor",
      "gitVersion",
      "gitCommit",
      "gitTreeState",
      "buildDate",
      "goVersion",
      "compiler",
      "platform",
    ]);
    expect(json()).toMatchObject({ major: "1", minor: "36", gitVersion: expect.stringMatching(/^v1\.36\./) });
  });
});

describe("health", () => {
  const get = async (path: string): Promise<unknown[]> => {
    const { code, headers, text } = await cp.wire.send(path);
    expect(headers["content-type"]).toBe("text/plain; charset=utf-8");
    expect(headers["x-content-type-options"]).toBe("nosniff");
    return [code, text];
  };

  test.each(["healthz", "livez", "readyz"])("/%s is ok in a word", async (endpoint) => {
    expect(await get(`/${endpoint}`)).toEqual([200, "ok"]);
    expect(await get(`/${endpoint}/ping`)).toEqual([200, "ok"]);
  });

  test.each(["healthz", "livez", "readyz"])("/%s?verbose names each check", async (endpoint) => {
    const [code, text] = await get(`/${endpoint}?verbose`);
    expect(code).toBe(200);
    expect(text).toMatch(
      new RegExp(
        `^\\[\\+\\]ping ok\n\\[\\+\\]log ok\n\\[\\+\\]etcd ok\n(\\[\\+\\][a-z-]+ ok\n)*${endpoint} check passed\n$`,
      ),
    );
  });

  test("is for everybody to ask, its single checks are not", async () => {
    expect((await cp.wire.send("/readyz?verbose", { anonymous: true })).code).toBe(200);
    expect((await cp.wire.send("/readyz/ping", { anonymous: true })).code).toBe(403);
  });

  test("a check can be excluded", async () => {
    const [code, text] = await get("/livez?verbose&exclude=ping&exclude=none");
    expect(code).toBe(200);
    expect(text).toContain("[+]ping excluded: ok\n");
    expect(text).toContain('warn: some health checks cannot be excluded: no matches for "none"\n');
  });
});

describe("metrics", () => {
  test("are Prometheus' text, by upstream's names", async () => {
    await api.call("get", "api/v1/namespaces", { name: "default" });
    const { code, headers, text } = await cp.wire.send("/metrics");
    expect([code, headers["content-type"]]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
    expect(text).toMatch(/^apiserver_request_total\{.*resource="namespaces".*verb="GET".*code="200"\} [1-9]/m);
    for (const line of text.trimEnd().split("\n")) {
      expect(line).toMatch(/^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[^{}]*\})? [0-9.e+-]+)$/);
    }
  });
});

describe("paths that are not what they seem", () => {
  const bare = (request: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(cp.wire.options.url);
      const { ca, certificate: cert, key } = cp.wire.options;
      const socket = connectTls(
        { host: hostname, port: Number(port), ca, cert, key, ALPNProtocols: ["http/1.1"] },
        () => {
          socket.write(request);
        },
      );
      let text = "";
      socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
      socket.on("end", () => resolve(text));
      socket.on("error", reject);
    });
  const tricks = [
    "/api/v1/namespaces/default/pods/../secrets",
    "/api/v1/namespaces/default/pods/%2e%2e/secrets",
    "/api/v1/namespaces/default/pods/%2E%2e",
    "/api/v1/namespaces/default%2Fpods",
    "/api/v1//namespaces/default",
    "//api/v1/namespaces",
    "/api/v1/namespaces/./default",
    "/api/v1/namespaces/default/pods/a%00b",
    "/api/v1/namespaces/default/pods/%",
    "/api/v1/namespaces/default/pods/%zz",
    "/api/v1/namespaces/default/pods/%ff%fe",
    "/healthz/../api/v1/secrets",
    "/healthz/%2e%2e/api/v1/secrets",
  ];
  test.each(tricks)("%s is refused", async (path) => {
    const answer = await bare(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 (400|404) /);
  });

  test.each(["api/v1/namespaces", "*", "http://other/api/v1/namespaces"])(
    "the target %s is refused or the path in it",
    async (target) => {
      const answer = await bare(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 (200|400|404) /);
    },
  );
});

test("an object of another kind's path is a BadRequest", async () => {
  const body = JSON.stringify(configMap("default", "x"));
  const { code, json } = await cp.wire.send("/api/v1/namespaces/default/secrets", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body,
  });
  expect([code, (json() as JsonObject)["reason"]]).toEqual([400, "BadRequest"]);
});
