import { expect, test } from "vitest";
import type { JsonObject, RequestOptions } from "../../src/api/index.js";
import { configMap, deployment, metadataOf } from "./support/manifests.js";
import { type Api, type Call, describeApi, failure, type ResourcePath, useControlPlane } from "./support/subject.js";

const controlPlane = useControlPlane();
const configMaps = "api/v1/configmaps";
const deployments = "apis/apps/v1/deployments";

interface Entry {
  readonly manager: string;
  readonly operation: string;
  readonly subresource?: string;
  readonly time?: string;
  readonly fieldsV1: JsonObject;
}

const entries = (object: unknown): readonly Entry[] => (metadataOf(object)["managedFields"] ?? []) as readonly Entry[];
/** Who has what, without times. */
const owners = (object: unknown): JsonObject =>
  Object.fromEntries(
    entries(object).map(({ manager, operation, subresource = "", fieldsV1 }) => [
      [manager, operation, subresource].join(" ").trim(),
      fieldsV1,
    ]),
  );

/** Applies as a manager. */
function applier(api: Api, path: ResourcePath, at: Call) {
  return (manager: string, body: unknown, options: RequestOptions = {}): Promise<JsonObject> =>
    api.call("patch", path, { ...at, patchType: "apply", body, options: { fieldManager: manager, ...options } });
}

describeApi("apply", controlPlane, (api) => {
  async function fresh(name = "a"): Promise<ReturnType<typeof applier>> {
    return applier(api, configMaps, { namespace: await api.namespace(), name });
  }
  const data = (fields: object): object => configMap("a", { data: fields });

  test("creates, and owns exactly what it says", async () => {
    const apply = await fresh();
    const made = await apply("one", data({ a: "1", b: "2" }));
    expect(owners(made)).toEqual({ "one Apply": { "f:data": { "f:a": {}, "f:b": {} } } });
    expect(entries(made)[0]).toMatchObject({
      apiVersion: "v1",
      fieldsType: "FieldsV1",
      time: expect.stringMatching(/Z$/),
    });
  });

  test("of the same writes nothing", async () => {
    const apply = await fresh();
    const made = await apply("one", data({ a: "1" }));
    expect(await apply("one", data({ a: "1" }))).toEqual(made);
  });

  test("takes away what is applied no more, unless somebody else has it", async () => {
    const apply = await fresh();
    await apply("one", data({ a: "1", b: "2" }));
    await apply("two", data({ b: "2" }));
    const last = await apply("one", data({ c: "3" }));
    expect(last["data"]).toEqual({ b: "2", c: "3" });
    expect(owners(last)).toEqual({
      "one Apply": { "f:data": { "f:c": {} } },
      "two Apply": { "f:data": { "f:b": {} } },
    });
  });

  test("conflicts with who has a field of another value, and takes it by force", async () => {
    const apply = await fresh();
    await apply("one", data({ a: "1", b: "2" }));
    expect(await failure(apply("two", data({ a: "x", b: "2" })))).toEqual({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: 'Apply failed with 1 conflict: conflict with "one": .data.a',
      reason: "Conflict",
      details: { causes: [{ reason: "FieldManagerConflict", message: 'conflict with "one"', field: ".data.a" }] },
      code: 409,
    });
    expect((await failure(apply("two", data({ a: "x", b: "y" })))).message).toBe(
      'Apply failed with 2 conflicts: conflicts with "one":\n- .data.a\n- .data.b',
    );
    const forced = await apply("two", data({ a: "x", b: "2" }), { force: true });
    expect(owners(forced)).toEqual({
      "one Apply": { "f:data": { "f:b": {} } },
      "two Apply": { "f:data": { "f:a": {}, "f:b": {} } },
    });
  });

  test("conflicts with updates by their version", async () => {
    const namespace = await api.namespace();
    const apply = applier(api, configMaps, { namespace, name: "a" });
    const given = configMap("a", { metadata: { namespace }, data: { a: "1" } });
    await api.create(configMaps, given, { options: { fieldManager: "editor" } });
    expect((await failure(apply("one", data({ a: "2" })))).message).toBe(
      'Apply failed with 1 conflict: conflict with "editor" using v1: .data.a',
    );
  });

  test.each([
    {
      name: "a field that there is not",
      body: configMap("a", { zip: 1 }),
      code: 500,
      message: "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .zip: field not declared in schema",
    },
    {
      name: "a number for text",
      body: data({ k: 1 }),
      code: 500,
      message:
        "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .data.k: expected string, got &value.valueUnstructured{Value:1}",
    },
    {
      name: "a list for a map",
      body: configMap("a", { data: ["x"] }),
      code: 500,
      message: "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .data: expected map, got &{[x]}",
    },
    {
      name: "no apiVersion",
      body: { kind: "ConfigMap", metadata: { name: "a" } },
      code: 400,
      message: "Incorrect version specified in apply patch. Specified patch version: , expected: v1",
    },
    {
      name: "another version",
      body: { ...configMap("a"), apiVersion: "v2" },
      code: 400,
      message: "Incorrect version specified in apply patch. Specified patch version: v2, expected: v1",
    },
    {
      name: "no kind",
      body: { apiVersion: "v1", metadata: { name: "a" } },
      code: 500,
      message: "failed to create typed patch object (/a; /v1, Kind=): no corresponding type for /v1, Kind=",
    },
    {
      name: "another name",
      body: configMap("b"),
      code: 400,
      message: "the name of the object (b) does not match the name on the URL (a)",
    },
    {
      name: "no name",
      body: { apiVersion: "v1", kind: "ConfigMap" },
      code: 400,
      message: "the name of the object (a based on URL) was undeterminable: name must be provided",
    },
    {
      name: "a uid, of what is not there",
      body: configMap("a", { metadata: { uid: "u" } }),
      code: 409,
      message:
        'Operation cannot be fulfilled on configmaps "a": uid mismatch: the provided object specified uid u, and no existing object was found',
    },
    {
      name: "managedFields",
      body: configMap("a", { metadata: { managedFields: [] } }),
      code: 400,
      message: "metadata.managedFields must be nil",
    },
    {
      name: "a list",
      body: [],
      code: 400,
      message:
        "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}",
    },
  ])("refuses $name", async ({ body, code, message }) => {
    const apply = await fresh();
    expect(await failure(apply("one", body))).toMatchObject({ code, message });
  });

  test("wants to know who applies", async () => {
    const apply = await fresh();
    expect(await failure(apply("", data({})))).toMatchObject({
      code: 422,
      message: 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
    });
  });

  test("as a dry run shows the outcome, and stores nothing", async () => {
    const apply = await fresh();
    expect(await apply("one", data({ a: "1" }), { dryRun: ["All"] })).toMatchObject({ data: { a: "1" } });
    const made = await apply("one", data({ a: "2" }));
    expect(await apply("one", data({ a: "3" }), { dryRun: ["All"] })).toMatchObject({ data: { a: "3" } });
    expect(await apply("one", data({ a: "2" }))).toEqual(made);
  });

  test("keeps to a resourceVersion that it names", async () => {
    const apply = await fresh();
    await apply("one", data({ a: "1" }));
    const stale = configMap("a", { metadata: { resourceVersion: "1" }, data: { a: "2" } });
    expect((await failure(apply("one", stale))).reason).toBe("Conflict");
  });
});

