import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { request as httpsRequest } from "node:https";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FlowSchema, flowSchemas, type PriorityLevelConfiguration } from "../../src/api/index.js";
import type { Authorizer } from "../../src/apiserver/authz/authorizer.js";
import { configured, levelNamed, schemaNamed } from "../../src/apiserver/flowcontrol/fixture.js";
import { createHttpServer } from "../../src/apiserver/http/server.js";
import type { RequestHandler } from "../../src/apiserver/request.js";
import { createClient } from "../../src/client/index.js";
import { type Cluster, type ClusterOptions, startCluster } from "../../src/cluster/cluster.js";
import { MemoryStore } from "../../src/store/index.js";

interface Answer {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

const tokens = new Map([
  ["root", { username: "root", groups: ["system:masters"] }],
  ["jane", { username: "jane", groups: [] }],
]);
const clusters: Cluster[] = [];

async function start(options: Partial<ClusterOptions> = {}): Promise<Cluster> {
  const store = new MemoryStore();
  const cluster = await startCluster({ store, controllers: [], scheduler: false, tokens, ...options });
  clusters.push(cluster);
  return cluster;
}

function get(cluster: Cluster, path: string, token: string, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(cluster.api.https.url);
    const headers = { authorization: `Bearer ${token}` };
    const ca = cluster.pki.ca.certificate;
    const request = httpsRequest({ hostname, port, path, method, headers, ca, agent: false }, (response) => {
      let text = "";
      const answer = (): void => resolve({ code: response.statusCode ?? 0, headers: response.headers, text });
      response.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        // A watch does not end by itself.
        if (path.includes("watch=true")) response.destroy();
      });
      response.on("close", answer);
    });
    request.on("error", reject).end();
  });
}

let cluster: Cluster;
beforeAll(async () => {
  cluster = await start();
});
afterAll(async () => {
  for (const one of clusters) await one.stop();
});

const uidsOf = async (schema: string): Promise<readonly (string | undefined)[]> => {
  const client = createClient(cluster.api.transport());
  const { metadata, spec } = await client.get(flowSchemas, { name: schema });
  const level = await client.transport.request({
    group: "flowcontrol.apiserver.k8s.io",
    version: "v1",
    resource: "prioritylevelconfigurations",
    verb: "get",
    name: spec?.priorityLevelConfiguration.name ?? "",
  });
  return [metadata.uid, (level as PriorityLevelConfiguration).metadata.uid];
};

