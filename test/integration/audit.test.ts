import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type AuditEvent,
  AuditLog,
  type AuditPolicy,
  AuditWebhook,
  parseAuditPolicy,
  RotatingFile,
} from "../../src/apiserver/index.js";
import { type Cluster, startCluster } from "../../src/cluster/cluster.js";
import { realClock } from "../../src/internal/clock.js";
import { MemoryStore } from "../../src/store/index.js";

const tokens = new Map([
  ["root", { username: "root", groups: ["system:masters"] }],
  ["jane", { username: "jane", groups: ["dev"] }],
]);
const events: AuditEvent[] = [];
const waiting: (() => void)[] = [];
const backend = {
  write: (batch: readonly AuditEvent[]): void => {
    events.push(...batch);
    for (const wake of waiting.splice(0)) wake();
  },
};
const policy = parseAuditPolicy(`
apiVersion: audit.k8s.io/v1
kind: Policy
omitManagedFields: true
rules:
- level: None
  nonResourceURLs: ["/metrics"]
- level: Metadata
  resources: [{group: "", resources: ["secrets"]}]
- level: RequestResponse
`);
let cluster: Cluster;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "audit-"));
  const audit = { policy, backends: [{ backend, mode: "blocking" as const }] };
  cluster = await startCluster({ store: new MemoryStore(), controllers: [], scheduler: false, tokens, audit });
});
afterAll(async () => {
  await cluster.stop();
  await rm(folder, { recursive: true });
});

interface Ask {
  readonly method?: string;
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Answer {
  readonly code: number;
  readonly text: string;
  readonly id: string;
}

function ask(
  on: Cluster,
  path: string,
  { method = "GET", token = "root", body, headers = {} }: Ask = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(on.api.https.url);
    const bytes = Buffer.from(body === undefined ? "" : JSON.stringify(body));
    const all = {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "content-length": String(bytes.length),
      "user-agent": "tester",
      ...headers,
    };
    const options = { hostname, port, path, method, headers: all, ca: on.pki.ca.certificate, agent: false };
    const request = httpsRequest(options, (response) => {
      let text = "";
      const id = String(response.headers["audit-id"]);
      response.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        // A watch does not end by itself.
        if (path.includes("watch=true")) response.destroy();
      });
      response.on("close", () => resolve({ code: response.statusCode ?? 0, text, id }));
    });
    request.on("error", reject).end(bytes);
  });
}

/** The events of a request, once there are so many. */
async function eventsOf(id: string, count: number): Promise<readonly AuditEvent[]> {
  for (;;) {
    const found = events.filter(({ auditID }) => auditID === id);
    if (found.length >= count) return found;
    await new Promise<void>((resolve) => waiting.push(resolve));
  }
}

const configMaps = "/api/v1/namespaces/default/configmaps";
const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data: { key: "value" } };

