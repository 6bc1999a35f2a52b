import { describe, expect, it } from "vitest";
import { docs } from "../../api/gen/docs.js";
import { builtinDescriptions, builtinSchema, type ResourceDescription, type Schema } from "../../api/index.js";
import { DefinitionIndex } from "./definition-index.js";
import { documentV2, documentV3 } from "./document.js";
import { OpenApiRoute } from "./route.js";

type Json = Record<string, unknown>;

const all = builtinDescriptions();
const index = new DefinitionIndex(docs);

function of(group: string, version: string): readonly ResourceDescription[] {
  return all.filter((description) => description.group === group && description.version === version);
}

/** The value at a path of keys; undefined where it leads nowhere. */
function at(value: unknown, ...keys: readonly string[]): unknown {
  let current = value;
  for (const key of keys) {
    current = typeof current === "object" && current !== null ? (current as Json)[key] : undefined;
  }
  return current;
}

/** As a client reads it. */
const wire = (document: unknown): unknown => JSON.parse(JSON.stringify(document));

const core = wire(await documentV3(of("", "v1"), index, "v1.36.0"));
const apps = wire(await documentV3(of("apps", "v1"), index, "v1.36.0"));
const pod = "io.k8s.api.core.v1.Pod";

function* references(value: unknown): Iterable<string> {
  if (typeof value !== "object" || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    if (key === "$ref" && typeof inner === "string") yield inner;
    else yield* references(inner);
  }
}

describe("definitions", () => {
  for (const [name, document] of [
    ["core", core],
    ["apps", apps],
  ] as const) {
    it(`of ${name} are whole: every reference is answered`, () => {
      const schemas = at(document, "components", "schemas") as Json;
      const missing = [...references(document)].filter(
        (ref) => !Object.hasOwn(schemas, ref.replace("#/components/schemas/", "")),
      );
      expect(missing).toEqual([]);
    });
  }

  it("name their kinds, for explain and validation to find them", () => {
    const kinds = (name: string): unknown => at(core, "components", "schemas", name, "x-kubernetes-group-version-kind");
    expect(kinds(pod)).toEqual([{ group: "", version: "v1", kind: "Pod" }]);
    expect(kinds(`${pod}List`)).toEqual([{ group: "", version: "v1", kind: "PodList" }]);
    expect(kinds("io.k8s.api.policy.v1.Eviction")).toEqual([{ group: "policy", version: "v1", kind: "Eviction" }]);
    expect(kinds("io.k8s.api.core.v1.PodSpec")).toBeUndefined();
  });

  const spec = (field: string): Json =>
    at(core, "components", "schemas", "io.k8s.api.core.v1.PodSpec", "properties", field) as Json;

  it("say how lists are merged and patched", () => {
    expect(spec("containers")).toMatchObject({
      type: "array",
      items: { $ref: "#/components/schemas/io.k8s.api.core.v1.Container" },
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
      "x-kubernetes-patch-strategy": "merge",
      "x-kubernetes-patch-merge-key": "name",
    });
    expect(spec("volumes")["x-kubernetes-patch-strategy"]).toBe("merge,retainKeys");
    expect(spec("nodeSelector")).toMatchObject({
      type: "object",
      additionalProperties: { type: "string" },
      "x-kubernetes-map-type": "atomic",
    });
  });

  it("say which maps are atomic at the definition, not at each use", () => {
    const schemas = at(apps, "components", "schemas");
    expect(at(schemas, "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector", "x-kubernetes-map-type")).toBe("atomic");
    const selector = at(schemas, "io.k8s.api.apps.v1.DeploymentSpec", "properties", "selector") as Json;
    expect(Object.keys(selector)).toEqual(["allOf", "description"]);
  });

  it("give special values their names", () => {
    const property = (name: string, field: string): unknown =>
      at(core, "components", "schemas", name, "properties", field);
    expect(property("io.k8s.api.core.v1.ServicePort", "targetPort")).toMatchObject({
      allOf: [{ $ref: "#/components/schemas/io.k8s.apimachinery.pkg.util.intstr.IntOrString" }],
    });
    expect(property("io.k8s.api.core.v1.ResourceRequirements", "limits")).toMatchObject({
      additionalProperties: { $ref: "#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity" },
    });
    expect(property("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", "creationTimestamp")).toMatchObject({
      allOf: [{ $ref: "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.Time" }],
    });
    expect(property("io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry", "fieldsV1")).toMatchObject({
      allOf: [{ $ref: "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1" }],
    });
  });

  it("carry documentation, required fields and defaults", () => {
    const port = at(core, "components", "schemas", "io.k8s.api.core.v1.ContainerPort") as Json;
    expect(port["required"]).toEqual(["containerPort"]);
    expect(at(port, "properties", "protocol")).toMatchObject({ type: "string", default: "TCP" });
    expect(String(at(core, "components", "schemas", pod, "description"))).toContain(
      "Pod is a collection of containers",
    );
  });
});

