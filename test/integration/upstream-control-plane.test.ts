import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type HollowCluster, startHollowCluster } from "./support/hollow-cluster.js";
import { type Answered, metadataAccept, type UpstreamClient, upstreamClient } from "./support/upstream-client.js";

// What the scheduler, the controller manager and the service proxy of 1.36 ask for, in their form and with their own rights.
let hollow: HollowCluster;
let admin: UpstreamClient;
let scheduler: UpstreamClient;
let manager: UpstreamClient;
let proxy: UpstreamClient;
const namespace = "/api/v1/namespaces/default";
const soon = { timeout: 10_000 };

type Body = { apiVersion: string; kind: string; [field: string]: unknown };

beforeAll(async () => {
  hollow = await startHollowCluster([], { controllers: ["serviceaccount"], scheduler: false });
  const { pki, url } = hollow.cluster;
  const access = { url, ca: pki.ca.certificate };
  admin = upstreamClient({ ...access, agent: "kubectl", pair: pki.admin });
  scheduler = upstreamClient({ ...access, agent: "kube-scheduler", pair: pki.scheduler });
  manager = upstreamClient({ ...access, agent: "kube-controller-manager", pair: pki.controllerManager });
  proxy = upstreamClient({ ...access, agent: "kube-proxy", pair: pki.proxy });
});

afterAll(async () => {
  for (const client of [admin, scheduler, manager, proxy]) await client?.[Symbol.asyncDispose]();
  await hollow?.[Symbol.asyncDispose]();
});

/** As leader election does it: look, make, renew; a second one that holds an old version loses. */
async function elects(client: UpstreamClient, name: string): Promise<void> {
  const path = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
  expect((await client.call("GET", `${path}/${name}?timeout=5s`)).code).toBe(404);
  const lease = (renewTime: string, metadata: object = {}): Body => ({
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name, namespace: "kube-system", ...metadata },
    spec: {
      holderIdentity: "host_1",
      leaseDurationSeconds: 15,
      acquireTime: "2026-01-01T00:00:00.000000Z",
      renewTime,
      leaseTransitions: 0,
    },
  });
  const made = await client.call("POST", `${path}?timeout=5s`, { body: lease("2026-01-01T00:00:00.000000Z") });
  expect([made.code, made.type]).toEqual([201, "application/vnd.kubernetes.protobuf"]);
  const { uid, resourceVersion } = made.object.metadata;
  const renewed = { body: lease("2026-01-01T00:00:02.000001Z", { uid, resourceVersion }) };
  const second = await client.call("PUT", `${path}/${name}?timeout=5s`, renewed);
  expect(second).toMatchObject({ code: 200, object: { spec: { renewTime: "2026-01-01T00:00:02.000001Z" } } });
  expect(await client.call("PUT", `${path}/${name}?timeout=5s`, renewed)).toMatchObject({
    code: 409,
    object: {
      reason: "Conflict",
      message: `Operation cannot be fulfilled on leases.coordination.k8s.io "${name}": the object has been modified; please apply your changes to the latest version and try again`,
    },
  });
}

/** Delegated authentication and authorization of a component's own port. */
async function delegates(client: UpstreamClient): Promise<void> {
  const path = "/api/v1/namespaces/kube-system/configmaps";
  const found = await client.call("GET", `${path}/extension-apiserver-authentication`);
  expect(found.object.data["requestheader-username-headers"]).toBe('["X-Remote-User"]');
  expect(found.object.data["client-ca-file"]).toContain("BEGIN CERTIFICATE");
  await using list = await client.watchList(`${path}?fieldSelector=metadata.name%3Dextension-apiserver-authentication`);
  expect(list.initial).toHaveLength(1);
  const review = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", metadata: {}, spec: { token: "none" } };
  expect(await client.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", { body: review })).toMatchObject({
    code: 201,
    object: { kind: "TokenReview", status: { error: expect.any(String) } },
  });
  const spec = {
    user: "prometheus",
    groups: ["system:authenticated"],
    nonResourceAttributes: { path: "/metrics", verb: "get" },
  };
  const access = { apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview", metadata: {}, spec };
  const asked = await client.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", { body: access });
  expect([asked.code, asked.object.status.allowed ?? false]).toEqual([201, false]);
}

const pod = (name: string, spec: object = {}): Body => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, labels: { app: name } },
  spec: { containers: [{ name: "c", image: "i", resources: {} }], ...spec },
  status: {},
});