describe("what is recorded", () => {
  test("a create, with what was sent and what was answered", async () => {
    const { code, id } = await ask(cluster, `${configMaps}?fieldManager=me`, {
      method: "POST",
      body: configMap,
      headers: { "audit-id": "given", "x-forwarded-for": "192.0.2.1, bad, 2001:db8::1" },
    });
    expect([code, id]).toEqual([201, "given"]);
    const [received, complete] = await eventsOf(id, 2);
    expect(received).toMatchObject({
      kind: "Event",
      apiVersion: "audit.k8s.io/v1",
      level: "RequestResponse",
      stage: "RequestReceived",
      requestURI: `${configMaps}?fieldManager=me`,
      verb: "create",
      user: { username: "root", groups: ["system:masters", "system:authenticated"] },
      sourceIPs: ["192.0.2.1", "2001:db8::1", "127.0.0.1"],
      userAgent: "tester",
      objectRef: { resource: "configmaps", namespace: "default", apiVersion: "v1" },
    });
    expect(received?.stageTimestamp).toBe(received?.requestReceivedTimestamp);
    expect(received).not.toHaveProperty("responseStatus");
    expect(complete).toMatchObject({
      stage: "ResponseComplete",
      objectRef: { name: "a" },
      responseStatus: { metadata: {}, code: 201 },
      annotations: { "authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "" },
    });
    expect(complete?.requestObject?.toJSON()).toEqual(configMap);
    const answered = complete?.responseObject?.toJSON() as { metadata: object };
    expect(answered).toMatchObject(configMap);
    expect(answered.metadata).toHaveProperty("uid");
    expect(answered.metadata).not.toHaveProperty("managedFields");
  });

  test("a patch as it was sent, a delete with its options", async () => {
    const patch = { data: { other: "value" } };
    const headers = { "content-type": "application/merge-patch+json" };
    const patched = await ask(cluster, `${configMaps}/a`, { method: "PATCH", body: patch, headers });
    const [, complete] = await eventsOf(patched.id, 2);
    expect(complete).toMatchObject({ verb: "patch", objectRef: { name: "a" } });
    expect(complete?.requestObject?.toJSON()).toEqual(patch);
    const body = { propagationPolicy: "Background" };
    const deleted = await ask(cluster, `${configMaps}/a`, { method: "DELETE", body });
    const [, gone] = await eventsOf(deleted.id, 2);
    expect(gone?.requestObject?.toJSON()).toEqual({ kind: "DeleteOptions", apiVersion: "v1", ...body });
    expect(gone?.responseStatus).toMatchObject({ status: "Success", code: 200 });
  });

  test("no content of what is recorded by its metadata", async () => {
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "s" }, stringData: { password: "hidden" } };
    const { id } = await ask(cluster, "/api/v1/namespaces/default/secrets", { method: "POST", body: secret });
    const found = await eventsOf(id, 2);
    expect(found[1]).toMatchObject({ level: "Metadata", objectRef: { name: "s" } });
    expect(JSON.stringify(found)).not.toContain("hidden");
  });

  test("lists, and tables where those are asked for", async () => {
    const { id } = await ask(cluster, "/api/v1/namespaces?limit=1");
    const [, complete] = await eventsOf(id, 2);
    expect(complete).toMatchObject({ verb: "list", objectRef: { resource: "namespaces", apiVersion: "v1" } });
    expect(complete?.responseObject?.toJSON()).toMatchObject({ kind: "NamespaceList", items: [{ metadata: {} }] });
    const headers = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" };
    const table = await ask(cluster, "/api/v1/namespaces", { headers });
    const [, shown] = await eventsOf(table.id, 2);
    expect(shown?.responseObject?.toJSON()).toMatchObject({ kind: "Table" });
  });

  test("a refusal, with who was asked for and why not", async () => {
    const { code, id } = await ask(cluster, `${configMaps}/a`, { token: "jane" });
    expect(code).toBe(403);
    const [, complete] = await eventsOf(id, 2);
    expect(complete).toMatchObject({
      user: { username: "jane" },
      responseStatus: { status: "Failure", reason: "Forbidden", code: 403 },
      annotations: { "authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": "" },
    });
    expect(complete?.responseObject?.toJSON()).toMatchObject({ kind: "Status", code: 403 });
  });

  test("who somebody acts as", async () => {
    const headers = { "impersonate-user": "joe", "impersonate-group": "ops" };
    const { id } = await ask(cluster, `${configMaps}/a`, { headers });
    const [received, complete] = await eventsOf(id, 2);
    expect(received).not.toHaveProperty("impersonatedUser");
    expect(complete).toMatchObject({
      user: { username: "root" },
      impersonatedUser: { username: "joe", groups: ["ops", "system:authenticated"] },
      responseStatus: { code: 403 },
    });
  });

  test("bad credentials, of nobody", async () => {
    const { code, id } = await ask(cluster, configMaps, { token: "wrong" });
    expect(code).toBe(401);
    const [only] = await eventsOf(id, 1);
    expect(only).toMatchObject({
      stage: "ResponseStarted",
      user: {},
      verb: "list",
      responseStatus: { status: "Failure", reason: "Unauthorized", code: 401 },
    });
  });

  test("a target that nobody can read", async () => {
    const { code, id } = await ask(cluster, "/api/v1/namespaces/default/pods/..%2f");
    expect(code).toBe(404);
    const [only] = await eventsOf(id, 1);
    expect(only).toMatchObject({ verb: "get", responseStatus: { code: 404 } });
  });

  test("a watch, when it begins and when it ends", async () => {
    const { id } = await ask(cluster, "/api/v1/namespaces?watch=true");
    const found = await eventsOf(id, 3);
    expect(found.map(({ stage }) => stage)).toEqual(["RequestReceived", "ResponseStarted", "ResponseComplete"]);
    expect(found[2]).toMatchObject({ verb: "watch", responseStatus: { code: 200 } });
    expect(found[2]).not.toHaveProperty("responseObject");
  });

  test("paths, but not those that the policy leaves out", async () => {
    const version = await ask(cluster, "/version");
    const [, complete] = await eventsOf(version.id, 2);
    expect(complete).toMatchObject({ verb: "get", requestURI: "/version", responseStatus: { code: 200 } });
    expect(complete).not.toHaveProperty("objectRef");
    const { text, id } = await ask(cluster, "/metrics");
    expect(text).toMatch(/^apiserver_audit_event_total [1-9]/m);
    expect(text).toMatch(/^apiserver_audit_level_total\{level="Metadata"\} 1$/m);
    expect(text).toContain("apiserver_audit_requests_rejected_total 0");
    expect(events.filter(({ auditID }) => auditID === id)).toEqual([]);
  });

  test("an API that is to go", async () => {
    const { id } = await ask(cluster, "/api/v1/namespaces/default/endpoints");
    const [, complete] = await eventsOf(id, 2);
    expect(complete?.annotations).toMatchObject({ "k8s.io/deprecated": "true" });
  });
});

