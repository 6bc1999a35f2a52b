import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { builtinDescriptions } from "../../src/api/describe/index.js";
import {
  type ConfigMap,
  configMaps,
  endpointSlices,
  type MutatingWebhookConfiguration,
  mutatingWebhookConfigurations,
  type New,
  StatusError,
  services,
  validatingWebhookConfigurations,
} from "../../src/api/index.js";
import { builtinStrategies } from "../../src/api/kinds/index.js";
import { createCertificateAuthority } from "../../src/apiserver/pki/certificate-authority.js";
import { type ControlPlane, startControlPlane } from "../../src/cluster/control-plane.js";
import { loopbackStrategies } from "../../src/cluster/loopback-endpoints.js";
import { realClock } from "../../src/internal/clock.js";

type Webhook = NonNullable<MutatingWebhookConfiguration["webhooks"]>[number];
interface Asked {
  readonly path: string;
  readonly host: string;
  readonly request: { readonly uid: string; readonly object?: { readonly data?: object }; readonly dryRun: boolean };
}
type Answer = (asked: Asked) => object | "hang" | "break";

/** A webhook on this machine, served as Services are: by the name of one. */
let server: Server;
let port = 0;
let caBundle = "";
let answer: Answer = () => ({ allowed: true });
let asked: Asked[] = [];
let cp: ControlPlane;