describe("the scheduler", () => {
  test("becomes the leader", () => elects(scheduler, "kube-scheduler"));
  test("asks who calls it and what he may", () => delegates(scheduler));

  test("lists by watching, all that its plugins look at", async () => {
    for (const path of [
      "/api/v1/pods?fieldSelector=status.phase%21%3DFailed%2Cstatus.phase%21%3DSucceeded",
      ...[
        "nodes",
        "services",
        "persistentvolumeclaims",
        "persistentvolumes",
        "namespaces",
        "replicationcontrollers",
      ].map((name) => `/api/v1/${name}`),
      ...["replicasets", "statefulsets"].map((name) => `/apis/apps/v1/${name}`),
      "/apis/policy/v1/poddisruptionbudgets",
      ...["csinodes", "csidrivers", "csistoragecapacities", "storageclasses", "volumeattachments"].map(
        (name) => `/apis/storage.k8s.io/v1/${name}`,
      ),
      ...["resourceclaims", "resourceslices", "deviceclasses"].map((name) => `/apis/resource.k8s.io/v1/${name}`),
    ]) {
      await using list = await scheduler.watchList(path);
      expect(Number(list.resourceVersion), path).toBeGreaterThan(0);
    }
    await expect(scheduler.watchList("/api/v1/secrets")).rejects.toThrow(
      /User "system:kube-scheduler" cannot watch resource "secrets"/,
    );
  });

  test("binds, tells why not, and writes both down as events", async () => {
    await expect
      .poll(async () => (await admin.call("GET", `${namespace}/serviceaccounts/default`)).code, soon)
      .toBe(200);
    await using unscheduled = await scheduler.watchList(
      "/api/v1/pods?fieldSelector=status.phase%21%3DFailed%2Cstatus.phase%21%3DSucceeded",
    );
    expect((await admin.call("POST", `${namespace}/pods`, { body: pod("bound") })).code).toBe(201);
    const { object: seen } = await unscheduled.next();
    const strategic = {
      status: {
        "$setElementOrder/conditions": [{ type: "PodScheduled" }],
        conditions: [
          {
            type: "PodScheduled",
            status: "False",
            reason: "Unschedulable",
            message: "0/1 nodes are available",
            observedGeneration: 1,
            lastProbeTime: null,
            lastTransitionTime: "2026-01-01T00:00:00Z",
          },
        ],
        nominatedNodeName: "n1",
      },
    };
    const told = await scheduler.call("PATCH", `${namespace}/pods/bound/status`, { strategic });
    expect(told).toMatchObject({ code: 200, object: { status: { nominatedNodeName: "n1" } } });
    expect(await unscheduled.next()).toMatchObject({ type: "MODIFIED" });
    const binding = (uid: string): Body => ({
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name: "bound", namespace: "default", uid },
      target: { kind: "Node", name: "n1" },
    });
    expect((await scheduler.call("POST", `${namespace}/pods/bound/binding`, { body: binding("another") })).code).toBe(
      409,
    );
    expect(
      await scheduler.call("POST", `${namespace}/pods/bound/binding`, { body: binding(seen.metadata.uid) }),
    ).toMatchObject({
      code: 201,
      object: { kind: "Status", status: "Success", code: 201 },
    });
    expect(await unscheduled.next()).toMatchObject({
      type: "MODIFIED",
      object: { spec: { nodeName: "n1" }, status: { conditions: [{ type: "PodScheduled", status: "True" }] } },
    });
    const again = await scheduler.call("POST", `${namespace}/pods/bound/binding`, { body: binding(seen.metadata.uid) });
    expect(again).toMatchObject({
      code: 409,
      object: {
        message: 'Operation cannot be fulfilled on pods/binding "bound": pod bound is already assigned to node "n1"',
      },
    });
    const eventsPath = "/apis/events.k8s.io/v1/namespaces/default/events";
    const event: Body = {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name: "bound.18a", namespace: "default" },
      eventTime: "2026-01-01T00:00:00.000001Z",
      reportingController: "default-scheduler",
      reportingInstance: "default-scheduler-host",
      action: "Binding",
      reason: "Scheduled",
      regarding: { kind: "Pod", namespace: "default", name: "bound", uid: seen.metadata.uid, apiVersion: "v1" },
      note: "Successfully assigned default/bound to n1",
      type: "Normal",
      deprecatedSource: {},
    };
    expect(await scheduler.call("POST", eventsPath, { body: event })).toMatchObject({
      code: 201,
      object: { kind: "Event" },
    });
    const series = { series: { count: 2, lastObservedTime: "2026-01-01T00:05:00.000002Z" } };
    expect(await scheduler.call("PATCH", `${eventsPath}/bound.18a`, { strategic: series })).toMatchObject({
      code: 200,
      object: series,
    });
    const old = await admin.call("GET", `${namespace}/events/bound.18a`);
    expect(old.object).toMatchObject({ involvedObject: { name: "bound" }, message: event["note"], ...series });
  });

  test("preempts", async () => {
    const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions: {} };
    expect((await scheduler.call("DELETE", `${namespace}/pods/bound`, { body })).code).toBe(200);
    expect((await scheduler.call("POST", `${namespace}/pods`, { body: pod("none") })).code).toBe(403);
  });
});