describe("where it goes", () => {
  const all: AuditPolicy = { rules: [{ level: "Metadata" }] };

  test("a file, replaced when it is large, and a webhook that comes late", async () => {
    const path = join(folder, "logs", "audit.log");
    const posted: { kind: string; items: AuditEvent[] }[] = [];
    let failures = 0;
    const receiver: Server = createServer((request, response) => {
      let text = "";
      request.on("data", (chunk: Buffer) => (text += chunk.toString()));
      request.on("end", () => {
        if (failures++ < 2) response.writeHead(503).end();
        else {
          posted.push(JSON.parse(text));
          response.end();
        }
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    const { port } = receiver.address() as AddressInfo;
    const clock = realClock;
    const file = new RotatingFile(path, { clock, maxSizeBytes: 4000, maxBackups: 2, compress: true });
    const webhook = new AuditWebhook({ url: `http://127.0.0.1:${port}/events`, initialBackoffMs: 1 });
    const backends = [
      { backend: new AuditLog({ output: file }), mode: "blocking" as const },
      { backend: webhook, batch: { maxBatchWaitMs: 1 } },
    ];
    const other = await startCluster({
      store: new MemoryStore(),
      controllers: [],
      scheduler: false,
      tokens,
      audit: { policy: all, backends },
    });
    for (let at = 0; at < 20; at++) await ask(other, `/api/v1/namespaces/default?at=${at}`);
    await other.stop();
    await file[Symbol.asyncDispose]();
    await webhook[Symbol.asyncDispose]();
    await new Promise((resolve) => receiver.close(resolve));
    const names = (await readdir(join(folder, "logs"))).sort();
    expect(names.at(-1)).toBe("audit.log");
    expect(names.slice(0, -1)).toEqual([expect.stringMatching(backupName), expect.stringMatching(backupName)]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ kind: "Event", level: "Metadata" });
    expect(posted[0]).toMatchObject({ kind: "EventList", apiVersion: "audit.k8s.io/v1" });
    const uris = posted.flatMap(({ items }) => items.filter(({ stage }) => stage === "ResponseComplete"));
    expect(uris.map(({ requestURI }) => requestURI)).toEqual(
      Array.from({ length: 20 }, (_, at) => `/api/v1/namespaces/default?at=${at}`),
    );
  });

  test("nowhere: the request is refused where it must be recorded", async () => {
    const failing = { name: "mine", write: () => Promise.reject(new Error("disk full")) };
    const audit = { policy: all, backends: [{ backend: failing, mode: "blocking-strict" as const }] };
    const strict = await startCluster({ store: new MemoryStore(), controllers: [], scheduler: false, tokens, audit });
    try {
      const { code, text } = await ask(strict, "/api/v1/namespaces");
      expect([code, text]).toEqual([500, 'Internal Server Error: "/api/v1/namespaces": failed to store audit event\n']);
    } finally {
      await strict.stop();
    }
  });
});

const backupName = /^audit-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}\.log\.gz$/;
