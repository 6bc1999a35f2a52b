import { describe, expect, it } from "vitest";
import { builtinDescriptions, type ResourceDescription } from "../../api/index.js";
import { acceptDiscovery } from "./accept.js";
import { storageVersionHash } from "./documents.js";
import { compareVersions, type ExtraGroup } from "./groups.js";
import { DiscoveryRoute } from "./route.js";

const descriptions = builtinDescriptions();
const v2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const v2beta1 = v2.replace("v=v2;", "v=v2beta1;");

interface Named {
  readonly name: string;
}
// biome-ignore format: one line a document
interface Documents { versions: string[]; groups: (Named & { versions: { version: string }[]; preferredVersion: { groupVersion: string } })[]; resources: Record<string, unknown>[]; items: { metadata: { name?: string }; versions: { version: string; freshness: string; resources: Record<string, unknown>[] }[] }[] }

function route(all: readonly ResourceDescription[] = descriptions, extras: readonly ExtraGroup[] = []): DiscoveryRoute {
  return new DiscoveryRoute({
    resources: { generation: 1, all: () => all },
    extras: { generation: 1, groups: () => extras },
    serverAddress: "127.0.0.1:6443",
  });
}

function get(served: DiscoveryRoute, path: string, accept?: string): Partial<Documents> & { readonly kind?: string } {
  const response = served.handle({ path, headers: accept === undefined ? {} : { accept } });
  return response === undefined ? {} : JSON.parse(response.body.toString());
}

