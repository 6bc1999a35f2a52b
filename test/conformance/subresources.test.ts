import { expect, test } from "vitest";
import type { JsonObject } from "../../src/api/index.js";
import { everyKind, placed, type SampleKind } from "./support/every-kind.js";
import { metadataOf } from "./support/manifests.js";
import { type Api, describeApi, failure, useControlPlane } from "./support/subject.js";

const controlPlane = useControlPlane();
const pods = "api/v1/pods";
const budgets = "apis/policy/v1/poddisruptionbudgets";
const success = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };

interface At {
  readonly namespace: string;
  readonly name: string;
}

/** A pod, running on a node where that is said. */
async function pod(api: Api, { node, spec }: { node?: string; spec?: object } = {}): Promise<At> {
  const namespace = await api.namespace();
  await api.create("api/v1/serviceaccounts", { metadata: { name: "default", namespace } });
  const at = { namespace, name: "p" };
  const resources = { requests: { cpu: "1", memory: "1Gi" }, limits: { cpu: "2", memory: "1Gi" } };
  const containers = [{ name: "c", image: "i:1", resources }];
  const body = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", labels: { app: "p" } },
    spec: { containers, ...spec },
  };
  await api.call("create", pods, { namespace, body });
  if (node === undefined) return at;
  await api.call("create", pods, { ...at, subresource: "binding", body: binding(at, node) });
  const status = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
  await api.call("patch", pods, { ...at, subresource: "status", patchType: "merge", body: { status } });
  return at;
}

const binding = ({ name }: { name: string }, node: string): object => ({
  apiVersion: "v1",
  kind: "Binding",
  metadata: { name },
  target: { apiVersion: "v1", kind: "Node", name: node },
});

describeApi("binding", controlPlane, (api) => {
  const bind = (at: At, body: object): Promise<JsonObject> =>
    api.call("create", pods, { ...at, subresource: "binding", body });

  test("puts a pod on a node, once, and says so in a condition", async () => {
    const at = await pod(api);
    expect(await bind(at, binding(at, "n1"))).toEqual(success);
    expect(await api.call("get", pods, at)).toMatchObject({
      spec: { nodeName: "n1" },
      status: { conditions: [{ type: "PodScheduled", status: "True", lastTransitionTime: expect.any(String) }] },
    });
    expect(await failure(bind(at, binding(at, "n2")))).toMatchObject({
      code: 409,
      reason: "Conflict",
      message: 'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"',
    });
  });

  test("fulfils an expectation, or ends it", async () => {
    const at = await pod(api);
    const body = { status: { nominatedNodeName: "n2" } };
    await api.call("patch", pods, { ...at, subresource: "status", patchType: "merge", body });
    await bind(at, binding(at, "n1"));
    expect((await api.call("get", pods, at))["status"]).not.toHaveProperty("nominatedNodeName");
  });

  test("takes labels and annotations along, and keeps to a uid", async () => {
    const at = await pod(api);
    const wanted = binding(at, "n1") as { metadata: object };
    const other = { ...wanted, metadata: { ...wanted.metadata, uid: "other" } };
    expect((await failure(bind(at, other))).code).toBe(409);
    const metadata = { ...wanted.metadata, labels: { zone: "a" }, annotations: { by: "x" } };
    await bind(at, { ...wanted, metadata });
    expect(metadataOf(await api.call("get", pods, at))).toMatchObject({
      labels: { app: "p", zone: "a" },
      annotations: { by: "x" },
    });
  });

  test("waits for what holds a pod back, and is of no use for one that goes", async () => {
    const held = await pod(api, { spec: { schedulingGates: [{ name: "x.io/wait" }] } });
    expect((await failure(bind(held, binding(held, "n1")))).message).toBe(
      'Operation cannot be fulfilled on pods/binding "p": pod p has non-empty .spec.schedulingGates',
    );
    const going = await pod(api);
    const finalizers = { metadata: { finalizers: ["x.io/hold"] } };
    await api.call("patch", pods, { ...going, patchType: "merge", body: finalizers });
    await api.call("delete", pods, going);
    expect((await failure(bind(going, binding(going, "n1")))).message).toBe(
      'Operation cannot be fulfilled on pods/binding "p": pod p is being deleted, cannot be assigned to a host',
    );
  });

  test("is refused for another pod, and by a dry run not done", async () => {
    const at = await pod(api);
    expect(await failure(bind(at, binding({ name: "q" }, "n1")))).toMatchObject({
      code: 400,
      message: "name in URL does not match name in Binding object",
    });
    expect(await failure(bind(at, { ...binding(at, ""), target: { kind: "Pod" } }))).toEqual({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      code: 500,
      message:
        '[target.kind: Unsupported value: "Pod": supported values: "Node", "<empty>", target.name: Required value]',
    });
    const options = { dryRun: ["All"] as const };
    await api.call("create", pods, { ...at, subresource: "binding", body: binding(at, "n1"), options });
    expect((await api.call("get", pods, at))["spec"]).not.toHaveProperty("nodeName");
    await api.call("create", "api/v1/bindings", { namespace: at.namespace, body: binding(at, "n1") });
    expect(await api.call("get", pods, at)).toMatchObject({ spec: { nodeName: "n1" } });
  });
});