describe("the controller manager", () => {
  const clients: UpstreamClient[] = [];
  afterAll(async () => {
    for (const client of clients) await client[Symbol.asyncDispose]();
  });

  /** A client with the rights of one controller: its account is made when first asked for, and lends a token. */
  async function as(name: string): Promise<UpstreamClient> {
    const accounts = "/api/v1/namespaces/kube-system/serviceaccounts";
    expect((await manager.call("GET", `${accounts}/${name}`)).code).toBe(404);
    const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace: "kube-system" } };
    expect((await manager.call("POST", accounts, { body: account })).code).toBe(201);
    const spec = { audiences: [], expirationSeconds: 3600 };
    const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", metadata: {}, spec };
    const { code, object } = await manager.call("POST", `${accounts}/${name}/token`, { body });
    expect(code).toBe(201);
    const { pki, url } = hollow.cluster;
    const agent = `kube-controller-manager/${name}`;
    const client = upstreamClient({ url, ca: pki.ca.certificate, agent, token: object.status.token });
    clients.push(client);
    return client;
  }

  test("becomes the leader", () => elects(manager, "kube-controller-manager"));
  test("asks who calls it and what he may", () => delegates(manager));

  test("finds out what there is, in two answers", async () => {
    const accept =
      "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
    for (const path of ["/api", "/apis"]) {
      const { code, object } = await manager.call("GET", path, { accept });
      expect([code, object.apiVersion, object.kind]).toEqual([200, "apidiscovery.k8s.io/v2", "APIGroupDiscoveryList"]);
      expect(object.items.length).toBeGreaterThan(0);
    }
    const one = await manager.call("GET", "/apis/apps/v1", { accept: "application/json" });
    expect(one.object).toMatchObject({ kind: "APIResourceList" });
  });

  test("lets each controller work as its service account", async () => {
    const controllers = await as("deployment-controller");
    const deployment: Body = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web", namespace: "default" },
      spec: {
        selector: { matchLabels: { app: "web" } },
        template: { metadata: { labels: { app: "web" } }, spec: pod("web")["spec"] },
        strategy: {},
      },
      status: {},
    };
    const made = await admin.call("POST", "/apis/apps/v1/namespaces/default/deployments", { body: deployment });
    await using sets = await controllers.watchList("/apis/apps/v1/replicasets");
    const owner = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      name: "web",
      uid: made.object.metadata.uid,
      controller: true,
      blockOwnerDeletion: true,
    };
    const metadata = { name: "web-1", namespace: "default", labels: { app: "web" }, ownerReferences: [owner] };
    const replicaSet: Body = {
      ...deployment,
      kind: "ReplicaSet",
      metadata,
      spec: { ...(deployment["spec"] as object), strategy: undefined, replicas: 1 },
    };
    expect(
      (await controllers.call("POST", "/apis/apps/v1/namespaces/default/replicasets", { body: replicaSet })).code,
    ).toBe(201);
    expect(await sets.next()).toMatchObject({ type: "ADDED", object: { metadata: { name: "web-1" } } });
    const status: Body = { ...made.object, status: { observedGeneration: 1, replicas: 1, unavailableReplicas: 1 } };
    expect(
      await controllers.call("PUT", "/apis/apps/v1/namespaces/default/deployments/web/status", { body: status }),
    ).toMatchObject({
      code: 200,
      object: { status: { unavailableReplicas: 1 } },
    });
    expect((await controllers.call("GET", "/api/v1/secrets")).code).toBe(403);
  });

  test("collects garbage by metadata alone", async () => {
    const collector = await as("generic-garbage-collector");
    for (const path of [
      "/api/v1/pods",
      "/apis/apps/v1/deployments",
      "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    ]) {
      const listed = await collector.call("GET", `${path}?limit=500&resourceVersion=0`, {
        accept: metadataAccept("PartialObjectMetadataList"),
      });
      expect(listed).toMatchObject({
        code: 200,
        type: "application/vnd.kubernetes.protobuf",
        object: { kind: "PartialObjectMetadataList", apiVersion: "meta.k8s.io/v1" },
      });
      await using watched = await collector.watchList(path, metadataAccept("PartialObjectMetadata"));
      for (const { object } of watched.initial) {
        expect(object).toMatchObject({ kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1" });
        expect(object.spec).toBeUndefined();
      }
      expect(watched.initial.map(({ object }) => object.metadata.name).sort()).toEqual(
        listed.object.items.map(({ metadata }: Answered) => metadata.name).sort(),
      );
    }
    const { object } = await collector.call("GET", "/apis/apps/v1/namespaces/default/replicasets/web-1", {
      accept: metadataAccept("PartialObjectMetadata"),
    });
    const { uid } = object.metadata;
    const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions: { uid }, propagationPolicy: "Background" };
    const gone = await collector.call("DELETE", "/apis/apps/v1/namespaces/default/replicasets/web-1", { body });
    expect(gone).toMatchObject({
      code: 200,
      object: {
        kind: "Status",
        status: "Success",
        details: { name: "web-1", group: "apps", kind: "replicasets", uid },
      },
    });
  });

  test("empties and finalizes a namespace", async () => {
    const emptier = await as("namespace-controller");
    const made = { apiVersion: "v1", kind: "Namespace", metadata: { name: "going" }, spec: {}, status: {} };
    expect((await admin.call("POST", "/api/v1/namespaces", { body: made })).code).toBe(201);
    const going = await admin.call("DELETE", "/api/v1/namespaces/going");
    expect(going.object).toMatchObject({ status: { phase: "Terminating" }, spec: { finalizers: ["kubernetes"] } });
    const refused = await admin.call("POST", "/api/v1/namespaces/going/configmaps", {
      body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x" } },
    });
    expect(refused).toMatchObject({
      code: 403,
      object: {
        message:
          'configmaps "x" is forbidden: unable to create new content in namespace going because it is being terminated',
        details: {
          causes: [
            {
              reason: "NamespaceTerminating",
              message: "namespace going is being terminated",
              field: "metadata.namespace",
            },
          ],
        },
      },
    });
    expect((await emptier.call("DELETE", "/api/v1/namespaces/going/configmaps")).code).toBe(200);
    const finalized = { body: { ...going.object, spec: {} } };
    expect((await emptier.call("PUT", "/api/v1/namespaces/going/finalize", finalized)).code).toBe(200);
    await expect.poll(async () => (await admin.call("GET", "/api/v1/namespaces/going")).code, soon).toBe(404);
  });

  test("reads and writes scales of any kind", async () => {
    const path = "/apis/apps/v1/namespaces/default/deployments/web/scale";
    const found = await admin.call("GET", path);
    expect(found).toMatchObject({
      code: 200,
      type: "application/vnd.kubernetes.protobuf",
      object: { kind: "Scale", apiVersion: "autoscaling/v1", spec: { replicas: 1 }, status: { selector: "app=web" } },
    });
    const scaled = await admin.call("PUT", path, { body: { ...found.object, spec: { replicas: 3 } } });
    expect(scaled).toMatchObject({ code: 200, object: { spec: { replicas: 3 } } });
  });

  test("evicts", async () => {
    expect((await admin.call("POST", `${namespace}/pods`, { body: pod("evicted") })).code).toBe(201);
    const body = {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name: "evicted", namespace: "default" },
      deleteOptions: {},
    };
    expect(await admin.call("POST", `${namespace}/pods/evicted/eviction`, { body })).toMatchObject({
      code: 201,
      object: { status: "Success" },
    });
  });
});