describe("legacy discovery", () => {
  it("serves the versions of the core group", () => {
    expect(get(route(), "/api")).toEqual({
      kind: "APIVersions",
      versions: ["v1"],
      serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress: "127.0.0.1:6443" }],
    });
  });

  it("orders the groups by priority", () => {
    const names = get(route(), "/apis").groups?.map(({ name }) => name);
    expect(names).toEqual([
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
    ]);
  });

  it("prefers autoscaling/v2", () => {
    expect(get(route(), "/apis/autoscaling")).toEqual({
      kind: "APIGroup",
      apiVersion: "v1",
      name: "autoscaling",
      versions: [
        { groupVersion: "autoscaling/v2", version: "v2" },
        { groupVersion: "autoscaling/v1", version: "v1" },
      ],
      preferredVersion: { groupVersion: "autoscaling/v2", version: "v2" },
    });
  });

  it("lists resources in order, with their subresources", () => {
    const names = get(route(), "/api/v1").resources?.map(({ name }) => name) ?? [];
    expect(names).toEqual([...names].sort());
    expect(names.filter((name) => String(name).startsWith("pods"))).toEqual(
      [
        "",
        "/attach",
        "/binding",
        "/ephemeralcontainers",
        "/eviction",
        "/exec",
        "/log",
        "/portforward",
        "/proxy",
        "/resize",
        "/status",
      ].map((name) => `pods${name}`),
    );
  });

  const all = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
  const entries: readonly { readonly path: string; readonly entry: Record<string, unknown> }[] = [
    {
      path: "/api/v1",
      entry: {
        name: "pods",
        singularName: "pod",
        namespaced: true,
        kind: "Pod",
        verbs: all,
        shortNames: ["po"],
        categories: ["all"],
        storageVersionHash: "xPOwRZ+Yhw8=",
      },
    },
    {
      path: "/api/v1",
      entry: {
        name: "componentstatuses",
        singularName: "componentstatus",
        namespaced: false,
        kind: "ComponentStatus",
        verbs: ["get", "list"],
        shortNames: ["cs"],
      },
    },
    {
      path: "/api/v1",
      entry: { name: "bindings", singularName: "binding", namespaced: true, kind: "Binding", verbs: ["create"] },
    },
    {
      path: "/api/v1",
      entry: {
        name: "pods/exec",
        singularName: "",
        namespaced: true,
        kind: "PodExecOptions",
        verbs: ["create", "get"],
      },
    },
    {
      path: "/api/v1",
      entry: {
        name: "nodes/proxy",
        singularName: "",
        namespaced: false,
        kind: "NodeProxyOptions",
        verbs: ["create", "delete", "get", "patch", "update"],
      },
    },
    {
      path: "/api/v1",
      entry: {
        name: "pods/eviction",
        singularName: "",
        namespaced: true,
        group: "policy",
        version: "v1",
        kind: "Eviction",
        verbs: ["create"],
      },
    },
    {
      path: "/api/v1",
      entry: {
        name: "endpoints",
        singularName: "endpoints",
        namespaced: true,
        kind: "Endpoints",
        verbs: all,
        shortNames: ["ep"],
        storageVersionHash: "fWeeMqaN/OA=",
      },
    },
    {
      path: "/apis/apps/v1",
      entry: {
        name: "deployments/scale",
        singularName: "",
        namespaced: true,
        group: "autoscaling",
        version: "v1",
        kind: "Scale",
        verbs: ["get", "patch", "update"],
      },
    },
    {
      path: "/apis/autoscaling/v1",
      entry: {
        name: "horizontalpodautoscalers",
        singularName: "horizontalpodautoscaler",
        namespaced: true,
        kind: "HorizontalPodAutoscaler",
        verbs: all,
        shortNames: ["hpa"],
        categories: ["all"],
        storageVersionHash: "qwQve8ut294=",
      },
    },
    {
      path: "/apis/events.k8s.io/v1",
      entry: {
        name: "events",
        singularName: "event",
        namespaced: true,
        kind: "Event",
        verbs: all,
        shortNames: ["ev"],
        storageVersionHash: "r2yiGXH7wu8=",
      },
    },
    {
      path: "/apis/storage.k8s.io/v1",
      entry: {
        name: "storageclasses",
        singularName: "storageclass",
        namespaced: false,
        kind: "StorageClass",
        verbs: all,
        shortNames: ["sc"],
        storageVersionHash: "K+m6uJwbjGY=",
      },
    },
  ];
  for (const { path, entry } of entries) {
    it(`lists ${entry["name"]} at ${path}`, () => {
      expect(get(route(), path).resources?.find(({ name }) => name === entry["name"])).toEqual(entry);
    });
  }

  for (const path of [
    "/apis/none",
    "/apis/apps/v2",
    "/api/v2",
    "/apis/apps/v1/deployments",
    "/apis//v1",
    "/apix",
    "/apis/__proto__",
  ]) {
    it(`knows nothing at ${path}`, () => expect(route().handle({ path, headers: {} })).toBeUndefined());
  }

  it("takes a slash at the end", () => expect(get(route(), "/apis/apps/v1/").kind).toBe("APIResourceList"));
});