describeApi("eviction", controlPlane, (api) => {
  const evict = (at: At, more: object = {}, options = {}): Promise<JsonObject> => {
    const body = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: at.name }, ...more };
    return api.call("create", pods, { ...at, subresource: "eviction", body, options });
  };
  const budget = async (namespace: string, status: object): Promise<void> => {
    const selector = { matchLabels: { app: "p" } };
    const body = {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: "b" },
      spec: { selector, minAvailable: 1 },
    };
    await api.call("create", budgets, { namespace, body });
    const change = { status };
    await api.call("patch", budgets, { namespace, name: "b", subresource: "status", patchType: "merge", body: change });
  };

  test("without a budget deletes the pod with its grace", async () => {
    const at = await pod(api, { node: "n1" });
    expect(await evict(at)).toEqual(success);
    expect(metadataOf(await api.call("get", pods, at))).toMatchObject({ deletionGracePeriodSeconds: 30 });
    const quick = await pod(api, { node: "n1" });
    await evict(quick, { deleteOptions: { gracePeriodSeconds: 0 } });
    expect((await failure(api.call("get", pods, quick))).code).toBe(404);
  });

  test("says on the pod that it is disrupted, unless it only tries", async () => {
    const at = await pod(api, { node: "n1" });
    await evict(at, { deleteOptions: { dryRun: ["All"] } });
    const disrupted = async (): Promise<unknown> => {
      const { status } = (await api.call("get", pods, at)) as { status: { conditions?: { type: string }[] } };
      return status.conditions?.find(({ type }) => type === "DisruptionTarget");
    };
    expect(await disrupted()).toBeUndefined();
    const { metadata } = (await api.call("get", pods, at)) as { metadata: { resourceVersion: string } };
    const preconditions = { resourceVersion: metadata.resourceVersion };
    await evict(at, { deleteOptions: { preconditions } });
    expect(await disrupted()).toEqual({
      type: "DisruptionTarget",
      observedGeneration: 1,
      status: "True",
      lastTransitionTime: expect.any(String),
      reason: "EvictionByEvictionAPI",
      message: "Eviction API: evicting",
    });
    expect(await failure(evict(at, { deleteOptions: { preconditions } }))).toMatchObject({ code: 409 });
  });

  const closed = {
    observedGeneration: 1,
    disruptionsAllowed: 0,
    currentHealthy: 2,
    desiredHealthy: 1,
    expectedPods: 2,
  };
  const denied = { type: "DisruptionAllowed", status: "False", lastTransitionTime: "2026-01-01T00:00:00Z" };

  test("spends a disruption of the budget, and waits when there is none", async () => {
    const at = await pod(api, { node: "n1" });
    const status = {
      observedGeneration: 1,
      disruptionsAllowed: 1,
      currentHealthy: 2,
      desiredHealthy: 1,
      expectedPods: 2,
    };
    await budget(at.namespace, status);
    expect(await evict(at, {}, { dryRun: ["All"] })).toEqual(success);
    const where = { namespace: at.namespace, name: "b" };
    expect(await api.call("get", budgets, where)).toMatchObject({ status });
    await evict(at);
    expect((await api.call("get", budgets, where))["status"]).toMatchObject({
      disruptionsAllowed: 0,
      disruptedPods: { p: expect.any(String) },
    });
  });

  test.each([
    {
      name: "allows none",
      status: { observedGeneration: 1, disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
      cause: "The disruption budget b needs 1 healthy pods and has 1 currently",
    },
    {
      name: "was not looked at yet",
      status: { observedGeneration: 0, disruptionsAllowed: 1, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
      cause: "The disruption budget b is still being processed by the server.",
    },
    {
      name: "could not be counted",
      status: { ...closed, conditions: [{ ...denied, reason: "SyncFailed", message: "no scale" }] },
      cause: "The disruption budget b does not allow evicting pods currently because it failed sync: no scale",
    },
    {
      name: "is closed by somebody",
      status: { ...closed, conditions: [{ ...denied, reason: "Frozen", message: "not today" }] },
      cause: "The disruption budget b does not allow evicting pods currently (Frozen): not today",
    },
    {
      name: "is closed for no reason",
      status: closed,
      cause: "The disruption budget b does not allow evicting pods currently",
    },
  ])("is to be tried again where the budget $name", async ({ status, cause }) => {
    const at = await pod(api, { node: "n1" });
    await budget(at.namespace, status);
    expect(await failure(evict(at))).toMatchObject({
      code: 429,
      reason: "TooManyRequests",
      message: "Cannot evict pod as it would violate the pod's disruption budget.",
      details: { causes: [{ reason: "DisruptionBudget", message: cause }] },
    });
    expect(metadataOf(await api.call("get", pods, at))).not.toHaveProperty("deletionTimestamp");
  });

  test("is refused for another pod, by its name or its uid", async () => {
    const at = await pod(api);
    expect(await failure(evict(at, { metadata: { name: "q" } }))).toMatchObject({
      code: 400,
      message: "name in URL does not match name in Eviction object",
    });
    const deleteOptions = { preconditions: { uid: "other" } };
    expect((await failure(evict(at, { deleteOptions }))).code).toBe(409);
  });
});