describe("the service proxy", () => {
  test("watches what it serves, and nothing that others serve", async () => {
    const selector =
      "labelSelector=%21service.kubernetes.io%2Fheadless%2C%21service.kubernetes.io%2Fservice-proxy-name";
    await using services = await proxy.watchList(`/api/v1/services?${selector}`);
    await using slices = await proxy.watchList(`/apis/discovery.k8s.io/v1/endpointslices?${selector}`);
    await using cidrs = await proxy.watchList("/apis/networking.k8s.io/v1/servicecidrs");
    expect(services.initial.map(({ object }) => object.metadata.name)).toContain("kubernetes");
    expect(slices.initial.length).toBeGreaterThanOrEqual(0);
    expect(cidrs.initial.map(({ object }) => object.metadata.name)).toEqual(["kubernetes"]);
    const service = (name: string, labels: object): Body => ({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, labels },
      spec: { ports: [{ port: 80, targetPort: 8080 }], selector: { app: "web" } },
      status: { loadBalancer: {} },
    });
    await admin.call("POST", `${namespace}/services`, {
      body: service("other", { "service.kubernetes.io/service-proxy-name": "x" }),
    });
    await admin.call("POST", `${namespace}/services`, { body: service("mine", {}) });
    expect(await services.next()).toMatchObject({
      type: "ADDED",
      object: { metadata: { name: "mine" }, spec: { clusterIP: expect.stringMatching(/^10\./) } },
    });
    // One that ceases to match is gone for who watches by the selector.
    const strategic = { metadata: { labels: { "service.kubernetes.io/service-proxy-name": "x" } } };
    await admin.call("PATCH", `${namespace}/services/mine`, { strategic });
    expect(await services.next()).toMatchObject({ type: "DELETED", object: { metadata: { name: "mine" } } });
    await expect(proxy.watchList("/api/v1/pods")).rejects.toThrow(
      /User "system:kube-proxy" cannot watch resource "pods"/,
    );
  });
});