describeApi("apply to lists and subresources", controlPlane, (api) => {
  async function stored(): Promise<{ readonly at: Call; readonly apply: ReturnType<typeof applier> }> {
    const at = { namespace: await api.namespace(), name: "d" };
    const apply = applier(api, deployments, at);
    await apply("owner", deployment("d"));
    return { at, apply };
  }
  const inPod = (spec: object): object => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "d" },
    spec: { template: { spec } },
  });
  const containersOf = (object: JsonObject): JsonObject[] =>
    (object as { spec: { template: { spec: { containers: JsonObject[] } } } }).spec.template.spec.containers;

  test("owns items by their keys, defaults of keys included, and gives them back", async () => {
    const { apply } = await stored();
    const ports = [{ containerPort: 80 }, { containerPort: 80, protocol: "UDP" }];
    const both = await apply("side", inPod({ containers: [{ name: "side", image: "s", ports }] }));
    expect(containersOf(both).map(({ name }) => name)).toEqual(["main", "side"]);
    expect(owners(both)["side Apply"]).toEqual({
      "f:spec": {
        "f:template": {
          "f:spec": {
            "f:containers": {
              'k:{"name":"side"}': {
                ".": {},
                "f:name": {},
                "f:image": {},
                "f:ports": {
                  'k:{"containerPort":80,"protocol":"TCP"}': { ".": {}, "f:containerPort": {} },
                  'k:{"containerPort":80,"protocol":"UDP"}': { ".": {}, "f:containerPort": {}, "f:protocol": {} },
                },
              },
            },
          },
        },
      },
    });
    expect(containersOf(await apply("side", inPod({ containers: [] })))).toHaveLength(1);
  });

  test("lets two managers have one item together", async () => {
    const { apply } = await stored();
    const env = [{ name: "A", value: "1" }];
    const shared = await apply("env", inPod({ containers: [{ name: "main", env }] }));
    expect(containersOf(shared)).toMatchObject([{ name: "main", image: "main:1", env }]);
    const left = await apply("env", inPod({}));
    expect(containersOf(left)[0]).toMatchObject({ name: "main", image: "main:1" });
    expect(containersOf(left)[0]).not.toHaveProperty("env");
  });

  test("takes a null as nothing to add", async () => {
    const { apply } = await stored();
    const same = await apply("other", inPod({ nodeSelector: null, containers: null }));
    expect(containersOf(same)).toHaveLength(1);
  });

  test.each([
    {
      name: "one key twice",
      containers: [{ name: "x" }, { name: "x" }],
      message: '.spec.template.spec.containers: duplicate entries for key [name="x"]',
    },
    {
      name: "no key",
      containers: [{ image: "x" }],
      message:
        '.spec.template.spec.containers: element 0: associative list with keys has an element that omits key field "name" (and doesn\'t have default value)',
    },
    { name: "no items at all", containers: "x", message: ".spec.template.spec.containers: expected list, got &{x}" },
    {
      name: "an item that is none",
      containers: [1],
      message: ".spec.template.spec.containers: element 0: associative list with keys may not have non-map elements",
    },
    {
      name: "a field deep inside",
      containers: [{ name: "x", tty: "yes", zip: 1 }],
      message:
        'errors:\n  .spec.template.spec.containers[name="x"].tty: expected boolean, got &{yes}\n  .spec.template.spec.containers[name="x"].zip: field not declared in schema',
    },
  ])("refuses a list with $name", async ({ containers, message }) => {
    const { apply } = await stored();
    expect(await failure(apply("bad", inPod({ containers })))).toMatchObject({
      code: 500,
      message: `failed to create typed patch object (/d; apps/v1, Kind=Deployment): ${message}`,
    });
  });

  test("refuses what the schema of merging takes and the kind does not", async () => {
    const { apply } = await stored();
    const resources = { limits: { cpu: "much" } };
    expect(await failure(apply("bad", inPod({ containers: [{ name: "main", resources }] })))).toMatchObject({
      code: 500,
      message: expect.stringMatching(
        /^failed to convert new object \(\/d; apps\/v1, Kind=Deployment\) to proper version: unable to convert unstructured object to apps\/v1, Kind=Deployment: quantities must match/,
      ),
    });
  });

  test("to status owns status only, and is another manager than to the object", async () => {
    const { at, apply } = await stored();
    const status = applier(api, deployments, { ...at, subresource: "status" });
    const bare = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "d" } };
    const body = { ...bare, status: { replicas: 4 } };
    const changed = await status("owner", body);
    expect(changed).toMatchObject({ status: { replicas: 4 } });
    expect(owners(changed)["owner Apply status"]).toEqual({ "f:status": { "f:replicas": {} } });
    // The object's own endpoint takes no status.
    const kept = await apply("other", { ...bare, status: { replicas: 9 } });
    expect(kept).toMatchObject({ status: { replicas: 4 } });
    expect(owners(kept)).not.toHaveProperty("other Apply");
    expect(metadataOf(kept)["resourceVersion"]).toBe(metadataOf(changed)["resourceVersion"]);
  });

  test("to scale owns the replicas of the object", async () => {
    const { at } = await stored();
    const scale = applier(api, deployments, { ...at, subresource: "scale" });
    const body = { apiVersion: "autoscaling/v1", kind: "Scale", metadata: { name: "d" }, spec: { replicas: 4 } };
    // Nobody applied replicas, and who set the default has no name here.
    expect(await scale("hpa", body)).toMatchObject({ kind: "Scale", spec: { replicas: 4 } });
    const object = await api.call("get", deployments, at);
    expect(owners(object)["hpa Apply scale"]).toEqual({ "f:spec": { "f:replicas": {} } });
    expect((await failure(scale("other", { ...body, spec: { replicas: 5 } }))).message).toBe(
      'Apply failed with 1 conflict: conflict with "hpa" with subresource "scale": .spec.replicas',
    );
    expect((await failure(scale("hpa", { ...body, apiVersion: "apps/v1" }))).code).toBe(400);
    expect((await failure(scale("hpa", { ...body, spec: { zip: 1 } }))).message).toBe(
      "failed to create typed patch object (/d; autoscaling/v1, Kind=Scale): .spec.zip: field not declared in schema",
    );
  });
});