describeApi("parts of a pod", controlPlane, (api) => {
  const change = (at: At, subresource: string, body: object): Promise<JsonObject> =>
    api.call("patch", pods, { ...at, subresource, patchType: "strategic", body });

  test("ephemeral containers are added through their subresource only, and stay", async () => {
    const at = await pod(api, { node: "n1" });
    const ephemeralContainers = [{ name: "debug", image: "d:1", targetContainerName: "c" }];
    const added = await change(at, "ephemeralcontainers", { spec: { ephemeralContainers, hostNetwork: true } });
    expect(added["spec"]).toMatchObject({ ephemeralContainers: [{ name: "debug", imagePullPolicy: "IfNotPresent" }] });
    expect(added["spec"]).not.toHaveProperty("hostNetwork");
    const gone = { spec: { ephemeralContainers: [{ $patch: "delete", name: "debug" }] } };
    expect((await failure(change(at, "ephemeralcontainers", gone))).code).toBe(422);
    const other = { spec: { ephemeralContainers: [{ name: "debug", image: "d:2" }] } };
    expect((await failure(change(at, "ephemeralcontainers", other))).code).toBe(422);
    const direct = { spec: { ephemeralContainers: [{ name: "more", image: "d:1" }] } };
    expect((await failure(api.call("patch", pods, { ...at, patchType: "strategic", body: direct }))).code).toBe(422);
  });

  test("resources change through their subresource only", async () => {
    const at = await pod(api);
    const more = { spec: { containers: [{ name: "c", resources: { requests: { cpu: "1500m" } } }] } };
    expect((await failure(api.call("patch", pods, { ...at, patchType: "strategic", body: more }))).code).toBe(422);
    expect(await change(at, "resize", more)).toMatchObject({
      spec: { containers: [{ resources: { requests: { cpu: "1500m", memory: "1Gi" } } }] },
      metadata: { generation: 2 },
    });
    const image = { spec: { containers: [{ name: "c", image: "i:2" }] } };
    expect(await change(at, "resize", image)).toMatchObject({ spec: { containers: [{ image: "i:1" }] } });
    const guaranteed = { spec: { containers: [{ name: "c", resources: { requests: { cpu: "2" } } }] } };
    expect((await failure(change(at, "resize", guaranteed))).message).toContain(
      "Pod QOS Class may not change as a result of resizing",
    );
  });

  test("there is no other", async () => {
    const at = await pod(api);
    expect((await failure(api.call("get", pods, { ...at, subresource: "nonsense" }))).code).toBe(404);
    expect((await failure(api.call("get", pods, { ...at, subresource: "eviction" }))).code).toBe(405);
    expect((await failure(api.call("delete", pods, { ...at, subresource: "status" }))).code).toBe(405);
  });
});

