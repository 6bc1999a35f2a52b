import { expect, test } from "vitest";
import type { JsonObject, PatchType, RequestOptions } from "../../src/api/index.js";
import { configMap, deployment, metadataOf } from "./support/manifests.js";
import { describeApi, failure, useControlPlane } from "./support/subject.js";

const controlPlane = useControlPlane();
const configMaps = "api/v1/configmaps";
const deployments = "apis/apps/v1/deployments";
const hidden = "the server rejected our request due to an error in our request";

describeApi("patch", controlPlane, (api) => {
  async function stored(): Promise<{ readonly namespace: string; readonly object: JsonObject }> {
    const namespace = await api.namespace();
    const given = configMap("a", { metadata: { namespace }, data: { k: "v" } });
    return { namespace, object: await api.create(configMaps, given) };
  }
  const patch = (
    namespace: string,
    patchType: PatchType,
    body: unknown,
    options?: RequestOptions,
  ): Promise<JsonObject> =>
    api.call("patch", configMaps, {
      namespace,
      name: "a",
      patchType,
      body,
      ...(options === undefined ? {} : { options }),
    });

  test("of each type changes what it says", async () => {
    const { namespace } = await stored();
    await patch(namespace, "json", [{ op: "add", path: "/data/json", value: "1" }]);
    await patch(namespace, "merge", { data: { merge: "2", k: null } });
    const last = await patch(namespace, "strategic", { data: { strategic: "3" } });
    expect(last).toMatchObject({ data: { json: "1", merge: "2", strategic: "3" } });
    expect(last["data"]).not.toHaveProperty("k");
  });

  test.each([
    { type: "json", body: [] },
    { type: "json", body: [{ op: "replace", path: "/data/k", value: "v" }] },
    { type: "merge", body: {} },
    { type: "strategic", body: { data: { k: "v" } } },
    { type: "strategic", body: null },
  ] as const)("that changes nothing writes nothing: $type $body", async ({ type, body }) => {
    const { namespace, object } = await stored();
    expect(await patch(namespace, type, body)).toEqual(object);
  });

  test.each([
    { name: "a test that fails", body: [{ op: "test", path: "/data/k", value: "w" }], code: 422, message: hidden },
    { name: "an unknown operation", body: [{ op: "mix", path: "/data" }], code: 422, message: hidden },
    { name: "a path that is not there", body: [{ op: "remove", path: "/data/x" }], code: 422, message: hidden },
    {
      name: "an object",
      body: {},
      code: 400,
      message: "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
    },
    {
      name: "numbers",
      body: [1],
      code: 400,
      message: "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp",
    },
    {
      name: "a path that is no text",
      body: [{ op: "remove", path: 1 }],
      code: 400,
      message:
        "error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.path of type string",
    },
    {
      name: "more than 10,000 operations",
      body: Array.from({ length: 10_001 }, () => ({ op: "test", path: "/data/k", value: "v" })),
      code: 413,
      message: "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001",
    },
    {
      name: "another name",
      body: [{ op: "replace", path: "/metadata/name", value: "b" }],
      code: 400,
      message: "the name of the object (b) does not match the name on the URL (a)",
    },
    {
      name: "no name",
      body: [{ op: "remove", path: "/metadata/name" }],
      code: 400,
      message: "the name of the object (a based on URL) was undeterminable: name must be provided",
    },
    {
      name: "another uid",
      body: [{ op: "replace", path: "/metadata/uid", value: "u" }],
      code: 422,
      message: 'ConfigMap "a" is invalid: metadata.uid: Invalid value: "u": field is immutable',
    },
    {
      name: "an older resourceVersion",
      body: [{ op: "replace", path: "/metadata/resourceVersion", value: "1" }],
      code: 409,
      message:
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
    },
    {
      name: "a list in place of the object",
      body: [{ op: "replace", path: "", value: [] }],
      code: 422,
      message:
        ' "" is invalid: patch: Invalid value: "[]": json: cannot unmarshal array into Go value of type v1.ConfigMap',
    },
  ])("refuses a JSON patch with $name", async ({ body, code, message }) => {
    const { namespace, object } = await stored();
    expect(await failure(patch(namespace, "json", body))).toMatchObject({ code, message });
    expect(await api.call("get", configMaps, { namespace, name: "a" })).toEqual(object);
  });

  test("may copy no more than the limit in all", async () => {
    const { namespace } = await stored();
    await patch(namespace, "merge", { data: { big: "x".repeat(100_000) } });
    const copies = Array.from({ length: 40 }, (_, index) => ({
      op: "copy",
      from: "/data/big",
      path: `/data/c${index}`,
    }));
    expect(await failure(patch(namespace, "json", copies))).toMatchObject({ code: 422, message: hidden });
  });

  test.each([
    {
      name: "a list",
      type: "merge",
      body: [],
      code: 400,
      message: "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
    },
    { name: "null", type: "merge", body: null, code: 400, message: "Invalid JSON Patch" },
    {
      name: "a list",
      type: "strategic",
      body: [],
      code: 400,
      message: "json: cannot unmarshal array into Go value of type map[string]interface {}",
    },
    {
      name: "a value of the wrong type",
      type: "strategic",
      body: { data: { k: 1, l: [true, null, 1.5] } },
      code: 422,
      message:
        ' "" is invalid: patch: Invalid value: "map[data:map[k:1 l:[true <nil> 1.5]]]": cannot convert int64 to string',
    },
  ] as const)("refuses $name as a $type patch", async ({ type, body, code, message }) => {
    const { namespace } = await stored();
    expect(await failure(patch(namespace, type, body))).toMatchObject({ code, message });
  });

  test("says what the patched object was when it is none of its kind", async () => {
    const { namespace } = await stored();
    expect(await failure(patch(namespace, "merge", { data: { k: 1 } }))).toMatchObject({
      code: 422,
      reason: "Invalid",
      message: expect.stringMatching(
        /^ "" is invalid: patch: Invalid value: "\{\\"apiVersion\\":.*\}": json: cannot unmarshal number into Go struct field ConfigMap.data of type string$/,
      ),
      details: { causes: [{ reason: "FieldValueInvalid", field: "patch" }] },
    });
  });

  test.each(["json", "merge", "strategic"] as const)("finds fields that there are not: %s", async (type) => {
    const { namespace } = await stored();
    const body = type === "json" ? [{ op: "add", path: "/zip", value: {} }] : { zip: {} };
    const strict = await failure(patch(namespace, type, body, { fieldValidation: "Strict" }));
    expect(strict).toMatchObject({
      code: 422,
      message: expect.stringMatching(/: strict decoding error: unknown field "zip"$/),
    });
    expect(await patch(namespace, type, body, { fieldValidation: "Ignore" })).not.toHaveProperty("zip");
  });

  test("gives a conflict only to a patch that names a resourceVersion, and others a second try", async () => {
    const { namespace } = await stored();
    const bodies = Array.from({ length: 8 }, (_, index) => ({ data: { [`k${index}`]: "v" } }));
    await Promise.all(bodies.map((body) => patch(namespace, "merge", body)));
    const now = await api.call("get", configMaps, { namespace, name: "a" });
    expect(Object.keys(now["data"] as object)).toHaveLength(9);
  });

  test("never creates", async () => {
    const namespace = await api.namespace();
    for (const type of ["merge", "strategic", "json"] as const) {
      expect((await failure(patch(namespace, type, type === "json" ? [] : {}))).message).toBe(
        'configmaps "a" not found',
      );
    }
  });
});