beforeAll(async () => {
  const ca = await createCertificateAuthority({ commonName: "hooks", clock: realClock });
  const serving = await ca.issue({
    commonName: "hook",
    usages: ["server"],
    dnsNames: ["hook.default.svc"],
    ipAddresses: ["127.0.0.1"],
  });
  caBundle = Buffer.from(ca.certificate).toString("base64");
  server = createServer({ cert: serving.certificate, key: serving.key }, (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const review = JSON.parse(Buffer.concat(chunks).toString()) as { readonly request: Asked["request"] };
      const one = { path: incoming.url ?? "", host: incoming.headers.host ?? "", request: review.request };
      asked.push(one);
      const said = answer(one);
      if (said === "hang") return;
      if (said === "break") return void outgoing.destroy();
      if ("code" in said) return void outgoing.writeHead(Number(said.code)).end();
      outgoing.setHeader("Content-Type", "application/json");
      outgoing.end(
        JSON.stringify({
          apiVersion: "admission.k8s.io/v1",
          kind: "AdmissionReview",
          response: { uid: review.request.uid, ...said },
        }),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
  cp = await startControlPlane({
    controllers: [],
    resources: builtinDescriptions(loopbackStrategies(builtinStrategies)),
  });
});

afterAll(async () => {
  await cp?.stop();
  server?.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

afterEach(async () => {
  asked = [];
  answer = () => ({ allowed: true });
  await cp.client.deleteCollection(mutatingWebhookConfigurations);
  await cp.client.deleteCollection(validatingWebhookConfigurations);
  await cp.client.deleteCollection(configMaps, { namespace: "default" });
});

const rules = [
  { operations: ["CREATE", "UPDATE", "DELETE"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] },
];

function hook(more: Partial<Webhook> = {}): Webhook {
  return {
    name: "hook.example.com",
    clientConfig: { url: `https://127.0.0.1:${port}/check`, caBundle },
    rules,
    sideEffects: "None",
    admissionReviewVersions: ["v1"],
    ...more,
  };
}

async function configure(type: "mutating" | "validating", ...webhooks: Webhook[]): Promise<void> {
  const metadata = { name: "hooks" };
  const apiVersion = "admissionregistration.k8s.io/v1";
  if (type === "mutating") {
    const kind = "MutatingWebhookConfiguration";
    await cp.client.create(mutatingWebhookConfigurations, { apiVersion, kind, metadata, webhooks });
  } else {
    const kind = "ValidatingWebhookConfiguration";
    await cp.client.create(validatingWebhookConfigurations, { apiVersion, kind, metadata, webhooks });
  }
}

const config = (name: string): New<ConfigMap> => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default" },
  data: { a: "1" },
});

const plain = { a: "1" };

/** What the server says to a ConfigMap of that name: its data, or the refusal. */
async function create(name: string, options: object = {}): Promise<unknown> {
  try {
    return (await cp.client.create(configMaps, config(name), options)).data;
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return `${error.status.code} ${error.status.reason ?? ""}: ${error.status.message}`;
  }
}

const patchTo = (operations: object): object => ({
  allowed: true,
  patchType: "JSONPatch",
  patch: Buffer.from(JSON.stringify(operations)).toString("base64"),
});

describe("webhooks over HTTPS", () => {
  test("let writes pass, with what they need to know", async () => {
    await configure("validating", hook());
    expect(await create("a")).toEqual(plain);
    expect(asked).toMatchObject([
      {
        path: "/check?timeout=10s",
        host: `127.0.0.1:${port}`,
        request: {
          kind: { group: "", version: "v1", kind: "ConfigMap" },
          resource: { group: "", version: "v1", resource: "configmaps" },
          name: "a",
          namespace: "default",
          operation: "CREATE",
          userInfo: { username: "system:apiserver" },
          oldObject: null,
          dryRun: false,
        },
      },
    ]);
  });

  test("refuse in their own words and with their own code", async () => {
    await configure("validating", hook());
    answer = () => ({ allowed: false, status: { message: "not today" } });
    expect(await create("a")).toBe('400 : admission webhook "hook.example.com" denied the request: not today');
    answer = () => ({ allowed: false, status: { code: 403, reason: "Forbidden", message: "no" } });
    expect(await create("a")).toBe('403 Forbidden: admission webhook "hook.example.com" denied the request: no');
    answer = () => ({ allowed: false });
    expect(await create("a")).toBe('400 : admission webhook "hook.example.com" denied the request without explanation');
  });

  test("are reached through the Service that they name", async () => {
    const metadata = { name: "hook", namespace: "default" };
    const ports = [{ name: "https", port: 8443 }];
    await cp.client.create(services, { apiVersion: "v1", kind: "Service", metadata, spec: { ports } });
    const service = { ...metadata, port: 8443, path: "/by-service" };
    await configure("validating", hook({ clientConfig: { service, caBundle } }));
    expect(await create("a")).toBe(
      '500 InternalError: Internal error occurred: failed calling webhook "hook.example.com": failed to call webhook: Post "https://hook.default.svc:8443/by-service?timeout=10s": no endpoints available for service "hook"',
    );
    await cp.client.create(endpointSlices, {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { ...metadata, labels: { "kubernetes.io/service-name": "hook" } },
      addressType: "IPv4",
      endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
      ports: [{ name: "https", port }],
    });
    expect(await create("a")).toEqual(plain);
    expect(asked).toMatchObject([{ path: "/by-service?timeout=10s", host: "hook.default.svc:8443" }]);
  });

  test("are trusted by their own authority only", async () => {
    const other = await createCertificateAuthority({ commonName: "other", clock: realClock });
    const wrong = Buffer.from(other.certificate).toString("base64");
    const url = `https://127.0.0.1:${port}/check`;
    await configure("validating", hook({ clientConfig: { url, caBundle: wrong } }));
    expect(await create("a")).toMatch(/^500 InternalError: .*failed to call webhook: Post .*certificate/);
    expect(asked).toEqual([]);
  });

  test.each([
    ["breaks off", () => "break" as const, /socket hang up|ECONNRESET|EOF/],
    ["answers 503", () => ({ code: 503 }), /: the server is currently unable to handle the request/],
    [
      "answers to somebody else",
      () => ({ uid: "x", allowed: true }),
      /invalid webhook response: expected response.uid=/,
    ],
    ["hangs", () => "hang" as const, /context deadline exceeded/],
  ])("one that %s fails the write, or not, as its policy says", async (_, said, message) => {
    answer = said;
    await configure("validating", hook({ timeoutSeconds: 1 }));
    expect(await create("a")).toMatch(message);
    await cp.client.deleteCollection(validatingWebhookConfigurations);
    await configure("validating", hook({ timeoutSeconds: 1, failurePolicy: "Ignore" }));
    expect(await create("a")).toEqual(plain);
  });

  test("change objects in turn, and those that ask to see what others did are asked again", async () => {
    answer = ({ path, request }) => {
      const order = (request.object?.data as { order?: string } | undefined)?.order ?? "";
      const value = `${order}${path.slice(1, 2)}`;
      return patchTo(order.length < 3 ? [{ op: "add", path: "/data/order", value }] : []);
    };
    const at = (path: string): Webhook["clientConfig"] => ({ url: `https://127.0.0.1:${port}/${path}`, caBundle });
    await configure(
      "mutating",
      hook({ name: "a.example.com", clientConfig: at("a"), reinvocationPolicy: "IfNeeded" }),
      hook({ name: "b.example.com", clientConfig: at("b") }),
    );
    expect(await create("c")).toEqual({ ...plain, order: "aba" });
  });

  test("what they make of an object is brought to form and validated", async () => {
    await configure("mutating", hook());
    answer = () => patchTo([{ op: "add", path: "/data/bad key", value: "x" }]);
    expect(await create("a")).toMatch(/^422 Invalid: ConfigMap "a" is invalid: data\[bad key\]/);
    answer = () => patchTo([{ op: "add", path: "/nonesuch", value: "x" }]);
    expect(await create("a")).toEqual(plain);
    expect(Object.keys(await cp.client.get(configMaps, { namespace: "default", name: "a" }))).not.toContain("nonesuch");
    answer = () => patchTo([{ op: "remove", path: "/data/none" }]);
    expect(await create("b")).toMatch(/^500 InternalError: .*returned a patch that does not apply/);
  });

  test("with side effects are left out of dry runs, the others told of them", async () => {
    await configure("validating", hook({ sideEffects: "NoneOnDryRun" }));
    expect(await create("a", { dryRun: ["All"] })).toEqual(plain);
    expect(asked.map(({ request }) => request.dryRun)).toEqual([true]);
  });

  test("see deletions with what was there", async () => {
    await create("a");
    await configure("validating", hook());
    answer = () => ({ allowed: false, status: { message: "stays" } });
    await expect(cp.client.delete(configMaps, { namespace: "default", name: "a" })).rejects.toThrow("stays");
    expect(asked).toMatchObject([{ request: { operation: "DELETE", object: null, oldObject: { kind: "ConfigMap" } } }]);
  });

  test("are asked only where their conditions hold", async () => {
    answer = () => ({ allowed: false, status: { message: "no" } });
    const expression = "object.metadata.name == 'a'";
    await configure("validating", hook({ matchConditions: [{ name: "x", expression }] }));
    expect(await create("b")).toEqual({ a: "1" });
    expect(await create("a")).toContain("denied the request: no");
  });
});