describeApi("finalize", controlPlane, (api) => {
  test("lets a namespace go that is to go", async () => {
    const name = await api.namespace();
    const namespaces = "api/v1/namespaces";
    const now = await api.call("delete", namespaces, { name });
    expect(now).toMatchObject({ spec: { finalizers: ["kubernetes"] }, status: { phase: "Terminating" } });
    const refused = await failure(api.create("api/v1/configmaps", { metadata: { name: "late", namespace: name } }));
    expect(refused).toMatchObject({
      code: 403,
      reason: "Forbidden",
      message: `configmaps "late" is forbidden: unable to create new content in namespace ${name} because it is being terminated`,
      details: { causes: [{ reason: "NamespaceTerminating", field: "metadata.namespace" }] },
    });
    const body = { ...now, spec: {} };
    await api.call("update", namespaces, { name, body });
    expect((await api.call("get", namespaces, { name }))["spec"]).toEqual({ finalizers: ["kubernetes"] });
    const newest = await api.call("get", namespaces, { name });
    await api.call("update", namespaces, { name, subresource: "finalize", body: { ...newest, spec: {} } });
    expect((await failure(api.call("get", namespaces, { name }))).code).toBe(404);
  });
});

let last = 80_000;

describeApi("approval", controlPlane, (api) => {
  const requests = "apis/certificates.k8s.io/v1/certificatesigningrequests";
  const sample = everyKind.find(({ path }) => path === requests) as SampleKind;
  test("adds conditions, and never takes one away", async () => {
    const made = await api.call("create", requests, { body: placed(sample, ++last, "") });
    const name = String(metadataOf(made)["name"]);
    const condition = (type: string): object => ({ type, status: "True", reason: "R", message: "m" });
    const approve = (...types: string[]): Promise<JsonObject> =>
      api.call("update", requests, {
        name,
        subresource: "approval",
        body: { ...made, metadata: { name }, status: { conditions: types.map(condition) } },
      });
    expect(await approve("Approved")).toMatchObject({
      status: { conditions: [{ type: "Approved", lastUpdateTime: expect.any(String) }] },
    });
    expect((await failure(approve("Approved", "Denied"))).message).toContain(
      "Approved and Denied conditions are mutually exclusive",
    );
    expect((await failure(approve())).message).toContain('updates may not remove a condition of type "Approved"');
    const direct = { status: { conditions: [condition("Failed")] } };
    const after = await api.call("patch", requests, { name, patchType: "merge", body: direct });
    expect(after["status"]).toMatchObject({ conditions: [{ type: "Approved" }] });
  });
});

describeApi("reviews and tokens", controlPlane, (api) => {
  test("a token of a ServiceAccount is known, and by its audience only", async () => {
    const namespace = await api.namespace();
    await api.create("api/v1/serviceaccounts", { metadata: { name: "robot", namespace } });
    const ask = (spec: object): Promise<JsonObject> =>
      api.call("create", "api/v1/serviceaccounts", {
        namespace,
        name: "robot",
        subresource: "token",
        body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec },
      });
    const given = await ask({ audiences: ["here"], expirationSeconds: 600 });
    expect(given).toMatchObject({ kind: "TokenRequest", spec: { audiences: ["here"], expirationSeconds: 600 } });
    const { token } = given["status"] as { token: string };
    const review = async (audiences: string[]): Promise<unknown> => {
      const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token, audiences } };
      return (await api.call("create", "apis/authentication.k8s.io/v1/tokenreviews", { body }))["status"];
    };
    const username = `system:serviceaccount:${namespace}:robot`;
    expect(await review(["here"])).toMatchObject({ authenticated: true, user: { username }, audiences: ["here"] });
    expect(await review(["there"])).not.toMatchObject({ authenticated: true });
    expect((await failure(ask({ expirationSeconds: 10 }))).message).toContain(
      "spec.expirationSeconds: Invalid value: 10: may not specify a duration less than 10 minutes",
    );
  });

  test("say what somebody may do, and who asks", async () => {
    const group = "apis/authorization.k8s.io/v1";
    const spec = { resourceAttributes: { verb: "delete", resource: "nodes" } };
    const self = await api.call("create", `${group}/selfsubjectaccessreviews`, {
      body: { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec },
    });
    expect(self["status"]).toMatchObject({ allowed: true });
    const other = await api.call("create", `${group}/subjectaccessreviews`, {
      body: { apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview", spec: { ...spec, user: "nobody" } },
    });
    expect(other["status"]).toMatchObject({ allowed: false });
    const who = await api.call("create", "apis/authentication.k8s.io/v1/selfsubjectreviews", {
      body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
    });
    expect(who["status"]).toMatchObject({ userInfo: { username: "kubernetes-admin" } });
  });
});