describe("paths", () => {
  const namespaced = "/apis/apps/v1/namespaces/{namespace}/deployments";
  const cases: readonly {
    readonly path: string;
    readonly method: string;
    readonly id: string;
    readonly action: string;
  }[] = [
    { path: namespaced, method: "get", id: "listAppsV1NamespacedDeployment", action: "list" },
    { path: namespaced, method: "post", id: "createAppsV1NamespacedDeployment", action: "post" },
    {
      path: namespaced,
      method: "delete",
      id: "deleteAppsV1CollectionNamespacedDeployment",
      action: "deletecollection",
    },
    { path: `${namespaced}/{name}`, method: "get", id: "readAppsV1NamespacedDeployment", action: "get" },
    { path: `${namespaced}/{name}`, method: "put", id: "replaceAppsV1NamespacedDeployment", action: "put" },
    { path: `${namespaced}/{name}`, method: "patch", id: "patchAppsV1NamespacedDeployment", action: "patch" },
    { path: `${namespaced}/{name}`, method: "delete", id: "deleteAppsV1NamespacedDeployment", action: "delete" },
    {
      path: `${namespaced}/{name}/status`,
      method: "patch",
      id: "patchAppsV1NamespacedDeploymentStatus",
      action: "patch",
    },
    { path: `${namespaced}/{name}/scale`, method: "get", id: "readAppsV1NamespacedDeploymentScale", action: "get" },
    { path: "/apis/apps/v1/deployments", method: "get", id: "listAppsV1DeploymentForAllNamespaces", action: "list" },
    { path: "/api/v1/nodes", method: "get", id: "listCoreV1Node", action: "list" },
    {
      path: "/api/v1/nodes/{name}/proxy/{path}",
      method: "post",
      id: "connectPostCoreV1NodeProxyWithPath",
      action: "connect",
    },
    {
      path: "/api/v1/namespaces/{namespace}/pods/{name}/exec",
      method: "get",
      id: "connectGetCoreV1NamespacedPodExec",
      action: "connect",
    },
    {
      path: "/api/v1/namespaces/{namespace}/pods/{name}/eviction",
      method: "post",
      id: "createCoreV1NamespacedPodEviction",
      action: "post",
    },
    {
      path: "/api/v1/namespaces/{namespace}/pods/{name}/log",
      method: "get",
      id: "readCoreV1NamespacedPodLog",
      action: "get",
    },
  ];
  for (const { path, method, id, action } of cases) {
    it(`${method} ${path}`, () => {
      const operation = at(path.startsWith("/api/") ? core : apps, "paths", path, method);
      expect(operation).toMatchObject({ operationId: id, "x-kubernetes-action": action });
    });
  }

  it("have no operation id twice", () => {
    const ids = Object.values(at(core, "paths") as Json).flatMap((item) =>
      ["get", "post", "put", "patch", "delete"]
        .map((method) => at(item, method, "operationId"))
        .filter((id) => id !== undefined),
    );
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("tell kubectl that the server validates fields and runs dry", () => {
    const patch = at(core, "paths", "/api/v1/namespaces/{namespace}/pods/{name}", "patch");
    expect(at(patch, "x-kubernetes-group-version-kind")).toEqual({ group: "", version: "v1", kind: "Pod" });
    const parameters = (at(patch, "parameters") as { name: string }[]).map(({ name }) => name);
    expect(parameters).toEqual(["dryRun", "fieldManager", "fieldValidation", "force"]);
  });

  it("leave out what cannot be done", () => {
    expect(Object.keys(at(core, "paths", "/api/v1/namespaces/{namespace}/bindings") as Json)).toEqual([
      "post",
      "parameters",
    ]);
    expect(at(core, "paths", "/api/v1/namespaces/{namespace}/bindings/{name}")).toBeUndefined();
  });
});

const text: Schema = { type: "string" };

function custom(spec: Schema): ResourceDescription {
  const base = of("", "v1").find(({ resource }) => resource === "configmaps") as ResourceDescription;
  const schema: Schema = { type: "object", description: "A tab.", properties: new Map([["spec", spec]]) };
  return {
    ...base,
    group: "stable.example.com",
    resource: "crontabs",
    kind: "CronTab",
    listKind: "CronTabList",
    schema,
  };
}

describe("custom resources", async () => {
  const spec: Schema = {
    type: "object",
    description: "What.",
    properties: new Map<string, Schema>([
      ["schedule", { type: "string", constraints: { pattern: "^x", anyOf: [{ minLength: 1 }] }, nullable: true }],
      ["port", { type: "intOrString" }],
      ["free", { type: "object", preserveUnknown: true }],
      ["list", { type: "array", items: { ...text, description: "Each." }, listType: "set" }],
      [
        "template",
        { type: "object", embedded: true, properties: new Map([["metadata", builtinSchema("meta.v1.ObjectMeta")]]) },
      ],
    ]),
    required: ["schedule"],
  };
  const description = custom(spec);
  const v3 = wire(await documentV3([description], index, "v1.36.0"));
  const v2 = wire(await documentV2([description], index, "v1.36.0"));

  it("are named by their group, and have the identity of objects", () => {
    const definition = at(v3, "components", "schemas", "com.example.stable.v1.CronTab");
    expect(definition).toMatchObject({
      description: "A tab.",
      "x-kubernetes-group-version-kind": [{ group: "stable.example.com", version: "v1", kind: "CronTab" }],
      properties: {
        kind: { type: "string" },
        metadata: {
          allOf: [{ $ref: "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" }],
          description: expect.stringMatching(/^Standard object's metadata\. More info: https:/),
        },
      },
    });
    expect(at(v3, "components", "schemas", "com.example.stable.v1.CronTabList")).toMatchObject({ required: ["items"] });
  });

  it("allow clients of v2 any field where their definition does", async () => {
    const open = { ...description, schema: { ...description.schema, preserveUnknown: true } };
    const name = "com.example.stable.v1.CronTab";
    const kinds = {
      "x-kubernetes-group-version-kind": [{ group: "stable.example.com", version: "v1", kind: "CronTab" }],
    };
    expect(at(wire(await documentV2([open], index, "v1.36.0")), "definitions", name)).toEqual({
      type: "object",
      ...kinds,
    });
    const named = Object.keys(
      at(wire(await documentV3([open], index, "v1.36.0")), "components", "schemas", name, "properties") as Json,
    );
    expect(named).toEqual(["apiVersion", "kind", "metadata", "spec"]);
  });

  it("say what their definition says", () => {
    const properties = at(
      v3,
      "components",
      "schemas",
      "com.example.stable.v1.CronTab",
      "properties",
      "spec",
      "properties",
    );
    expect(properties).toMatchObject({
      schedule: { type: "string", pattern: "^x", anyOf: [{ minLength: 1 }], nullable: true },
      port: { "x-kubernetes-int-or-string": true },
      free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
      list: { type: "array", items: { type: "string", description: "Each." }, "x-kubernetes-list-type": "set" },
      template: { "x-kubernetes-embedded-resource": true },
    });
  });

  it("leave out of v2 what it has no words for", () => {
    const schedule = at(
      v2,
      "definitions",
      "com.example.stable.v1.CronTab",
      "properties",
      "spec",
      "properties",
      "schedule",
    );
    expect(schedule).toEqual({ type: "string", pattern: "^x" });
  });

  it("take no strategic patch", () => {
    const path = "/apis/stable.example.com/v1/namespaces/{namespace}/crontabs/{name}";
    const content = at(v3, "paths", path, "patch", "requestBody", "content") as Json;
    expect(Object.keys(content)).toEqual([
      "application/apply-patch+yaml",
      "application/json-patch+json",
      "application/merge-patch+json",
    ]);
  });
});

it("says the same in v2", async () => {
  const v2 = wire(await documentV2(of("apps", "v1"), index, "v1.36.0"));
  expect(v2).toMatchObject({ swagger: "2.0" });
  const operation = at(v2, "paths", "/apis/apps/v1/namespaces/{namespace}/deployments/{name}", "patch");
  expect(operation).toMatchObject({
    "x-kubernetes-group-version-kind": { group: "apps", version: "v1", kind: "Deployment" },
  });
  expect(at(v2, "definitions", "io.k8s.api.apps.v1.DeploymentSpec", "properties", "template")).toMatchObject({
    $ref: "#/definitions/io.k8s.api.core.v1.PodTemplateSpec",
  });
  const missing = [...references(v2)].filter(
    (ref) => at(v2, "definitions", ref.replace("#/definitions/", "")) === undefined,
  );
  expect(missing).toEqual([]);
});

describe("OpenApiRoute", () => {
  const source = { generation: 1, list: all, all: (): readonly ResourceDescription[] => source.list };
  const route = new OpenApiRoute({ resources: source, version: "v1.36.0" });
  const get = async (
    path: string,
    accept?: string,
  ): Promise<{ code?: number; body: unknown; headers?: Readonly<Record<string, string>> }> => {
    const [bare = "", query = ""] = path.split("?");
    const response = await route.handle({ path: bare, query, headers: accept === undefined ? {} : { accept } });
    if (response === undefined) return { body: undefined };
    const content = response.body.toString();
    return { code: response.code, body: content === "" ? "" : JSON.parse(content), headers: response.headers ?? {} };
  };
  const url = async (groupVersion: string): Promise<string> =>
    String(at((await get("/openapi/v3")).body, "paths", groupVersion, "serverRelativeURL"));

  it("lists the documents with their hashes, and serves them", async () => {
    const document = await url("apis/apps/v1");
    expect(document).toMatch(/^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9A-F]{128}$/);
    const response = await get(document);
    expect(response.headers?.["Cache-Control"]).toBe("public, immutable");
    expect(at(response.body, "openapi")).toBe("3.0.0");
  });

  it("sends a client with an old hash to the new one", async () => {
    const response = await get("/openapi/v3/api/v1?hash=OLD");
    expect(response).toMatchObject({ code: 301, headers: { Location: await url("api/v1") } });
  });

  it("keeps the hashes of built-in groups when custom resources come and change", async () => {
    const before = [await url("api/v1"), await url("apis/stable.example.com/v1")];
    source.list = [...all, custom(text)];
    source.generation++;
    const added = [await url("api/v1"), await url("apis/stable.example.com/v1")];
    source.list = [...all, custom({ ...text, description: "Other." })];
    source.generation++;
    const changed = [await url("api/v1"), await url("apis/stable.example.com/v1")];
    expect(before[1]).toBe("undefined");
    expect([added[0], changed[0]]).toEqual([before[0], before[0]]);
    expect(changed[1]).not.toBe(added[1]);
  });

  it("serves v2", async () => expect(at((await get("/openapi/v2")).body, "swagger")).toBe("2.0"));

  it("knows no other path", async () => {
    expect((await get("/openapi/v3/apis/none/v1")).body).toBeUndefined();
    expect((await get("/openapi/v4")).body).toBeUndefined();
  });

  const protobuf = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

  it("serves v2 in the form that old clients read", async () => {
    const response = await route.handle({ path: "/openapi/v2", query: "", headers: { accept: protobuf } });
    expect(response?.contentType).toBe("application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
    // swagger = 1: "2.0"; info = 2.
    expect(
      Buffer.from(response?.body ?? "")
        .subarray(0, 6)
        .toString("hex"),
    ).toBe("0a03322e3012");
  });

  it("refuses other forms", async () => {
    const only = "only the following media types are accepted: application/json";
    await expect(get("/openapi/v3", protobuf)).rejects.toThrow(only);
    await expect(get("/openapi/v2", "text/html")).rejects.toThrow(only);
    expect((await get("/openapi/v2", "text/html,application/json")).code).toBe(200);
  });
});