describeApi("strategic merge patch", controlPlane, (api) => {
  async function stored(): Promise<(body: unknown) => Promise<JsonObject>> {
    const namespace = await api.namespace();
    const ports = [
      { containerPort: 53, protocol: "UDP" },
      { containerPort: 53, protocol: "TCP" },
    ];
    const containers = [
      { name: "a", image: "a:1", args: ["x", "y"], ports },
      { name: "b", image: "b:1" },
    ];
    const template = { metadata: { labels: { app: "d" } }, spec: { containers } };
    const strategy = { type: "RollingUpdate", rollingUpdate: { maxSurge: 2 } };
    await api.create(
      deployments,
      deployment("d", { metadata: { namespace, finalizers: ["x.io/a", "x.io/b"] }, spec: { template, strategy } }),
    );
    return (body) => api.call("patch", deployments, { namespace, name: "d", patchType: "strategic", body });
  }
  const inPod = (spec: object): object => ({ spec: { template: { spec } } });
  const containersOf = (object: JsonObject): JsonObject[] =>
    (object as { spec: { template: { spec: { containers: JsonObject[] } } } }).spec.template.spec.containers;

  test("merges lists by their keys, and replaces those without", async () => {
    const patch = await stored();
    const changed = await patch(
      inPod({
        containers: [
          { name: "b", image: "b:2" },
          { name: "a", args: ["z"] },
          { name: "c", image: "c:1" },
        ],
      }),
    );
    expect(containersOf(changed)).toMatchObject([
      { name: "b", image: "b:2" },
      { name: "a", image: "a:1", args: ["z"], ports: [{}, {}] },
      { name: "c" },
    ]);
  });

  test("knows its directives: delete, replace, order, primitives and keys to keep", async () => {
    const patch = await stored();
    expect(containersOf(await patch(inPod({ containers: [{ name: "b", $patch: "delete" }] })))).toHaveLength(1);
    const order = [{ name: "z" }, { name: "a" }];
    const added = await patch(
      inPod({ containers: [{ name: "z", image: "z:1" }], "$setElementOrder/containers": order }),
    );
    expect(containersOf(added).map(({ name }) => name)).toEqual(["z", "a"]);
    const replaced = await patch(inPod({ containers: [{ name: "n", image: "n:1" }, { $patch: "replace" }] }));
    expect(containersOf(replaced)).toMatchObject([{ name: "n" }]);
    const fewer = await patch({
      metadata: { "$deleteFromPrimitiveList/finalizers": ["x.io/a"], finalizers: ["x.io/c"] },
    });
    expect(metadataOf(fewer)["finalizers"]).toEqual(["x.io/c", "x.io/b"]);
    const retained = await patch({ spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } } });
    expect(retained["spec"]).toMatchObject({ strategy: { type: "Recreate" } });
    expect((retained["spec"] as { strategy: object }).strategy).not.toHaveProperty("rollingUpdate");
    await patch({ metadata: { annotations: { a: "b" } } });
    const emptied = await patch({ metadata: { annotations: { $patch: "delete" } } });
    expect(metadataOf(emptied)).not.toHaveProperty("annotations");
  });

  test.each([
    {
      name: "an unknown directive",
      body: { spec: { $patch: "mix" } },
      code: 500,
      message: "unknown patch type: mix in map: map[$patch:mix]",
    },
    {
      name: "an item without its key",
      body: inPod({ containers: [{ image: "i" }] }),
      code: 500,
      message: "map: map[image:i] does not contain declared merge key: name",
    },
    {
      name: "other keys than it keeps",
      body: { spec: { strategy: { $retainKeys: [], type: "Recreate" } } },
      code: 422,
      message: hidden,
    },
    {
      name: "keys to keep that are no list",
      body: { spec: { strategy: { $retainKeys: "x" } } },
      code: 400,
      message: "invalid patch format of retainKeys",
    },
    {
      name: "primitives that are no list",
      body: { metadata: { "$deleteFromPrimitiveList/finalizers": "x" } },
      code: 400,
      message: "invalid patch format of primitive list",
    },
    {
      name: "another order than it says",
      body: inPod({ containers: [{ name: "z", image: "i" }], "$setElementOrder/containers": [{ name: "a" }] }),
      code: 500,
      message:
        "The order in patch list:\n[map[image:i name:z]]\n doesn't match $setElementOrder list:\n[map[name:a]]\n",
    },
  ])("refuses $name", async ({ body, code, message }) => {
    const patch = await stored();
    expect(await failure(patch(body))).toMatchObject({ code, message });
  });
});
