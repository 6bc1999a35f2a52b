import { beforeAll, expect, test, vi } from "vitest";
import type { JsonObject } from "../../src/api/index.js";
import { metadataOf } from "./support/manifests.js";
import { Api, type Call, describeApi, failure, type ResourcePath, useControlPlane } from "./support/subject.js";

const controlPlane = useControlPlane();
const definitions = "apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const widgets = "apis/shop.example.com/v1/widgets";

type Schema = { readonly [keyword: string]: unknown };

/** A definition in shop.example.com, whose schema has `properties` in its spec. */
function definition(plural: string, kind: string, properties: Schema, version: Schema = {}): JsonObject {
  const spec = { type: "object", properties };
  const status = { type: "object", properties: { replicas: { type: "integer" } } };
  const openAPIV3Schema = { type: "object", properties: { spec, status } };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.shop.example.com` },
    spec: {
      group: "shop.example.com",
      scope: "Namespaced",
      names: { plural, kind },
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema }, ...version }],
    },
  };
}

const text = { type: "string" };
const widgetProperties = {
  size: { type: "integer", minimum: 1, maximum: 9 },
  color: { type: "string", default: "red", enum: ["red", "blue"] },
  code: { type: "string", pattern: "^[a-z]+$", maxLength: 5 },
  port: { "x-kubernetes-int-or-string": true },
  note: { type: "string", nullable: true },
  at: { type: "string", format: "date-time" },
  free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
  tags: { type: "array", items: text, "x-kubernetes-list-type": "set" },
  parts: {
    type: "array",
    items: { type: "object", required: ["name"], properties: { name: text, use: text } },
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
  },
};

const widget = (name: string, spec: object, more: object = {}): object => ({
  apiVersion: "shop.example.com/v1",
  kind: "Widget",
  metadata: { name },
  spec,
  ...more,
});

async function established(api: Api, given: JsonObject): Promise<void> {
  await api.create(definitions, given);
  const { plural } = (given as { spec: { names: { plural: string } } }).spec.names;
  await vi.waitFor(() => api.call("list", `apis/shop.example.com/v1/${plural}`), { interval: 10 });
}

beforeAll(async () => {
  const scale = { specReplicasPath: ".spec.size", statusReplicasPath: ".status.replicas" };
  const given = definition("widgets", "Widget", widgetProperties, { subresources: { status: {}, scale } });
  await established(new Api(() => controlPlane.inProcess), given);
});

describeApi("custom resources", controlPlane, (api) => {
  const create = async (body: unknown, call: Call = {}): Promise<JsonObject> =>
    api.call("create", widgets, { namespace: await api.namespace(), body, ...call });

  test("are pruned, completed, and keep what is free", async () => {
    const spec = { size: 3, zip: 1, color: null, note: null, free: { deep: { er: 1 } } };
    const made = await create(widget("a", spec, { status: { replicas: 9 }, extra: true }));
    expect(made["spec"]).toEqual({ size: 3, color: "red", note: null, free: { deep: { er: 1 } } });
    expect(made).not.toHaveProperty("status");
    expect(made).not.toHaveProperty("extra");
    expect(metadataOf(made)).toMatchObject({ generation: 1 });
  });

  test("find unknown fields in upstream's order: of metadata, then by name", async () => {
    const given = { ...widget("a", { zip: 1, aaa: 2 }, { extra: true }), metadata: { name: "a", odd: 1 } };
    expect((await failure(create(given, { options: { fieldValidation: "Strict" } }))).message).toBe(
      'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "metadata.odd", unknown field "extra", unknown field "spec.aaa", unknown field "spec.zip"',
    );
  });

  test.each([
    {
      name: "too small",
      spec: { size: 0 },
      message: "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1",
    },
    {
      name: "of the wrong type",
      spec: { size: "3" },
      message: 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"',
    },
    {
      name: "none of the choices",
      spec: { color: "green" },
      message: 'spec.color: Unsupported value: "green": supported values: "red", "blue"',
    },
    {
      name: "not like its pattern",
      spec: { code: "A1" },
      message: "spec.code: Invalid value: \"A1\": spec.code in body should match '^[a-z]+$'",
    },
    { name: "without its key", spec: { parts: [{ use: "x" }] }, message: "spec.parts[0].name: Required value" },
    { name: "twice in a set", spec: { tags: ["a", "a"] }, message: 'spec.tags[1]: Duplicate value: "a"' },
    {
      name: "twice by its key",
      spec: { parts: [{ name: "x" }, { name: "x" }] },
      message: 'spec.parts[1]: Duplicate value: {"name":"x"}',
    },
  ])("refuse a value that is $name", async ({ spec, message }) => {
    expect(await failure(create(widget("a", spec)))).toMatchObject({
      code: 422,
      reason: "Invalid",
      message: `Widget.shop.example.com "a" is invalid: ${message}`,
    });
  });

  test.each([
    {
      name: "kind",
      body: { ...widget("a", {}), kind: "Gadget" },
      code: 422,
      message: 'Gadget.shop.example.com "a" is invalid: kind: Invalid value: "Gadget": must be Widget',
    },
    {
      name: "version",
      body: { ...widget("a", {}), apiVersion: "shop.example.com/v2" },
      code: 400,
      message:
        "the API version in the data (shop.example.com/v2) does not match the expected API version (shop.example.com/v1)",
    },
    {
      name: "no version",
      body: { kind: "Widget", metadata: { name: "a" } },
      code: 400,
      message: "the API version in the data () does not match the expected API version (shop.example.com/v1)",
    },
    {
      name: "no kind",
      body: { apiVersion: "shop.example.com/v1", metadata: { name: "a" } },
      code: 400,
      message: "Object 'Kind' is missing in 'unstructured object has no kind'",
    },
  ])("say what they are, and are refused for another: $name", async ({ body, code, message }) => {
    expect(await failure(create(body))).toMatchObject({ code, message });
  });

  test("take no strategic patch, and an update only with a resourceVersion", async () => {
    const namespace = await api.namespace();
    await create(widget("a", {}), { namespace });
    const at = { namespace, name: "a" };
    expect(await failure(api.call("patch", widgets, { ...at, patchType: "strategic", body: {} }))).toMatchObject({
      code: 415,
      reason: "UnsupportedMediaType",
    });
    expect((await failure(api.call("update", widgets, { ...at, body: widget("a", {}) }))).message).toBe(
      'widgets.shop.example.com "a" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update',
    );
    const kind = api.call("patch", widgets, { ...at, patchType: "merge", body: { kind: "Gadget" } });
    expect((await failure(kind)).message).toBe(
      'Gadget.shop.example.com "a" is invalid: kind: Invalid value: "Gadget": must be Widget',
    );
  });

  test("keep spec and status apart, and scale by their paths", async () => {
    const namespace = await api.namespace();
    await create(widget("a", { size: 2 }), { namespace });
    const at = { namespace, name: "a" };
    const body = { spec: { size: 8 }, status: { replicas: 5 }, metadata: { labels: { a: "b" } } };
    const status = await api.call("patch", widgets, { ...at, subresource: "status", patchType: "merge", body });
    expect(status).toMatchObject({ spec: { size: 2 }, status: { replicas: 5 }, metadata: { generation: 1 } });
    expect(metadataOf(status)).not.toHaveProperty("labels");
    const scale = { ...at, subresource: "scale", patchType: "merge" as const, body: { spec: { replicas: 4 } } };
    expect(await api.call("patch", widgets, scale)).toMatchObject({ spec: { replicas: 4 }, status: { replicas: 5 } });
    expect(await api.call("get", widgets, at)).toMatchObject({ spec: { size: 4 }, metadata: { generation: 2 } });
  });

  test("are applied by their list types, and refuse what the schema does not have", async () => {
    const at = { namespace: await api.namespace(), name: "a" };
    const apply = (manager: string, spec: object): Promise<JsonObject> =>
      api.call("patch", widgets, {
        ...at,
        patchType: "apply",
        body: widget("a", spec),
        options: { fieldManager: manager },
      });
    await apply("one", { parts: [{ name: "x", use: "1" }], tags: ["a"], free: { k: { v: 1 } } });
    const both = await apply("two", { parts: [{ name: "y" }], tags: ["b"] });
    expect(both["spec"]).toMatchObject({
      parts: [{ name: "x" }, { name: "y" }],
      tags: ["a", "b"],
      free: { k: { v: 1 } },
    });
    expect(await apply("two", { parts: [{ name: "y" }], tags: ["b"] })).toEqual(both);
    expect((await apply("one", {}))["spec"]).toEqual({ color: "red", parts: [{ name: "y" }], tags: ["b"] });
    expect(await failure(apply("two", { zip: 1 }))).toMatchObject({
      code: 500,
      message:
        "failed to create typed patch object (/a; shop.example.com/v1, Kind=Widget): .spec.zip: field not declared in schema",
    });
  });

  test("are deleted with their namespace's contents by deletecollection", async () => {
    const namespace = await api.namespace();
    for (const name of ["a", "b"]) await create(widget(name, {}), { namespace });
    expect(await api.call("deletecollection", widgets, { namespace })).toMatchObject({ kind: "WidgetList" });
    expect(await api.call("list", widgets, { namespace })).toMatchObject({ items: [] });
  });
});

describeApi("custom resource definitions", controlPlane, (api) => {
  test.each([
    {
      name: "a field without a type",
      properties: { a: {} },
      message: "properties[spec].properties[a].type: Required value: must not be empty for specified object fields",
    },
    {
      name: "a default of the wrong type",
      properties: { a: { type: "string", default: 1 } },
      message:
        'properties[spec].properties[a].default: Invalid value: "integer":  in body must be of type string: "integer"',
    },
    {
      name: "a pattern that is none",
      properties: { a: { type: "string", pattern: "(" } },
      message:
        'properties[spec].properties[a].pattern: Invalid value: "(": must be a valid regular expression, but isn\'t: error parsing regexp: missing closing ): `(`',
    },
    {
      name: "a list map without keys",
      properties: { a: { type: "array", items: { type: "object" }, "x-kubernetes-list-type": "map" } },
      message:
        "properties[spec].properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map",
    },
    {
      name: "uniqueItems",
      properties: { a: { type: "array", items: text, uniqueItems: true } },
      message:
        "properties[spec].properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
    },
    {
      name: "a rule that does not compile",
      properties: { a: { ...text, "x-kubernetes-validations": [{ rule: "foo == 1" }] } },
      message:
        "properties[spec].properties[a].x-kubernetes-validations[0].rule: Invalid value: {\"rule\":\"foo == 1\"}: compilation failed: ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')\n | foo == 1\n | ^",
    },
    {
      name: "a rule that is no question",
      properties: { a: { ...text, "x-kubernetes-validations": [{ rule: "self" }] } },
      message:
        'properties[spec].properties[a].x-kubernetes-validations[0].rule: Invalid value: {"rule":"self"}: cel expression must evaluate to a bool',
    },
  ])("are refused with $name", async ({ properties, message }) => {
    expect(await failure(api.create(definitions, definition("bolts", "Bolt", properties)))).toMatchObject({
      code: 422,
      message: `CustomResourceDefinition.apiextensions.k8s.io "bolts.shop.example.com" is invalid: spec.validation.openAPIV3Schema.${message}`,
    });
  });

  test("get the names that nobody has, and say so; discovery and OpenAPI follow, and go with them", async () => {
    await api.create(definitions, definition("cogs", "Widget", {}));
    const conditions = async (): Promise<unknown> =>
      ((await api.call("get", definitions, { name: "cogs.shop.example.com" }))["status"] as JsonObject | undefined)?.[
        "conditions"
      ];
    await expect.poll(conditions).toMatchObject([
      { type: "NamesAccepted", status: "False", reason: "ListKindConflict", message: '"WidgetList" is already in use' },
      { type: "Established", status: "False", reason: "NotAccepted", message: "not all names are accepted" },
    ]);
    const body = { spec: { names: { kind: "Cog", listKind: "CogList", singular: "cog" } } };
    await api.call("patch", definitions, { name: "cogs.shop.example.com", patchType: "merge", body });
    await expect.poll(conditions).toMatchObject([
      { type: "NamesAccepted", status: "True", reason: "NoConflicts" },
      { type: "Established", status: "True", reason: "InitialNamesAccepted" },
    ]);
    const discovered = async (): Promise<string> => (await controlPlane.wire.send("/apis/shop.example.com/v1")).text;
    const documented = async (): Promise<string> =>
      (await controlPlane.wire.send("/openapi/v3/apis/shop.example.com/v1")).text;
    await expect.poll(discovered).toContain('"cogs"');
    await expect.poll(documented).toContain("com.example.shop.v1.Cog");
    await api.call("delete", definitions, { name: "cogs.shop.example.com" });
    await expect.poll(discovered).not.toContain('"cogs"');
    await expect.poll(documented).not.toContain("com.example.shop.v1.Cog");
  });
});

describeApi("validation rules", controlPlane, (api) => {
  test("judge objects and their changes, and tell where and why", async () => {
    const namespace = await api.namespace();
    const plural = `gears${namespace.replace(/\D/g, "")}`;
    const rules = [
      {
        rule: "self.min <= self.max",
        messageExpression: "'min %d is over max'.format([self.min])",
        fieldPath: ".min",
        reason: "FieldValueForbidden",
      },
      { rule: "!has(oldSelf.kind) || self.kind == oldSelf.kind", message: "kind is fixed" },
    ];
    const given = definition(plural, `Gear${plural}`, {
      range: {
        type: "object",
        required: ["min", "max"],
        properties: { min: { type: "integer" }, max: { type: "integer" }, kind: text },
        "x-kubernetes-validations": rules,
      },
    });
    await established(api, given);
    const path = `apis/shop.example.com/v1/${plural}` as ResourcePath;
    const gear = (range: object): object => ({ ...widget("g", { range }), kind: `Gear${plural}` });
    expect(
      (await failure(api.call("create", path, { namespace, body: gear({ min: 3, max: 2 }) }))).details,
    ).toMatchObject({
      causes: [{ reason: "FieldValueForbidden", message: "Forbidden: min 3 is over max", field: "spec.range.min" }],
    });
    await api.call("create", path, { namespace, body: gear({ min: 1, max: 2, kind: "a" }) });
    const change = (range: object): Promise<JsonObject> =>
      api.call("patch", path, { namespace, name: "g", patchType: "merge", body: { spec: { range } } });
    expect((await failure(change({ kind: "b" }))).message).toMatch(
      /spec\.range: Invalid value: "object": kind is fixed$/,
    );
    expect(await change({ max: 9 })).toMatchObject({ spec: { range: { max: 9 } } });
  });
});