describe("a cluster's API server", () => {
  test.each([
    { name: "a read", path: "/api/v1/namespaces/default", token: "root", schema: "exempt", code: 200 },
    { name: "one that is forbidden", path: "/api/v1/pods", token: "jane", schema: "global-default", code: 403 },
    { name: "one of what there is not", path: "/api/v1/things", token: "root", schema: "exempt", code: 404 },
    { name: "a path", path: "/version", token: "jane", schema: "global-default", code: 200 },
    { name: "a probe", path: "/readyz", token: "jane", schema: "probes", code: 200 },
    { name: "a watch", path: "/api/v1/namespaces?watch=true", token: "root", schema: "exempt", code: 200 },
  ])("says by which schema and level it took $name", async ({ path, token, schema, code }) => {
    const { headers, ...answer } = await get(cluster, path, token);
    expect(answer.code, answer.text).toBe(code);
    const [schemaUid, levelUid] = await uidsOf(schema);
    expect(schemaUid).toMatch(/^[0-9a-f-]{36}$/);
    expect(headers["x-kubernetes-pf-flowschema-uid"]).toBe(schemaUid);
    expect(headers["x-kubernetes-pf-prioritylevel-uid"]).toBe(levelUid);
  });

  test("says nothing of what it does not know, and of streams", async () => {
    const strange = await get(cluster, "/version", "nobody");
    expect([strange.code, strange.headers["x-kubernetes-pf-flowschema-uid"]]).toEqual([401, undefined]);
    const log = await get(cluster, "/api/v1/namespaces/default/pods/a/log", "root");
    expect([log.code, log.headers["x-kubernetes-pf-flowschema-uid"]]).toEqual([404, undefined]);
  });

  test("keeps the condition Dangling as levels come and go", async () => {
    const client = createClient(cluster.api.transport());
    const dangling = async (name: string): Promise<unknown> =>
      (await client.get(flowSchemas, { name })).status?.conditions?.map((one) => [
        one.type,
        one.status,
        one.reason,
        one.message,
      ]);
    await client.create(
      flowSchemas,
      schemaNamed("mine", {
        matchingPrecedence: 5,
        priorityLevelConfiguration: { name: "own" },
        rules: [
          {
            subjects: [{ kind: "User", user: { name: "jane" } }],
            nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["/version"] }],
          },
        ],
      }) as FlowSchema,
    );
    const start = 'This FlowSchema references the PriorityLevelConfiguration object named "own"';
    const missing = [["Dangling", "True", "NotFound", `${start} but there is no such object`]];
    const found = [["Dangling", "False", "Found", `${start} and it exists`]];
    await expect.poll(() => dangling("mine")).toEqual(missing);
    expect(await dangling("catch-all")).toMatchObject([["Dangling", "False", "Found", expect.any(String)]]);
    const place = { group: "flowcontrol.apiserver.k8s.io", version: "v1", resource: "prioritylevelconfigurations" };
    const { uid: _, ...metadata } = levelNamed("own", 1, { queues: 2 }).metadata;
    const body = { ...levelNamed("own", 1, { queues: 2 }), metadata };
    await client.transport.request({ ...place, verb: "create", body });
    await expect.poll(() => dangling("mine")).toEqual(found);
    const [schemaUid, levelUid] = await uidsOf("mine");
    const { headers } = await get(cluster, "/version", "jane");
    expect(headers["x-kubernetes-pf-flowschema-uid"]).toBe(schemaUid);
    expect(headers["x-kubernetes-pf-prioritylevel-uid"]).toBe(levelUid);
    await client.transport.request({ ...place, verb: "delete", name: "own" });
    await expect.poll(() => dangling("mine")).toEqual(missing);
    const after = await get(cluster, "/version", "jane");
    expect(after.headers["x-kubernetes-pf-flowschema-uid"]).toBe((await uidsOf("global-default"))[0]);
  });

  test("shows its figures and dumps, to those who may", async () => {
    await get(cluster, "/version", "jane");
    const { text } = await get(cluster, "/metrics", "root");
    const labels = 'flow_schema="global-default",priority_level="global-default"';
    expect(text).toMatch(new RegExp(`^apiserver_flowcontrol_dispatched_requests_total\\{${labels}\\} [1-9]`, "m"));
    expect(text).toContain('apiserver_flowcontrol_nominal_limit_seats{priority_level="workload-low"} 245');
    // It shows itself at work.
    expect(text).toContain(
      'apiserver_flowcontrol_current_executing_requests{flow_schema="exempt",priority_level="exempt"} 1',
    );
    const dump = "/debug/api_priority_and_fairness/dump_";
    expect((await get(cluster, `${dump}priority_levels`, "jane")).code).toBe(403);
    const levels = await get(cluster, `${dump}priority_levels`, "root");
    expect(levels.headers["content-type"]).toBe("text/plain; charset=utf-8");
    expect(levels.text.split("\n")[0]).toBe(
      "PriorityLevelName, ActiveQueues, IsIdle, IsQuiescing, WaitingRequests, ExecutingRequests, DispatchedRequests, RejectedRequests, TimedoutRequests, CancelledRequests",
    );
    expect(levels.text).toMatch(/^catch-all, {9}0, {12}true, {3}false, {7}0, {15}0, {17}\d+, +0, +0, +0$/m);
    const queues = await get(cluster, `${dump}queues`, "root");
    expect(queues.text).toMatch(/^leader-election, +15, +0, +0, +0, +0\.00000000ss, +0, +0, +0\.00000000ss$/m);
    const requests = await get(cluster, `${dump}requests?includeRequestDetails=1`, "root");
    expect(requests.text).toMatch(
      /^exempt, +exempt, +-1, +-1, +, +20\S+Z, +1, +0, +0s, +20\S+Z, +root, +get, +\/debug\S+requests, +, +, +, +, +$/m,
    );
    expect((await get(cluster, `${dump}nothing`, "root")).code).toBe(404);
  });
});

test("switched off, requests are limited by number alone", async () => {
  const off = await start({ priorityAndFairness: false });
  const answer = await get(off, "/version", "jane");
  expect([answer.code, answer.headers["x-kubernetes-pf-flowschema-uid"]]).toEqual([200, undefined]);
  expect((await get(off, "/metrics", "root")).text).not.toContain("apiserver_flowcontrol");
  expect((await get(off, "/debug/api_priority_and_fairness/dump_requests", "root")).code).toBe(404);
});

