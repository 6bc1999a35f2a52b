import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ApiRequest } from "../../src/api/index.js";
import { createProtobufCodec } from "../../src/api/protobuf/index.js";
import { type ClusterPki, createClusterPki } from "../../src/apiserver/pki/cluster-pki.js";
import { SecuredApiServer } from "../../src/apiserver/secured-api-server.js";
import { realClock } from "../../src/internal/clock.js";
import { MemoryStore } from "../../src/store/index.js";

const protobuf = "application/vnd.kubernetes.protobuf";
const codec = createProtobufCodec();

interface Answer {
  readonly code: number;
  readonly type: string;
  readonly body: Buffer;
}

let pki: ClusterPki;
let server: SecuredApiServer;
let agent: Agent;
let home = "";
let running: Promise<void>;
const stop = new AbortController();

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "coxswain-protobuf-"));
  pki = await createClusterPki({ clock: realClock });
  server = new SecuredApiServer({ store: new MemoryStore(), pki, host: "127.0.0.1", port: 0 });
  await new Promise<void>((resolve, reject) => {
    running = server.run({ signal: stop.signal, ready: resolve });
    running.catch(reject);
  });
  agent = new Agent({ ca: pki.ca.certificate, cert: pki.admin.certificate, key: pki.admin.key, keepAlive: true });
  await Promise.all([
    writeFile(join(home, "ca.crt"), pki.ca.certificate),
    writeFile(join(home, "admin.crt"), pki.admin.certificate),
    writeFile(join(home, "admin.key"), pki.admin.key, { mode: 0o600 }),
  ]);
  const create = (call: Partial<ApiRequest>): Promise<unknown> =>
    server.transport().request({ group: "", version: "v1", resource: "", verb: "create", ...call });
  await create({
    resource: "namespaces",
    body: { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } },
  });
  await create({
    resource: "serviceaccounts",
    namespace: "default",
    body: { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "robot" } },
  });
});

afterAll(async () => {
  stop.abort();
  agent.destroy();
  await running;
  await rm(home, { recursive: true });
});

function open(
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: Buffer | string,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // Node sends no length with the body of a DELETE by itself.
    const sized = body === undefined ? headers : { ...headers, "Content-Length": String(Buffer.byteLength(body)) };
    const sent = request({ host: "127.0.0.1", port: server.https.port, agent, method, path, headers: sized }, resolve);
    sent.on("error", reject);
    sent.end(body);
  });
}

async function call(
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: Buffer | string,
): Promise<Answer> {
  const response = await open(method, path, headers, body);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return {
    code: response.statusCode ?? 0,
    type: response.headers["content-type"] ?? "",
    body: Buffer.concat(chunks),
  };
}

const both = { "Content-Type": protobuf, Accept: `${protobuf},application/json` };

const configMap = (name: string, data: Record<string, string>): Buffer =>
  codec.encode({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data } as Parameters<typeof codec.encode>[0]);

const configMaps = "/api/v1/namespaces/default/configmaps";

