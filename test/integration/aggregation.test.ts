import { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { apiServices, configMaps, namespaces, type OwnerReference, services } from "../../src/api/index.js";
import { bootstrapRbac } from "../../src/apiserver/authz/reconcile.js";
import { createClient, waitFor } from "../../src/client/index.js";
import { ProcessTransports } from "../../src/cluster/transports.js";
import { garbageCollector } from "../../src/controllers/garbagecollector/garbagecollector.js";
import { createManager } from "../../src/controllers/manager.js";
import { namespaceController } from "../../src/controllers/namespace/namespace.js";
import { AggregatedServer } from "./support/aggregated-server.js";
import { group, version } from "./support/extension-server.js";

const base = `/apis/${group}/${version}`;
let aggregated: AggregatedServer;

beforeAll(async () => {
  aggregated = await AggregatedServer.start();
});

afterAll(() => aggregated.stop());

describe("the APIServices of the server's own groups", () => {
  test("are there, available and labelled", async () => {
    await aggregated.availability("True", "v2.autoscaling");
    const list = await aggregated.client.list(apiServices);
    const own = list.items.filter(({ spec }) => spec?.service === undefined);
    expect(own.map(({ metadata }) => metadata.name)).toContain("v1.");
    expect(own.map(({ metadata }) => metadata.name)).not.toContain("v1.apiregistration.k8s.io");
    expect(own.find(({ metadata }) => metadata.name === "v2.autoscaling")).toMatchObject({
      metadata: { labels: { "kube-aggregator.kubernetes.io/automanaged": "onstart" } },
      spec: { groupPriorityMinimum: 17500, versionPriority: 30 },
      status: { conditions: [{ type: "Available", status: "True", reason: "Local" }] },
    });
    expect(await aggregated.kubectl.ok("get apiservices v1.apps")).toMatch(/v1\.apps\s+Local\s+True/);
  });

  test("of custom resources come and go with their definitions", async () => {
    const definition = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"tests.stable.example.com"},
      "spec":{"group":"stable.example.com","scope":"Cluster","names":{"plural":"tests","kind":"Test"},"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object"}}}]}}`;
    await aggregated.kubectl.ok("create -f -", { stdin: definition });
    await aggregated.availability("True", "v1.stable.example.com");
    const made = await aggregated.client.get(apiServices, { name: "v1.stable.example.com" });
    expect(made).toMatchObject({
      metadata: { labels: { "kube-aggregator.kubernetes.io/automanaged": "true" } },
      spec: { groupPriorityMinimum: 1000, versionPriority: 100 },
    });
    await aggregated.kubectl.ok("delete crd tests.stable.example.com");
    await waitFor(aggregated.client, apiServices, { name: "v1.stable.example.com" }, (object) => object === undefined, {
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
    await using transports = new ProcessTransports(aggregated.server, aggregated.pki);
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
    await expect.poll(() => aggregated.extension.asked.some(({ url }) => url.includes("watch"))).toBe(true);
    await part.create(flunders, flunder("inner"));
    const { headers } = aggregated.extension.asked.find(({ method }) => method === "POST") ?? { headers: {} };
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
    const before = aggregated.extension.asked.length;
    await part.get(services, { namespace: "default", name: "wardle" });
    expect(aggregated.extension.asked).toHaveLength(before);
  });
});

describe("controllers", () => {
  const flunders = { group, version, resource: "flunders", kind: "Flunder", namespaced: true };

  test("empty a namespace of what other servers have, and collect it with its owners", async () => {
    await using transports = new ProcessTransports(aggregated.server, aggregated.pki);
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
    await aggregated.client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } });
    const metadata = { name: "owner", namespace: "default" };
    const owner = await aggregated.client.create(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata });
    const { uid } = owner.metadata;
    await flunder("owned", "default", [{ apiVersion: "v1", kind: "ConfigMap", name: "owner", uid }]);
    await flunder("kept", "default");
    await flunder("inside", "team");
    const controllers = [namespaceController, garbageCollector];
    const manager = createManager({ client: part, controllers });
    const managing = manager.run({ signal, ready: () => {} });
    try {
      await aggregated.client.delete(namespaces, { name: "team" });
      await aggregated.client.delete(configMaps, metadata);
      await expect.poll(left, { timeout: 10_000 }).toEqual(["kept"]);
      await waitFor(aggregated.client, namespaces, { name: "team" }, (object) => object === undefined, {
        timeoutMs: 10_000,
      });
    } finally {
      stopManager.abort();
      await managing;
    }
    await part.delete(flunders, { namespace: "default", name: "kept" });
  });
});

describe("kubectl through the server", () => {
  test("knows, creates, gets, lists and explains what the other server has", async () => {
    expect(await aggregated.kubectl.ok("get apiservices v1alpha1.wardle.example.com")).toMatch(
      /default\/wardle\s+True/,
    );
    expect(await aggregated.kubectl.ok("api-resources --api-group=wardle.example.com")).toMatch(
      /flunders\s+fl\s+wardle\.example\.com\/v1alpha1\s+true\s+Flunder/,
    );
    const object = {
      apiVersion: `${group}/${version}`,
      kind: "Flunder",
      metadata: { name: "a" },
      spec: { reference: "b" },
    };
    await aggregated.kubectl.ok("create --validate=false -f -", { stdin: JSON.stringify(object) });
    expect(await aggregated.kubectl.ok("get fl")).toMatch(/NAME\s+a\b/);
    expect((await aggregated.kubectl.json("get flunder a")).spec).toEqual({ reference: "b" });
    expect(await aggregated.kubectl.ok("explain flunder.spec")).toContain("How it is to be flundered.");
    expect(await aggregated.kubectl.fails("get fl nobody")).toContain('flunders.wardle.example.com "nobody" not found');
  });

  test("watches it", async () => {
    await using watching = aggregated.kubectl.start("get flunders --watch --output=name");
    await watching.until(/flunder/);
    const object = { apiVersion: `${group}/${version}`, kind: "Flunder", metadata: { name: "late" } };
    await aggregated.ask(`${base}/namespaces/default/flunders`, { method: "POST", body: JSON.stringify(object) });
    await watching.until(/flunder.*\/late/);
  });
});

describe("discovery", () => {
  const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  interface Discovery {
    readonly items: readonly { readonly metadata: { readonly name: string }; readonly versions: readonly object[] }[];
  }

  test("shows it by its priority, aggregated and legacy", async () => {
    const { items } = JSON.parse((await aggregated.ask("/apis", { headers: { accept } })).body) as Discovery;
    const at = items.findIndex(({ metadata }) => metadata.name === group);
    expect(items[at]?.versions).toMatchObject([
      {
        version,
        freshness: "Current",
        resources: [{ resource: "flunders", subresources: [{ subresource: "status" }] }],
      },
    ]);
    expect(at).toBe(items.length - 1);
    const legacy = JSON.parse((await aggregated.ask("/apis")).body) as {
      readonly groups: readonly { readonly name: string }[];
    };
    expect(legacy.groups.map((one) => one.name)).toContain(group);
    expect(JSON.parse((await aggregated.ask(`/apis/${group}`)).body)).toMatchObject({
      kind: "APIGroup",
      preferredVersion: { groupVersion: `${group}/${version}` },
    });
    expect(JSON.parse((await aggregated.ask(base)).body)).toMatchObject({ kind: "APIResourceList" });
  });

  test("OpenAPI v3 lists the group-version and passes its document on", async () => {
    const index = JSON.parse((await aggregated.ask("/openapi/v3")).body) as { readonly paths: object };
    expect(index.paths).toHaveProperty([base.slice(1)], { serverRelativeURL: `/openapi/v3${base}?hash=F1` });
    expect(index.paths).not.toHaveProperty("version", { serverRelativeURL: "/x" });
    const document = await aggregated.ask(`/openapi/v3${base}?hash=F1`);
    expect(JSON.parse(document.body)).toMatchObject({ info: { title: "wardle" } });
    expect(aggregated.extension.last(`/openapi/v3${base}`)).toMatchObject({
      headers: { "x-remote-user": "system:aggregator" },
    });
  });

  test("OpenAPI v2 has the other server's paths and definitions, and no more of them", async () => {
    const document = JSON.parse((await aggregated.ask("/openapi/v2")).body) as {
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
    const answer = await aggregated.ask(`${base}/flunders?limit=5&x=%2F`, {
      headers: {
        "X-Forwarded-For": "192.0.2.1",
        "X-Remote-User": "mallory",
        "X-Remote-Group": "system:masters",
        "X-Remote-Extra-Scopes": "all",
      },
    });
    const asked = aggregated.extension.last("/flunders");
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
    const before = aggregated.extension.asked.length;
    const answer = await aggregated.ask(`${base}/namespaces/default/flunders`, { token: "jane-token" });
    expect(answer.code).toBe(403);
    expect(JSON.parse(answer.body)).toMatchObject({
      message: `flunders.${group} is forbidden: User "jane" cannot list resource "flunders" in API group "${group}" in the namespace "default"`,
    });
    expect(aggregated.extension.asked.slice(before).filter(({ url }) => url.includes("flunders"))).toEqual([]);
  });

  test("is sent with groups and extra fields as they are", async () => {
    await aggregated.kubectl.ok(`create clusterrole flunders --verb=list,watch --resource=flunders.${group}`);
    await aggregated.kubectl.ok("create clusterrolebinding flunders --clusterrole=flunders --user=jane");
    const answer = await aggregated.ask(`${base}/flunders`, { token: "jane-token" });
    expect(answer.code).toBe(200);
    const asked = aggregated.extension.last("/flunders");
    expect(asked?.headers["x-remote-user"]).toBe("jane");
    expect(asked?.headers).not.toHaveProperty("authorization");
    expect(groupsOf(asked?.rawHeaders ?? [])).toEqual(["dev,ops", "team", "system:authenticated"]);
    expect(Buffer.from(String(asked?.headers["x-remote-extra-a%2fb"]), "latin1").toString()).toBe("1, ü");
  });
});

describe("a server behind this one, with the rights that upstream gives it", () => {
  test("learns whom to believe, and asks who somebody is and what they may do", async () => {
    await waitFor(aggregated.client, namespaces, { name: "kube-system" }, (object) => object !== undefined);
    await bootstrapRbac(aggregated.client);
    await aggregated.kubectl.ok("create serviceaccount wardle");
    const reader = "--role=extension-apiserver-authentication-reader --serviceaccount=default:wardle";
    await aggregated.kubectl.in("kube-system").ok(`create rolebinding wardle ${reader}`);
    const delegator = "--clusterrole=system:auth-delegator --serviceaccount=default:wardle";
    await aggregated.kubectl.ok(`create clusterrolebinding wardle ${delegator}`);
    const token = (await aggregated.kubectl.ok("create token wardle")).trim();
    const place = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
    const { data } = JSON.parse((await aggregated.ask(place, { token })).body) as {
      readonly data: Record<string, string>;
    };
    expect(new X509Certificate(data["client-ca-file"] ?? "").raw).toEqual(
      new X509Certificate(aggregated.pki.ca.certificate).raw,
    );
    expect(new X509Certificate(data["requestheader-client-ca-file"] ?? "").raw).toEqual(
      new X509Certificate(aggregated.pki.frontProxyCa.certificate).raw,
    );
    expect(data["requestheader-allowed-names"]).toBe('["front-proxy-client"]');
    const review = async (group: string, kind: string, spec: object): Promise<unknown> => {
      const headers = { "Content-Type": "application/json" };
      const body = JSON.stringify({ apiVersion: `${group}/v1`, kind, spec });
      const path = `/apis/${group}/v1/${kind.toLowerCase()}s`;
      return JSON.parse((await aggregated.ask(path, { method: "POST", token, headers, body })).body);
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