describe("a server with one seat", () => {
  const everybody = [{ kind: "Group", group: { name: "*" } }];
  const schema = schemaNamed("all", {
    matchingPrecedence: 5,
    priorityLevelConfiguration: { name: "one" },
    rules: [{ subjects: everybody, nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["/held/*", "/free"] }] }],
  });
  const allowAll: Authorizer = { name: "all", authorize: () => ({ decision: "allow" }) };

  /** Answers `/held/NAME` when it is told to. */
  async function serving(authenticated?: Promise<void>) {
    const level = levelNamed("one", 10, { queues: 1, queueLengthLimit: 1 });
    const { control } = configured({ schemas: [schema], levels: [level], seats: 1 });
    const held = new Map<string, () => void>();
    let arrived = 0;
    const authenticate = async () => {
      arrived++;
      await authenticated;
      return { user: { username: "jane", groups: [] } };
    };
    const server = createHttpServer({
      host: "127.0.0.1",
      port: 0,
      handler: {} as RequestHandler,
      resources: { lookup: () => undefined, all: () => [] },
      authenticator: { name: "test", authenticate: () => authenticate() },
      authorizer: allowAll,
      flowControl: control,
      routes: [
        {
          async handle({ path }) {
            if (path !== "/free") await new Promise<void>((resolve) => held.set(path, resolve));
            return { code: 200, contentType: "text/plain", body: path };
          },
        },
      ],
    });
    await server.listen();
    const ask = (path: string) => {
      let request: ReturnType<typeof httpRequest> | undefined;
      const answer = new Promise<Answer | undefined>((resolve) => {
        request = httpRequest({ host: "127.0.0.1", port: server.port, path, agent: false }, (response) => {
          let text = "";
          response.on("data", (chunk: Buffer) => {
            text += chunk.toString();
          });
          response.on("end", () => resolve({ code: response.statusCode ?? 0, headers: response.headers, text }));
        });
        request.on("error", () => resolve(undefined)).end();
      });
      return { answer, leave: () => request?.destroy() };
    };
    const state = () => {
      const { queues } = control.levels.find(({ name }) => name === "one") as (typeof control.levels)[number];
      return [queues.executing.size, queues.waiting];
    };
    return { server, ask, state, held, arrived: () => arrived };
  }

  test("lets one in, holds one, refuses the next, and goes on when a client leaves", async () => {
    const { server, ask, state, held } = await serving();
    const first = ask("/held/a");
    await expect.poll(state).toEqual([1, 0]);
    const second = ask("/held/b");
    await expect.poll(state).toEqual([1, 1]);
    const refused = await ask("/free").answer;
    expect(refused).toMatchObject({
      code: 429,
      text: "Too many requests, please try again later.",
      headers: {
        "retry-after": "1",
        "x-kubernetes-pf-flowschema-uid": "schema-all",
        "x-kubernetes-pf-prioritylevel-uid": "level-one",
      },
    });
    second.leave();
    await expect.poll(state).toEqual([1, 0]);
    const third = ask("/free");
    await expect.poll(state).toEqual([1, 1]);
    held.get("/held/a")?.();
    expect(await first.answer).toMatchObject({ code: 200, text: "/held/a" });
    expect(await third.answer).toMatchObject({ code: 200, text: "/free" });
    expect(held.has("/held/b")).toBe(false);
    await expect.poll(state).toEqual([0, 0]);
    await server.close();
  });

  test("gives none to a client that left before it was known who it is", async () => {
    let known: () => void = () => {};
    const authenticated = new Promise<void>((resolve) => {
      known = resolve;
    });
    const { server, ask, state, arrived } = await serving(authenticated);
    const first = ask("/held/a");
    await expect.poll(arrived).toBe(1);
    first.leave();
    await first.answer;
    // The server hears of it with a later request at the latest.
    const second = ask("/free");
    await expect.poll(arrived).toBe(2);
    known();
    expect(await second.answer).toMatchObject({ code: 200 });
    await expect.poll(state).toEqual([0, 0]);
    await server.close();
  });

  test("has its seat back when a client leaves while it is served, and when the server closes", async () => {
    const { server, ask, state } = await serving();
    const first = ask("/held/a");
    await expect.poll(state).toEqual([1, 0]);
    const second = ask("/held/b");
    await expect.poll(state).toEqual([1, 1]);
    first.leave();
    await expect.poll(state).toEqual([1, 0]);
    ask("/held/c");
    await expect.poll(state).toEqual([1, 1]);
    await server.close(10);
    await second.answer;
    await expect.poll(state).toEqual([0, 0]);
  });
});