describe("objects", () => {
  test("are created, read, updated, patched and deleted", async () => {
    const created = await call("POST", configMaps, both, configMap("one", { a: "1" }));
    expect(created).toMatchObject({ code: 201, type: protobuf });
    expect(codec.decode(created.body)).toMatchObject({ kind: "ConfigMap", metadata: { namespace: "default" } });
    const read = await call("GET", `${configMaps}/one`, { Accept: protobuf });
    expect(codec.decode(read.body)).toEqual(codec.decode(created.body));
    const json = await call("GET", `${configMaps}/one`, { Accept: "application/json" });
    expect(JSON.parse(json.body.toString())).toEqual(codec.decode(read.body));
    const updated = await call("PUT", `${configMaps}/one`, both, configMap("one", { a: "2" }));
    expect(codec.decode(updated.body)).toMatchObject({ data: { a: "2" } });
    const patched = await call(
      "PATCH",
      `${configMaps}/one`,
      { ...both, "Content-Type": "application/merge-patch+json" },
      '{"data":{"b":"3"}}',
    );
    expect(codec.decode(patched.body)).toMatchObject({ data: { a: "2", b: "3" } });
    const options = codec.encode({
      apiVersion: "v1",
      kind: "DeleteOptions",
      propagationPolicy: "Background",
    } as Parameters<typeof codec.encode>[0]);
    const deleted = await call("DELETE", `${configMaps}/one`, both, options);
    expect(codec.decode(deleted.body)).toMatchObject({ kind: "Status", status: "Success" });
  });

  test("that are missing or malformed are a Status", async () => {
    const missing = await call("GET", `${configMaps}/none`, { Accept: protobuf });
    expect(missing).toMatchObject({ code: 404, type: protobuf });
    expect(codec.decode(missing.body)).toMatchObject({
      kind: "Status",
      reason: "NotFound",
      message: 'configmaps "none" not found',
    });
    const malformed = await call("POST", configMaps, { "Content-Type": protobuf }, "{}");
    expect(malformed).toMatchObject({ code: 400, type: "application/json" });
    expect(malformed.body.toString()).toContain("expected prefix [107 56 115 0]");
  });

  test("are listed, whole and as metadata", async () => {
    const names = Array.from({ length: 150 }, (_, at) => `many-${String(at).padStart(3, "0")}`);
    for (const name of names) await call("POST", configMaps, both, configMap(name, { pad: name.repeat(500) }));
    const selected = `${configMaps}?limit=500`;
    const listed = await call("GET", selected, { Accept: protobuf });
    const plain = await call("GET", selected, { Accept: "application/json" });
    const { items, ...list } = JSON.parse(plain.body.toString());
    // What stands in a list says its kind nowhere, in neither form upstream's clients rely on.
    const bare = items.map(({ apiVersion: _, kind: __, ...rest }: { apiVersion?: string; kind?: string }) => rest);
    expect(listed.type).toBe(protobuf);
    expect(codec.decode(listed.body)).toEqual({ ...list, items: bare });
    expect(bare.length).toBe(150);
    const metadata = await call("GET", selected, {
      Accept: `${protobuf};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json`,
    });
    expect(codec.decode(metadata.body)).toMatchObject({
      kind: "PartialObjectMetadataList",
      apiVersion: "meta.k8s.io/v1",
      items: names.map((name) => ({ metadata: { name } })),
    });
    const table = await call("GET", selected, {
      Accept: `${protobuf};as=Table;g=meta.k8s.io;v=v1,application/json;as=Table;g=meta.k8s.io;v=v1`,
    });
    expect(table.type).toBe("application/json");
    const packed = await call("GET", selected, { Accept: protobuf, "Accept-Encoding": "gzip" });
    expect(packed.body.length).toBeLessThan(listed.body.length / 2);
  });

  test("are watched", async () => {
    const path = `${configMaps}?watch=true&resourceVersion=0&fieldSelector=metadata.name%3Dseen`;
    const response = await open("GET", path, { Accept: `${protobuf};stream=watch,${protobuf}` });
    expect(response.headers["content-type"]).toBe(`${protobuf};stream=watch`);
    await call("POST", configMaps, both, configMap("seen", { a: "1" }));
    await call("DELETE", `${configMaps}/seen`, both);
    const events: unknown[] = [];
    let rest = Buffer.alloc(0);
    for await (const chunk of response) {
      rest = Buffer.concat([rest, chunk as Buffer]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE()) {
        events.push(eventOf(rest.subarray(4, 4 + rest.readUInt32BE())));
        rest = rest.subarray(4 + rest.readUInt32BE());
      }
      if (events.length === 2) break;
    }
    expect(events).toMatchObject([
      { type: "ADDED", object: { kind: "ConfigMap", data: { a: "1" } } },
      { type: "DELETED", object: { metadata: { name: "seen" } } },
    ]);
  });
});

const template = {
  metadata: { labels: { app: "web" } },
  spec: { containers: [{ name: "c", image: "i", resources: {}, ports: [{ containerPort: 80 }] }] },
};
const selector = { matchLabels: { app: "web" } };