describe("aggregated discovery", () => {
  const accepts: readonly { readonly accept: string; readonly form: string; readonly format?: string }[] = [
    { accept: `${v2},${v2beta1},application/json`, form: "v2" },
    { accept: `${v2beta1},application/json`, form: "v2beta1" },
    { accept: "application/json", form: "legacy" },
    { accept: "*/*", form: "legacy" },
    { accept: "", form: "legacy" },
    {
      accept: "application/json; g=apidiscovery.k8s.io; v=v3; as=APIGroupDiscoveryList, application/json",
      form: "legacy",
    },
    { accept: "application/vnd.kubernetes.protobuf,application/json", form: "legacy", format: "protobuf" },
    { accept: "application/yaml", form: "legacy", format: "yaml" },
  ];
  for (const { accept, form, format = "json" } of accepts)
    it(`${accept} gets ${form} in ${format}`, () => expect(acceptDiscovery(accept)).toEqual({ form, format }));

  it("refuses what it cannot give", () => {
    expect(() => acceptDiscovery("text/html")).toThrow("only the following media types");
  });

  it("has the core group at /api and the others at /apis, with the form in the content type", () => {
    const core = route().handle({ path: "/api", headers: { accept: v2 } });
    expect(core?.contentType).toBe(v2);
    const items = get(route(), "/api", v2).items;
    expect(items?.map(({ metadata }) => metadata)).toEqual([{}]);
    expect(get(route(), "/apis", v2).items?.[1]?.metadata.name).toBe("apps");
  });

  it("describes a resource with its subresources", () => {
    const apps = get(route(), "/apis", v2).items?.find(({ metadata }) => metadata.name === "apps");
    expect(apps?.versions[0]).toMatchObject({ version: "v1", freshness: "Current" });
    expect(apps?.versions[0]?.resources.find(({ resource }) => resource === "deployments")).toEqual({
      resource: "deployments",
      responseKind: { group: "", version: "", kind: "Deployment" },
      scope: "Namespaced",
      singularResource: "deployment",
      verbs: ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
      shortNames: ["deploy"],
      categories: ["all"],
      subresources: [
        {
          subresource: "scale",
          responseKind: { group: "autoscaling", version: "v1", kind: "Scale" },
          verbs: ["get", "patch", "update"],
        },
        {
          subresource: "status",
          responseKind: { group: "", version: "", kind: "Deployment" },
          verbs: ["get", "patch", "update"],
        },
      ],
    });
  });

  it("has an ETag that changes with the content only", () => {
    const etag = (served: DiscoveryRoute): string | undefined =>
      served.handle({ path: "/apis", headers: { accept: v2 } })?.headers?.["ETag"];
    expect(etag(route())).toMatch(/^"[0-9A-F]{128}"$/);
    expect(etag(route())).toBe(etag(route()));
    expect(etag(route(descriptions.slice(0, -1)))).not.toBe(etag(route()));
  });
});

describe("custom and foreign groups", () => {
  const base = descriptions.find(({ resource }) => resource === "configmaps") as ResourceDescription;
  const custom = (version: string): ResourceDescription => ({
    ...base,
    group: "example.com",
    version,
    resource: "widgets",
    kind: "Widget",
    singular: "widget",
  });

  it("come last, their versions by stability", () => {
    const served = route([...["v1alpha1", "v10", "v2beta1", "v2", "foo1"].map(custom), ...descriptions]);
    const groups = get(served, "/apis").groups ?? [];
    expect(groups.at(-1)?.name).toBe("example.com");
    expect(groups.at(-1)?.versions.map(({ version }) => version)).toEqual(["v10", "v2", "v2beta1", "v1alpha1", "foo1"]);
  });

  it("are merged with the versions served elsewhere", () => {
    const extra: ExtraGroup = {
      name: "example.com",
      priority: 99999,
      versions: [{ version: "v2", resources: [], priority: 100, stale: true }],
    };
    const served = route([custom("v1"), ...descriptions], [extra]);
    expect(get(served, "/apis").groups?.[0]?.versions.map(({ version }) => version)).toEqual(["v2", "v1"]);
    const versions = get(served, "/apis", v2).items?.[0]?.versions;
    expect(versions?.map(({ version, freshness }) => [version, freshness])).toEqual([
      ["v2", "Stale"],
      ["v1", "Current"],
    ]);
  });

  it("appear when the generation changes", () => {
    const source = { generation: 1, list: descriptions, all: (): readonly ResourceDescription[] => source.list };
    const served = new DiscoveryRoute({ resources: source });
    expect(get(served, "/apis/example.com")).toEqual({});
    source.list = [...descriptions, custom("v1")];
    source.generation++;
    expect(get(served, "/apis/example.com").kind).toBe("APIGroup");
  });
});

it("hashes stored versions as upstream", () => {
  expect(storageVersionHash("/v1/Node")).toBe("XwShjMxG9Fs=");
  expect(storageVersionHash("apps/v1/Deployment")).toBe("8aSe+NMegvE=");
});

it("orders versions", () => {
  const versions = ["v1", "v2", "v11alpha2", "foo10", "v10beta3", "v3beta1", "v12alpha1", "v11beta2", "v10", "foo1"];
  expect(versions.sort(compareVersions)).toEqual([
    "v10",
    "v2",
    "v1",
    "v11beta2",
    "v10beta3",
    "v3beta1",
    "v12alpha1",
    "v11alpha2",
    "foo1",
    "foo10",
  ]);
});
