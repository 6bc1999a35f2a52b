import { expect, test } from "vitest";
import type { JsonObject } from "../../src/api/index.js";
import { configMap, deployment, metadataOf } from "./support/manifests.js";
import { type Api, describeApi, failure, type ResourcePath, useControlPlane } from "./support/subject.js";

const controlPlane = useControlPlane();
const configMaps = "api/v1/configmaps";
const deployments = "apis/apps/v1/deployments";
const leases = "apis/coordination.k8s.io/v1/leases";

const lease = (name: string, metadata: object = {}): JsonObject => ({
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: { name, ...metadata },
});

describeApi("update", controlPlane, (api) => {
  const put = (path: ResourcePath, namespace: string, name: string, body: unknown): Promise<JsonObject> =>
    api.call("update", path, { namespace, name, body });

  async function stored(name: string): Promise<{ readonly namespace: string; readonly object: JsonObject }> {
    const namespace = await api.namespace();
    return { namespace, object: await api.create(configMaps, configMap(name, { metadata: { namespace } })) };
  }

  test("without a resourceVersion is unconditional where the kind allows it, and without a uid means whatever is there", async () => {
    const { namespace, object } = await stored("a");
    const updated = await put(configMaps, namespace, "a", configMap("a", { data: { k: "v" } }));
    expect(metadataOf(updated)).toMatchObject({ uid: metadataOf(object)["uid"], namespace });
    await api.create(leases, lease("l", { namespace }));
    expect(await failure(put(leases, namespace, "l", lease("l")))).toMatchObject({
      code: 422,
      reason: "Invalid",
      message:
        'leases.coordination.k8s.io "l" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update',
      details: { group: "coordination.k8s.io", kind: "leases", name: "l" },
    });
  });

  test("that changes nothing writes nothing", async () => {
    const { namespace, object } = await stored("a");
    const updated = await put(configMaps, namespace, "a", object);
    expect(updated).toEqual(object);
  });

  test.each([
    {
      name: "an older resourceVersion",
      metadata: { resourceVersion: "1" },
      code: 409,
      message:
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
    },
    {
      name: "a resourceVersion that is no number",
      metadata: { resourceVersion: "abc" },
      code: 500,
      message: 'strconv.ParseUint: parsing "abc": invalid syntax',
    },
    {
      name: "another name",
      metadata: { name: "b" },
      code: 400,
      message: "the name of the object (b) does not match the name on the URL (a)",
    },
    {
      name: "no name",
      metadata: { name: undefined },
      code: 400,
      message: "the name of the object (a based on URL) was undeterminable: name must be provided",
    },
    {
      name: "another namespace",
      metadata: { namespace: "elsewhere" },
      code: 400,
      message: "the namespace of the provided object does not match the namespace sent on the request",
    },
    {
      name: "a deletion that nobody requested",
      metadata: { deletionGracePeriodSeconds: 3 },
      code: 422,
      message: 'ConfigMap "a" is invalid: metadata.deletionGracePeriodSeconds: Invalid value: 3: field is immutable',
    },
  ])("is refused with $name", async ({ metadata, code, message }) => {
    const { namespace } = await stored("a");
    expect(await failure(put(configMaps, namespace, "a", configMap("a", { metadata })))).toMatchObject({
      code,
      message,
    });
  });

  test("of another uid fails as a precondition does", async () => {
    const { namespace, object } = await stored("a");
    expect(
      await failure(put(configMaps, namespace, "a", configMap("a", { metadata: { uid: "other" } }))),
    ).toMatchObject({
      code: 409,
      reason: "Conflict",
      message: `Operation cannot be fulfilled on configmaps "a": StorageError: invalid object, Code: 4, Key: /registry/configmaps/${namespace}/a, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: other, UID in object meta: ${metadataOf(object)["uid"]}`,
    });
  });

  test("creates where the kind allows it, whatever resourceVersion it has, but not with a uid", async () => {
    const namespace = await api.namespace();
    expect((await failure(put(configMaps, namespace, "new", configMap("new")))).reason).toBe("NotFound");
    const made = await put(leases, namespace, "new", lease("new", { resourceVersion: "77" }));
    expect(metadataOf(made)).toMatchObject({ namespace, uid: expect.any(String) });
    expect((await failure(put(leases, namespace, "x", lease("x", { uid: "u" })))).message).toContain(
      "Precondition failed: UID in precondition: u, UID in object meta: ",
    );
  });

  test("counts generations of what is desired, and of nothing else", async () => {
    const namespace = await api.namespace();
    const made = await api.create(deployments, deployment("d", { metadata: { namespace, generation: 9 } }));
    const generation = (object: unknown): unknown => metadataOf(object)["generation"];
    expect(generation(made)).toBe(1);
    const labelled = await patch(api, namespace, { metadata: { labels: { a: "b" } } });
    expect(generation(labelled)).toBe(1);
    expect(generation(await patch(api, namespace, { spec: { replicas: 3 }, metadata: { generation: 77 } }))).toBe(2);
    expect(generation(await patch(api, namespace, { spec: { replicas: 9 }, status: { replicas: 3 } }, "status"))).toBe(
      2,
    );
    const now = await api.call("get", deployments, { namespace, name: "d" });
    expect(now).toMatchObject({ spec: { replicas: 3 }, status: { replicas: 3 } });
    expect(await patch(api, namespace, { spec: { paused: true }, status: { replicas: 8 } })).toMatchObject({
      metadata: { generation: 3 },
      status: { replicas: 3 },
    });
  });

  test("of scale changes the replicas, under the rules of any update", async () => {
    const namespace = await api.namespace();
    await api.create(deployments, deployment("d", { metadata: { namespace } }));
    const at = { namespace, name: "d", subresource: "scale" };
    const scale = await api.call("get", deployments, at);
    expect(scale).toMatchObject({ kind: "Scale", apiVersion: "autoscaling/v1", spec: { replicas: 1 } });
    const body = (more: object): object => ({ ...scale, ...more });
    const update = (more: object): Promise<JsonObject> =>
      api.call("update", deployments, { ...at, body: body({ spec: { replicas: 4 }, ...more }) });
    expect((await failure(update({ kind: "Deployment", apiVersion: "apps/v1" }))).message).toBe(
      'Deployment in version "v1" cannot be handled as a Scale: converting (v1.Deployment) to (autoscaling.Scale): unknown conversion',
    );
    expect((await failure(update({ spec: { replicas: "4" } }))).code).toBe(400);
    expect(await failure(update({ spec: { replicas: -1 } }))).toMatchObject({
      code: 422,
      message: 'Scale.autoscaling "d" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    });
    expect((await failure(update({ metadata: { ...metadataOf(scale), name: "e" } }))).code).toBe(400);
    expect((await failure(update({ metadata: { ...metadataOf(scale), uid: "e" } }))).code).toBe(409);
    expect(await update({})).toMatchObject({ kind: "Scale", spec: { replicas: 4 } });
    expect((await failure(update({}))).code).toBe(409);
    await patch(api, namespace, { spec: { replicas: 0 } });
    expect((await api.call("get", deployments, { ...at, subresource: "scale" }))["spec"]).toEqual({});
  });
});

function patch(api: Api, namespace: string, body: object, subresource?: string): Promise<JsonObject> {
  const at = { namespace, name: "d", ...(subresource === undefined ? {} : { subresource }) };
  return api.call("patch", deployments, { ...at, patchType: "merge", body });
}