/** As upstream's typed clients send them: what is no pointer there is always in it, if only as an empty message. */
const typed = [
  {
    path: "/api/v1/namespaces/default/pods",
    object: {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p" },
      spec: { ...template.spec, serviceAccountName: "robot" },
      status: {},
    },
  },
  {
    path: "/apis/apps/v1/namespaces/default/deployments",
    object: {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "d" },
      spec: { selector, template, strategy: {} },
      status: {},
    },
  },
  {
    path: "/apis/apps/v1/namespaces/default/statefulsets",
    object: {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata: { name: "s" },
      spec: {
        selector,
        template,
        updateStrategy: {},
        volumeClaimTemplates: [
          {
            metadata: { name: "v" },
            spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
            status: {},
          },
        ],
      },
      status: {},
    },
  },
  {
    path: "/apis/apps/v1/namespaces/default/daemonsets",
    object: {
      apiVersion: "apps/v1",
      kind: "DaemonSet",
      metadata: { name: "d" },
      spec: { selector, template, updateStrategy: {} },
      status: {},
    },
  },
  {
    path: "/apis/batch/v1/namespaces/default/cronjobs",
    object: {
      apiVersion: "batch/v1",
      kind: "CronJob",
      metadata: { name: "c" },
      spec: {
        schedule: "@daily",
        jobTemplate: {
          metadata: {},
          spec: { template: { ...template, spec: { ...template.spec, restartPolicy: "Never" } } },
        },
      },
      status: {},
    },
  },
  {
    path: "/api/v1/namespaces/default/services",
    object: {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "s" },
      spec: { ports: [{ port: 80, targetPort: 0 }], selector: { app: "web" } },
      status: { loadBalancer: {} },
    },
  },
  {
    path: "/api/v1/namespaces/default/events",
    object: {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: "e" },
      involvedObject: { kind: "Pod", namespace: "default", name: "p" },
      source: {},
      reason: "Started",
      count: 1,
    },
  },
  {
    path: "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies",
    object: {
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name: "n" },
      spec: { podSelector: {} },
    },
  },
  {
    path: "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
    object: {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: "b" },
      spec: { minAvailable: "50%", selector },
      status: { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 },
    },
  },
  {
    path: "/apis/coordination.k8s.io/v1/namespaces/default/leases",
    object: {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name: "l" },
      spec: { holderIdentity: "me", renewTime: "2024-01-01T00:00:00.123456Z", leaseDurationSeconds: 15 },
    },
  },
  {
    path: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    object: {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "widgets.example.com" },
      spec: {
        group: "example.com",
        names: { plural: "widgets", kind: "Widget" },
        scope: "Namespaced",
        versions: [
          {
            name: "v1",
            served: true,
            storage: true,
            subresources: { status: {} },
            schema: {
              openAPIV3Schema: {
                type: "object",
                properties: {
                  spec: { type: "object", additionalProperties: { type: "integer", minimum: 0 } },
                  any: { "x-kubernetes-preserve-unknown-fields": true, type: "object", default: {} },
                },
              },
            },
          },
        ],
      },
      status: { conditions: [], acceptedNames: { plural: "", kind: "" }, storedVersions: [] },
    },
  },
];

describe("what typed clients send", () => {
  test.each(typed)("makes the same $object.kind as its JSON", async ({ path, object }) => {
    const dry = `${path}?dryRun=All`;
    const { status: _, ...rest } = object as typeof object & { status?: unknown };
    const fromJson = await call("POST", dry, { "Content-Type": "application/json" }, JSON.stringify(rest));
    const fromBytes = await call("POST", dry, { "Content-Type": protobuf }, codec.encode(object));
    expect(fromBytes.body.toString()).toContain(`"kind":"${object.kind}"`);
    expect([fromJson.code, fromBytes.code]).toEqual([201, 201]);
    const bare = ({ body }: Answer): unknown => {
      const { metadata, status: __, ...made } = JSON.parse(body.toString());
      const { uid: _uid, creationTimestamp: _created, managedFields: _managed, ...meta } = metadata;
      return { ...made, meta };
    };
    expect(bare(fromBytes)).toEqual(bare(fromJson));
    const answer = await call("POST", dry, both, codec.encode(object));
    expect(codec.decode(answer.body)).toMatchObject({ kind: object.kind, metadata: { name: object.metadata.name } });
  });
});

