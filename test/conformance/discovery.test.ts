import { beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/api/index.js";
import { useControlPlane } from "./support/subject.js";
import type { Answer } from "./support/wire.js";

const cp = useControlPlane();
const aggregated = (version: string): string =>
  `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
const get = (path: string, headers: Record<string, string> = {}): Promise<Answer> => cp.wire.send(path, { headers });

describe("discovery", () => {
  const groups = [
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "resource.k8s.io",
  ];

  test("of old has the groups in upstream's order, each with what it prefers", async () => {
    const { json } = await get("/apis");
    const document = json();
    expect(document).toMatchObject({ kind: "APIGroupList", apiVersion: "v1" });
    const list = document["groups"] as { name: string; versions: object[]; preferredVersion: object }[];
    expect(list.map(({ name }) => name)).toEqual(groups);
    for (const { versions, preferredVersion } of list) expect(preferredVersion).toEqual(versions[0]);
    expect((await get("/api")).json()).toMatchObject({ kind: "APIVersions", versions: ["v1"] });
  });

  // How upstream names the stored form of some kinds; each group is there once.
  const hashes: [path: string, resource: string, hash: string][] = [
    ["/api/v1", "pods", "xPOwRZ+Yhw8="],
    ["/api/v1", "configmaps", "qFsyl6wFWjQ="],
    ["/api/v1", "namespaces", "Q3oi5N2YM8M="],
    ["/api/v1", "services", "0/CO1lhkEBI="],
    ["/api/v1", "events", "r2yiGXH7wu8="],
    ["/apis/events.k8s.io/v1", "events", "r2yiGXH7wu8="],
    ["/apis/apps/v1", "deployments", "8aSe+NMegvE="],
    ["/apis/autoscaling/v1", "horizontalpodautoscalers", "qwQve8ut294="],
    ["/apis/autoscaling/v2", "horizontalpodautoscalers", "qwQve8ut294="],
    ["/apis/batch/v1", "jobs", "mudhfqk/qZY="],
    ["/apis/certificates.k8s.io/v1", "certificatesigningrequests", "95fRKMXA+00="],
    ["/apis/networking.k8s.io/v1", "ingresses", "39NQlfNR+bo="],
    ["/apis/networking.k8s.io/v1", "networkpolicies", "YpfwF18m1G8="],
  ];
  test.each(hashes)("%s knows the stored form of %s", async (path, resource, storageVersionHash) => {
    const resources = (await get(path)).json()["resources"] as JsonObject[];
    expect(resources.find(({ name }) => name === resource)).toMatchObject({ storageVersionHash });
  });

  const foreign: [path: string, name: string, kind: object][] = [
    ["/api/v1", "pods/eviction", { group: "policy", version: "v1", kind: "Eviction", verbs: ["create"] }],
    ["/api/v1", "serviceaccounts/token", { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" }],
    ["/api/v1", "replicationcontrollers/scale", { group: "autoscaling", version: "v1", kind: "Scale" }],
    ["/apis/apps/v1", "deployments/scale", { group: "autoscaling", version: "v1", kind: "Scale" }],
    ["/api/v1", "pods/exec", { kind: "PodExecOptions", verbs: ["create", "get"] }],
    ["/api/v1", "pods/log", { kind: "Pod", verbs: ["get"] }],
    ["/api/v1", "pods/resize", { kind: "Pod", verbs: ["get", "patch", "update"] }],
    ["/api/v1", "nodes/proxy", { kind: "NodeProxyOptions", verbs: ["create", "delete", "get", "patch", "update"] }],
    ["/api/v1", "namespaces/finalize", { kind: "Namespace", verbs: ["update"] }],
  ];
  test.each(foreign)("%s says what %s takes and gives", async (path, name, expected) => {
    const resources = (await get(path)).json()["resources"] as JsonObject[];
    expect(resources.find((one) => one["name"] === name)).toMatchObject({ singularName: "", ...expected });
  });

  test.each(["v2", "v2beta1"])("in one document (%s) says the same as of old", async (version) => {
    const { code, headers, json } = await get("/apis", { Accept: aggregated(version) });
    expect(code).toBe(200);
    expect(headers["content-type"]).toBe(aggregated(version));
    const document = json();
    expect(document).toMatchObject({
      kind: "APIGroupDiscoveryList",
      apiVersion: `apidiscovery.k8s.io/${version}`,
      metadata: {},
    });
    const items = document["items"] as {
      metadata: { name: string };
      versions: { version: string; resources: JsonObject[] }[];
    }[];
    expect(items.map(({ metadata }) => metadata)).toEqual(groups.map((name) => ({ name })));
    for (const { metadata, versions } of items) {
      for (const { version: served, resources } of versions) {
        const old = (await get(`/apis/${metadata.name}/${served}`)).json()["resources"] as JsonObject[];
        const whole = old.filter(({ name }) => !String(name).includes("/"));
        expect(
          resources.map(({ resource, singularResource, verbs, scope }) => ({
            resource,
            singularResource,
            verbs,
            scope,
          })),
        ).toEqual(
          whole.map(({ name, singularName, verbs, namespaced }) => ({
            resource: name,
            singularResource: singularName,
            verbs,
            scope: namespaced ? "Namespaced" : "Cluster",
          })),
        );
        const parts = resources.flatMap(({ resource, subresources = [] }) =>
          (subresources as JsonObject[]).map(({ subresource, verbs }) => [`${resource}/${subresource}`, verbs]),
        );
        expect(parts).toEqual(
          old.filter(({ name }) => String(name).includes("/")).map(({ name, verbs }) => [name, verbs]),
        );
      }
    }
  });

  test("is asked for again by its tag", async () => {
    const Accept = aggregated("v2");
    const first = await get("/api", { Accept });
    expect(first.headers).toMatchObject({
      etag: expect.stringMatching(/^"[0-9A-F]{128}"$/),
      vary: "Accept",
      "cache-control": "public",
    });
    const again = await get("/api", { Accept, "If-None-Match": String(first.headers.etag) });
    expect([again.code, again.body.length, again.headers.etag]).toEqual([304, 0, first.headers.etag]);
    expect((await get("/api", { Accept, "If-None-Match": '"other"' })).code).toBe(200);
  });

  test("is the best of what a client takes", async () => {
    const kubectl = `${aggregated("v2")},${aggregated("v2beta1")},application/json`;
    expect((await get("/api", { Accept: kubectl })).headers["content-type"]).toBe(aggregated("v2"));
    const future = `${aggregated("v9")},application/json`;
    const { headers, json } = await get("/api", { Accept: future });
    expect([headers["content-type"], json()["kind"]]).toEqual(["application/json", "APIVersions"]);
    expect((await get("/api", { Accept: "text/html" })).code).toBe(406);
  });
});

describe("OpenAPI v3", () => {
  let paths: Record<string, { serverRelativeURL: string }> = {};
  beforeAll(async () => {
    paths = (await get("/openapi/v3")).json()["paths"] as typeof paths;
  });

  test("has a document for each group and version, by its hash, to be kept for ever", async () => {
    expect(Object.keys(paths)).toEqual(expect.arrayContaining(["api/v1", "apis/apps/v1", "apis/batch/v1"]));
    for (const [path, { serverRelativeURL }] of Object.entries(paths)) {
      expect(serverRelativeURL).toMatch(new RegExp(`^/openapi/v3/${path}\\?hash=[0-9A-F]{128}$`));
    }
    const { serverRelativeURL = "" } = paths["apis/apps/v1"] ?? {};
    const { code, headers } = await get(serverRelativeURL);
    expect(code).toBe(200);
    expect(headers).toMatchObject({
      "content-type": "application/json",
      "cache-control": "public, immutable",
      etag: `"${serverRelativeURL.split("=")[1]}"`,
      vary: "Accept",
    });
    const again = await get("/openapi/v3/apis/apps/v1", { "If-None-Match": String(headers.etag) });
    expect(again.code).toBe(304);
  });

  test("sends who asks for a hash of yesterday to today's", async () => {
    const { code, headers } = await get("/openapi/v3/apis/apps/v1?hash=OLD");
    expect([code, headers.location]).toEqual([301, paths["apis/apps/v1"]?.serverRelativeURL]);
  });

  test("refers to nothing that is not in the same document, and says what every field is", async () => {
    // Upstream says nothing of the fields of a schema in a CustomResourceDefinition.
    const unsaid = /\.apiextensions\.v1\.(JSONSchemaProps|ExternalDocumentation)$/;
    for (const { serverRelativeURL } of Object.values(paths)) {
      const document = (await get(serverRelativeURL)).json();
      const { schemas } = document["components"] as { schemas: Record<string, JsonObject> };
      const text = JSON.stringify(document);
      for (const [, name = ""] of text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g))
        expect(schemas).toHaveProperty([name]);
      for (const [name, schema] of Object.entries(schemas)) {
        for (const [field, property] of Object.entries((schema["properties"] ?? {}) as Record<string, JsonObject>)) {
          if (!unsaid.test(name))
            expect({ name, field, description: property["description"] }).toEqual({
              name,
              field,
              description: expect.any(String),
            });
          // Nothing may stand beside a reference in OpenAPI 3.0.
          if ("$ref" in property) expect(Object.keys(property)).toEqual(["$ref"]);
        }
      }
    }
  });

  test("says of each operation what it does to what", async () => {
    const document = (await get(paths["apis/apps/v1"]?.serverRelativeURL ?? "")).json();
    const operations = document["paths"] as Record<string, Record<string, JsonObject>>;
    const kind = { group: "apps", version: "v1", kind: "Deployment" };
    const one = operations["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"];
    const actions = Object.entries({ get: "get", put: "put", patch: "patch", delete: "delete" });
    for (const [method, action] of actions) {
      expect(one?.[method]).toMatchObject({ "x-kubernetes-action": action, "x-kubernetes-group-version-kind": kind });
    }
    const all = operations["/apis/apps/v1/deployments"];
    expect(all?.["get"]).toMatchObject({ "x-kubernetes-action": "list", "x-kubernetes-group-version-kind": kind });
    const schemas = (document["components"] as JsonObject)["schemas"] as Record<string, JsonObject>;
    expect(schemas["io.k8s.api.apps.v1.Deployment"]).toMatchObject({ "x-kubernetes-group-version-kind": [kind] });
  });
});

describe("OpenAPI v2", () => {
  test("is one document of all, that refers to nothing else", async () => {
    const { code, headers, json, text } = await get("/openapi/v2");
    expect([code, headers["content-type"]]).toEqual([200, "application/json"]);
    expect(headers.etag).toMatch(/^"[0-9A-F]{128}"$/);
    const document = json();
    expect(document).toMatchObject({ swagger: "2.0", info: { title: "Kubernetes" } });
    const definitions = document["definitions"] as Record<string, JsonObject>;
    for (const [, name = ""] of text.matchAll(/"\$ref":"#\/definitions\/([^"]+)"/g))
      expect(definitions).toHaveProperty([name]);
    const pod = definitions["io.k8s.api.core.v1.Pod"]?.["properties"] as Record<string, JsonObject> | undefined;
    expect(pod?.["spec"]).toEqual({
      description: expect.any(String),
      $ref: "#/definitions/io.k8s.api.core.v1.PodSpec",
    });
  });

  test.each([
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
  ])("has a protobuf form for who asks for %s", async (type) => {
    const { code, headers } = await get("/openapi/v2", { Accept: type });
    expect([code, headers["content-type"]]).toEqual([
      200,
      "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
    ]);
  });
});
