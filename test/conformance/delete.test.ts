import { expect, test } from "vitest";
import type { DeleteOptions, JsonObject } from "../../src/api/index.js";
import { configMap, metadataOf } from "./support/manifests.js";
import { type Call, describeApi, failure, type ResourcePath, useControlPlane } from "./support/subject.js";

const controlPlane = useControlPlane();
const configMaps = "api/v1/configmaps";
const pods = "api/v1/pods";
const jobs = "apis/batch/v1/jobs";
const hold = { finalizers: ["example.com/hold"] };

describeApi("delete", controlPlane, (api) => {
  const remove = (path: ResourcePath, at: Call, options?: DeleteOptions | object): Promise<JsonObject> =>
    api.call("delete", path, { ...at, ...(options === undefined ? {} : { body: options }) });

  async function stored(metadata: object = {}): Promise<{ readonly at: Call; readonly object: JsonObject }> {
    const namespace = await api.namespace();
    const object = await api.create(configMaps, configMap("a", { metadata: { namespace, ...metadata } }));
    return { at: { namespace, name: "a" }, object };
  }

  test("of what nothing holds answers with a Status of the object's uid", async () => {
    const { at, object } = await stored();
    expect(await remove(configMaps, at)).toEqual({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Success",
      details: { name: "a", kind: "configmaps", uid: metadataOf(object)["uid"] },
    });
    expect((await failure(api.call("get", configMaps, at))).code).toBe(404);
    expect((await failure(remove(configMaps, at))).message).toBe('configmaps "a" not found');
  });

  test("of what has finalizers marks it, once, until they are gone", async () => {
    const { at } = await stored(hold);
    const marked = await remove(configMaps, at);
    expect(metadataOf(marked)).toMatchObject({
      ...hold,
      deletionGracePeriodSeconds: 0,
      deletionTimestamp: expect.any(String),
    });
    expect(await remove(configMaps, at)).toEqual(marked);
    const added = { metadata: { finalizers: ["example.com/hold", "example.com/more"] } };
    expect((await failure(api.call("patch", configMaps, { ...at, patchType: "merge", body: added }))).message).toBe(
      'ConfigMap "a" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"example.com/more"}',
    );
    const freed = { metadata: { finalizers: null } };
    const last = await api.call("patch", configMaps, { ...at, patchType: "merge", body: freed });
    expect(metadataOf(last)).not.toHaveProperty("finalizers");
    expect((await failure(api.call("get", configMaps, at))).code).toBe(404);
  });

  test.each([
    { name: "Orphan", options: { propagationPolicy: "Orphan" }, finalizers: ["orphan"] },
    { name: "Foreground", options: { propagationPolicy: "Foreground" }, finalizers: ["foregroundDeletion"] },
    { name: "orphanDependents", options: { orphanDependents: true }, finalizers: ["orphan"] },
  ])("leaves it to the garbage collector what becomes of dependents: $name", async ({ options, finalizers }) => {
    const { at } = await stored();
    expect(metadataOf(await remove(configMaps, at, options))).toMatchObject({ finalizers });
    // A later wish takes the place of an earlier one.
    await remove(configMaps, at, { propagationPolicy: "Background" });
    expect((await failure(api.call("get", configMaps, at))).code).toBe(404);
  });

  test("orphans by default where the kind is as old as that", async () => {
    const namespace = await api.namespace();
    const template = { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] } };
    const job = { apiVersion: "batch/v1", kind: "Job", metadata: { name: "a", namespace }, spec: { template } };
    await api.create(jobs, job);
    expect(metadataOf(await remove(jobs, { namespace, name: "a" }))["finalizers"]).toEqual(["orphan"]);
  });

  test("gives an event no finalizer, whatever is asked: nothing can depend on it", async () => {
    const namespace = await api.namespace();
    const involvedObject = { namespace, kind: "Pod", name: "p" };
    const event = { apiVersion: "v1", kind: "Event", metadata: { name: "e", namespace }, involvedObject };
    await api.create("api/v1/events", event);
    expect(await remove("api/v1/events", { namespace, name: "e" }, { propagationPolicy: "Foreground" })).toMatchObject({
      kind: "Status",
    });
  });

  test.each([
    {
      name: "two policies",
      options: { propagationPolicy: "Orphan", orphanDependents: true },
      message:
        'propagationPolicy: Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both set',
    },
    {
      name: "a policy that there is not",
      options: { propagationPolicy: "Adopt" },
      message:
        'propagationPolicy: Unsupported value: "Adopt": supported values: "Foreground", "Background", "Orphan", "nil"',
    },
    {
      name: "a dryRun that there is not",
      options: { dryRun: ["Some"] },
      message: 'dryRun: Unsupported value: ["Some"]: supported values: "All"',
    },
  ])("refuses $name", async ({ options, message }) => {
    const { at } = await stored();
    expect(await failure(remove(configMaps, at, options))).toMatchObject({
      code: 422,
      reason: "Invalid",
      message: `DeleteOptions.meta.k8s.io "" is invalid: ${message}`,
    });
    await api.call("get", configMaps, at);
  });

  test("refuses options of the wrong type, and a body that is none", async () => {
    const { at } = await stored();
    expect((await failure(remove(configMaps, at, { gracePeriodSeconds: 1.5 }))).code).toBe(400);
    expect((await failure(remove(configMaps, at, [1]))).code).toBe(400);
    expect((await failure(remove(configMaps, at, { kind: "ConfigMap", apiVersion: "v1" }))).code).toBe(400);
    await api.call("get", configMaps, at);
  });

  test("keeps to preconditions", async () => {
    const { at, object } = await stored();
    const { uid, resourceVersion } = metadataOf(object) as { uid: string; resourceVersion: string };
    expect(await failure(remove(configMaps, at, { preconditions: { uid: "other" } }))).toMatchObject({
      code: 409,
      reason: "Conflict",
      message: `Operation cannot be fulfilled on ConfigMap "a": the UID in the precondition (other) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
      details: { kind: "ConfigMap", name: "a" },
    });
    expect((await failure(remove(configMaps, at, { preconditions: { resourceVersion: "1" } }))).message).toBe(
      `Operation cannot be fulfilled on ConfigMap "a": the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`,
    );
    await remove(configMaps, at, { preconditions: { uid, resourceVersion } });
  });

  test("as a dry run shows what would be, and leaves it", async () => {
    const { at, object } = await stored(hold);
    const shown = await remove(configMaps, at, { dryRun: ["All"] });
    expect(metadataOf(shown)).toHaveProperty("deletionTimestamp");
    expect(await api.call("get", configMaps, at)).toEqual(object);
  });

  async function pod(nodeName: string | undefined, more: object = {}): Promise<Call> {
    const namespace = await api.namespace();
    const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace } };
    await api.create("api/v1/serviceaccounts", account);
    const spec = { containers: [{ name: "c", image: "i" }], ...(nodeName === undefined ? {} : { nodeName }) };
    await api.create(pods, { apiVersion: "v1", kind: "Pod", metadata: { name: "p", namespace, ...more }, spec });
    return { namespace, name: "p" };
  }

  test("gives a pod on a node its grace, which a later delete can only shorten", async () => {
    const at = await pod("n1");
    const first = metadataOf(await remove(pods, at));
    expect(first).toMatchObject({ deletionGracePeriodSeconds: 30, generation: 2 });
    expect(metadataOf(await remove(pods, at, { gracePeriodSeconds: 40 }))).toEqual(first);
    // While grace runs, nobody can change what becomes of dependents.
    expect(metadataOf(await remove(pods, at, { propagationPolicy: "Foreground" }))).toEqual(first);
    const second = metadataOf(await remove(pods, at, { gracePeriodSeconds: 5 }));
    expect(second).toMatchObject({ deletionGracePeriodSeconds: 5, generation: 2 });
    const due = (metadata: JsonObject): number => Date.parse(String(metadata["deletionTimestamp"]));
    expect(due(first) - due(second)).toBe(25_000);
    expect(metadataOf(await remove(pods, at, { gracePeriodSeconds: -3 }))["deletionGracePeriodSeconds"]).toBe(1);
    expect(await remove(pods, at, { gracePeriodSeconds: 0 })).toMatchObject({ kind: "Pod" });
    expect((await failure(api.call("get", pods, at))).code).toBe(404);
  });

  test.each([
    { name: "is on no node", nodeName: undefined, phase: "Pending", options: {} },
    { name: "has ended", nodeName: "n1", phase: "Failed", options: {} },
    { name: "is not to have any grace", nodeName: "n1", phase: "Running", options: { gracePeriodSeconds: 0 } },
  ])("takes a pod away at once that $name", async ({ nodeName, phase, options }) => {
    const at = await pod(nodeName);
    const body = { status: { phase } };
    await api.call("patch", pods, { ...at, subresource: "status", patchType: "merge", body });
    expect(await remove(pods, at, options)).toMatchObject({ kind: "Pod" });
    expect((await failure(api.call("get", pods, at))).code).toBe(404);
  });

  test("keeps a pod that has finalizers when its grace is over", async () => {
    const at = await pod(undefined, hold);
    expect(metadataOf(await remove(pods, at))).toMatchObject({ deletionGracePeriodSeconds: 0, ...hold });
  });
});

describeApi("deletecollection", controlPlane, (api) => {
  async function three(): Promise<string> {
    const namespace = await api.namespace();
    for (const name of ["a", "b", "c"]) {
      const labels = { which: name, odd: String(name !== "b") };
      await api.create(configMaps, configMap(name, { metadata: { namespace, labels } }));
    }
    return namespace;
  }
  const names = async (namespace: string): Promise<unknown[]> => {
    const list = await api.call("list", configMaps, { namespace });
    return (list["items"] as JsonObject[]).map((item) => metadataOf(item)["name"]);
  };

  test("takes away what is selected, and answers with the list of it", async () => {
    const namespace = await three();
    const list = await api.call("deletecollection", configMaps, { namespace, options: { labelSelector: "odd=true" } });
    expect(list).toMatchObject({ kind: "ConfigMapList", items: [{}, {}] });
    expect(await names(namespace)).toEqual(["b"]);
  });

  test("goes by fields and by limit", async () => {
    const namespace = await three();
    await api.call("deletecollection", configMaps, { namespace, options: { fieldSelector: "metadata.name=b" } });
    expect(await names(namespace)).toEqual(["a", "c"]);
    await api.call("deletecollection", configMaps, { namespace, options: { limit: 1 } });
    expect(await names(namespace)).toEqual(["c"]);
  });

  test("keeps to the options of a delete", async () => {
    const namespace = await three();
    const attempt = (body: object): Promise<JsonObject> =>
      api.call("deletecollection", configMaps, { namespace, body });
    expect((await failure(attempt({ preconditions: { uid: "other" } }))).code).toBe(409);
    expect((await failure(attempt({ dryRun: ["x"] }))).code).toBe(422);
    await attempt({ dryRun: ["All"] });
    expect(await names(namespace)).toEqual(["a", "b", "c"]);
    await attempt({ propagationPolicy: "Orphan" });
    const list = await api.call("list", configMaps, { namespace });
    for (const item of list["items"] as JsonObject[]) expect(metadataOf(item)["finalizers"]).toEqual(["orphan"]);
  });
});