describe("subresources", () => {
  const pods = "/api/v1/namespaces/default/pods";
  const post = async (path: string, object: Parameters<typeof codec.encode>[0]): Promise<[number, unknown]> => {
    const answer = await call("POST", path, both, codec.encode(object));
    return [answer.code, codec.decode(answer.body)];
  };

  test("bind, evict, scale and make tokens", async () => {
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "sub" }, spec: template.spec };
    expect((await post(pods, pod))[0]).toBe(201);
    const binding = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name: "sub" },
      target: { kind: "Node", name: "n" },
    };
    expect(await post(`${pods}/sub/binding`, binding)).toMatchObject([201, { kind: "Status", status: "Success" }]);
    const bound = await call("GET", `${pods}/sub`, { Accept: protobuf });
    expect(codec.decode(bound.body)).toMatchObject({ spec: { nodeName: "n" } });
    const eviction = {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name: "sub", namespace: "default" },
      deleteOptions: { gracePeriodSeconds: 0 },
    };
    expect(await post(`${pods}/sub/eviction`, eviction)).toMatchObject([201, { status: "Success" }]);
    const request = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { audiences: [] } };
    expect(await post("/api/v1/namespaces/default/serviceaccounts/robot/token", request)).toMatchObject([
      201,
      { kind: "TokenRequest", status: { token: expect.stringContaining(".") } },
    ]);
    const deployments = "/apis/apps/v1/namespaces/default/deployments";
    await post(deployments, {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "sub" },
      spec: { selector, template },
    } as Parameters<typeof codec.encode>[0]);
    const scale = { apiVersion: "autoscaling/v1", kind: "Scale", metadata: { name: "sub" }, spec: { replicas: 0 } };
    const scaled = await call("PUT", `${deployments}/sub/scale`, both, codec.encode(scale));
    // What is zero is left out of a Scale in JSON.
    expect(codec.decode(scaled.body)).toMatchObject({ kind: "Scale", spec: {} });
    const after = await call("GET", `${deployments}/sub`, { Accept: protobuf });
    expect(codec.decode(after.body)).toMatchObject({ spec: { replicas: 0 } });
  });
});

/** WatchEvent { type = 1; object = 2 { raw = 1 } }, read by its tags alone. */
function eventOf(frame: Buffer): { type: string; object: unknown } {
  const typeBytes = frame[1] ?? 0;
  return {
    type: frame.toString("utf8", 2, 2 + typeBytes),
    object: codec.decode(frame.subarray(frame.indexOf("k8s\0"))),
  };
}

function kubectl(...args: readonly string[]): Promise<{ code: number; out: string }> {
  const flags = [
    `--server=${server.https.url}`,
    `--certificate-authority=${join(home, "ca.crt")}`,
    `--client-certificate=${join(home, "admin.crt")}`,
    `--client-key=${join(home, "admin.key")}`,
  ];
  const env = { PATH: process.env["PATH"], HOME: home, KUBECONFIG: join(home, "none") };
  return new Promise((resolve, reject) => {
    execFile(process.env["KUBECTL"] ?? "kubectl", [...flags, ...args], { env }, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== "number") reject(error);
      else resolve({ code: Number(error?.code ?? 0), out: stdout + stderr });
    });
  });
}

describe("kubectl", () => {
  test.each([
    { name: "auth can-i", args: ["auth", "can-i", "delete", "pods"], out: /^yes/ },
    { name: "create namespace", args: ["create", "ns", "x"], out: /^namespace\/x created/ },
    { name: "create token", args: ["create", "token", "robot"], out: /^[\w-]+\.[\w-]+\.[\w-]+\s*$/ },
    { name: "create serviceaccount", args: ["create", "sa", "other"], out: /created/ },
    {
      name: "create deployment",
      args: ["create", "deployment", "web", "--image=nginx", "--replicas=0"],
      out: /created/,
    },
    { name: "scale", args: ["scale", "deployment", "web", "--replicas=3"], out: /scaled/ },
    { name: "scale to nothing", args: ["scale", "deployment", "web", "--replicas=0"], out: /scaled/ },
    { name: "expose", args: ["expose", "deployment", "web", "--port=80"], out: /exposed/ },
    { name: "create role", args: ["create", "role", "r", "--verb=get", "--resource=pods"], out: /created/ },
    { name: "auth whoami", args: ["auth", "whoami"], out: /kubernetes-admin/ },
    { name: "auth can-i --list", args: ["auth", "can-i", "--list"], out: /Resources/ },
    { name: "get --raw", args: ["get", "--raw", "/api/v1/namespaces/x"], out: /"name":"x"/ },
    { name: "delete", args: ["delete", "deployment", "web", "--wait=false"], out: /deleted/ },
  ])("$name", async ({ args, out }) => {
    const result = await kubectl(...args);
    expect(result.out).toMatch(out);
    expect(result.code).toBe(0);
  });
});