describeApi("managed fields", controlPlane, (api) => {
  const write = (namespace: string, manager: string | undefined, fields: object): Promise<JsonObject> =>
    api.call("patch", configMaps, {
      namespace,
      name: "a",
      patchType: "merge",
      body: { data: fields },
      options: manager === undefined ? {} : { fieldManager: manager },
    });

  test("name who writes by its user agent when it does not say", async () => {
    const namespace = await api.namespace();
    const made = await api.create(configMaps, configMap("a", { metadata: { namespace }, data: { a: "1" } }));
    expect(owners(made)).toEqual({ "conformance Update": { "f:data": { ".": {}, "f:a": {} } } });
    const changed = await write(namespace, "editor", { a: "2", b: "3" });
    expect(owners(changed)).toEqual({
      "conformance Update": { "f:data": {} },
      "editor Update": { "f:data": { "f:a": {}, "f:b": {} } },
    });
  });

  test("remember ten that update one by one, and older ones together", async () => {
    const namespace = await api.namespace();
    await api.create(configMaps, configMap("a", { metadata: { namespace }, data: { first: "v" } }));
    for (let index = 0; index < 12; index++)
      await write(namespace, `m${String(index).padStart(2, "0")}`, { [`k${index}`]: "v" });
    const now = await api.call("get", configMaps, { namespace, name: "a" });
    const names = entries(now).map(({ manager }) => manager);
    expect(names).toHaveLength(10);
    expect(names).toContain("ancient-changes");
    const fields = entries(now).flatMap(({ fieldsV1 }) => Object.keys(fieldsV1["f:data"] as object));
    for (let index = 0; index < 12; index++) expect(fields).toContain(`f:k${index}`);
  });

  test.each([{ entries: [{}] }, { entries: [] }])("are forgotten when a client says so: $entries", async (reset) => {
    const namespace = await api.namespace();
    const made = await api.create(configMaps, configMap("a", { metadata: { namespace }, data: { a: "1" } }));
    const body = { ...made, metadata: { ...metadataOf(made), managedFields: reset.entries } };
    const forgotten = await api.call("update", configMaps, { namespace, name: "a", body });
    expect(metadataOf(forgotten)).not.toHaveProperty("managedFields");
    // They come back with the first apply.
    const apply = applier(api, configMaps, { namespace, name: "a" });
    expect((await failure(apply("one", configMap("a", { data: { a: "2" } })))).message).toBe(
      'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.a',
    );
  });

  test("stay as they are when a client leaves them out, or sends what cannot be read", async () => {
    const namespace = await api.namespace();
    const made = await api.create(configMaps, configMap("a", { metadata: { namespace }, data: { a: "1" } }));
    for (const managedFields of [undefined, [{ manager: "x", operation: "Dance" }]]) {
      const body = { ...made, metadata: { ...metadataOf(made), managedFields } };
      expect(owners(await api.call("update", configMaps, { namespace, name: "a", body }))).toEqual(owners(made));
    }
  });

  test("move from client-side apply to server-side apply without a conflict", async () => {
    const namespace = await api.namespace();
    const annotation = "kubectl.kubernetes.io/last-applied-configuration";
    const wanted = configMap("a", { data: { a: "1", gone: "2" } });
    const annotations = { [annotation]: JSON.stringify(wanted) };
    const given = configMap("a", { metadata: { namespace, annotations }, data: { a: "1", gone: "2" } });
    await api.create(configMaps, given, { options: { fieldManager: "kubectl-client-side-apply" } });
    const apply = applier(api, configMaps, { namespace, name: "a" });
    const changed = await apply("kubectl", configMap("a", { data: { a: "new" } }));
    expect(changed["data"]).toMatchObject({ a: "new" });
    expect((metadataOf(changed)["annotations"] as JsonObject)[annotation]).toContain('"a":"new"');
  });
});
