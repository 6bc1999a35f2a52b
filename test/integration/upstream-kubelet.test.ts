import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type HollowCluster, startHollowCluster } from "./support/hollow-cluster.js";
import { type Answered, type UpstreamClient, upstreamClient } from "./support/upstream-client.js";

// What a kubelet of 1.36 asks for, in its order and in its form, with a node's rights and no others.
let hollow: HollowCluster;
let kubelet: UpstreamClient;
let stranger: UpstreamClient;
let admin: UpstreamClient;
let node: Answered;
const namespace = "/api/v1/namespaces/default";
const template = {
  serviceAccountName: "default",
  nodeName: "n1",
  containers: [{ name: "c", image: "i", resources: {}, envFrom: [{ secretRef: { name: "used", optional: true } }] }],
  volumes: [{ name: "v", configMap: { name: "used", defaultMode: 420 } }],
};

beforeAll(async () => {
  hollow = await startHollowCluster([], { controllers: ["serviceaccount"], scheduler: false });
  const { pki, url } = hollow.cluster;
  const access = { url, ca: pki.ca.certificate, agent: "kubelet" };
  kubelet = upstreamClient({ ...access, pair: await pki.node("n1") });
  stranger = upstreamClient({ ...access, pair: await pki.node("n2") });
  admin = upstreamClient({ ...access, pair: pki.admin, agent: "kubectl" });
  await expectSoon(() => admin.call("GET", `${namespace}/serviceaccounts/default`), 200);
});

afterAll(async () => {
  for (const client of [kubelet, stranger, admin]) await client?.[Symbol.asyncDispose]();
  await hollow?.[Symbol.asyncDispose]();
});

async function expectSoon(call: () => Promise<{ readonly code: number }>, code: number): Promise<void> {
  const deadline = Date.now() + 10_000;
  let answer = await call();
  while (answer.code !== code && Date.now() < deadline) answer = await call();
  if (answer.code !== code) throw new Error(`still ${answer.code}`);
}

const nodeObject = (
  name: string,
  labels: object = {},
): { apiVersion: string; kind: string; [field: string]: unknown } => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: {
    name,
    labels: {
      "beta.kubernetes.io/arch": "amd64",
      "beta.kubernetes.io/os": "linux",
      "kubernetes.io/arch": "amd64",
      "kubernetes.io/hostname": name,
      "kubernetes.io/os": "linux",
      ...labels,
    },
    annotations: { "volumes.kubernetes.io/controller-managed-attach-detach": "true" },
  },
  spec: {},
  status: {
    capacity: { cpu: "4", memory: "8Gi", pods: "110", "ephemeral-storage": "100Gi" },
    allocatable: { cpu: "4", memory: "8Gi", pods: "110", "ephemeral-storage": "100Gi" },
    conditions: [
      { type: "Ready", status: "False", reason: "KubeletNotReady", message: "container runtime network not ready" },
    ],
    addresses: [
      { type: "InternalIP", address: "127.0.0.1" },
      { type: "Hostname", address: name },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    nodeInfo: {
      machineID: "m",
      systemUUID: "s",
      bootID: "b",
      kernelVersion: "6.1.0",
      osImage: "Linux",
      containerRuntimeVersion: "containerd://2.1.0",
      kubeletVersion: "v1.36.0",
      kubeProxyVersion: "",
      operatingSystem: "linux",
      architecture: "amd64",
    },
  },
});

describe("a kubelet registers", () => {
  test("its informers list by watching, each with what a node may see", async () => {
    for (const path of [
      "/api/v1/nodes?fieldSelector=metadata.name%3Dn1",
      "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1",
      "/api/v1/services",
      "/apis/node.k8s.io/v1/runtimeclasses",
      "/apis/storage.k8s.io/v1/csidrivers",
    ]) {
      await using list = await kubelet.watchList(path);
      expect(Number(list.resourceVersion), path).toBeGreaterThan(0);
    }
    await expect(kubelet.watchList("/api/v1/pods")).rejects.toThrow(
      '403 application/vnd.kubernetes.protobuf: pods is forbidden: User "system:node:n1" cannot watch resource "pods" in API group "" at the cluster scope: can only list/watch pods with spec.nodeName field selector',
    );
    await expect(kubelet.watchList("/api/v1/nodes")).rejects.toThrow(/403 .*nodes is forbidden/);
    await expect(kubelet.watchList("/api/v1/pods?fieldSelector=spec.nodeName%3Dn2")).rejects.toThrow(/^403 /);
  });

  test("with a Node object, and only its own", async () => {
    expect(await kubelet.call("GET", "/api/v1/nodes/n1?resourceVersion=0")).toMatchObject({
      code: 404,
      object: { kind: "Status", reason: "NotFound", details: { name: "n1", kind: "nodes" } },
    });
    const created = await kubelet.call("POST", "/api/v1/nodes", { body: nodeObject("n1") });
    expect(created).toMatchObject({ code: 201, object: { kind: "Node", metadata: { name: "n1" }, spec: {} } });
    // Until it is seen to be ready nothing is put there.
    expect(created.object.spec.taints).toEqual([{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }]);
    node = created.object;
    expect(await kubelet.call("POST", "/api/v1/nodes", { body: nodeObject("n1") })).toMatchObject({
      code: 409,
      object: { reason: "AlreadyExists", message: 'nodes "n1" already exists' },
    });
    expect(await kubelet.call("POST", "/api/v1/nodes", { body: nodeObject("n3") })).toMatchObject({
      code: 403,
      object: { message: 'nodes "n3" is forbidden: node "n1" is not allowed to modify node "n3"' },
    });
    const labelled = nodeObject("n2", { "node-restriction.kubernetes.io/fips": "true" });
    expect(await stranger.call("POST", "/api/v1/nodes", { body: labelled })).toMatchObject({
      code: 403,
      object: { message: /is not allowed to set the following labels: node-restriction\.kubernetes\.io\/fips/ },
    });
    expect((await stranger.call("POST", "/api/v1/nodes", { body: nodeObject("n2") })).code).toBe(201);
  });

  test("with a CSINode that the Node owns", async () => {
    const path = "/apis/storage.k8s.io/v1/csinodes";
    expect((await kubelet.call("GET", `${path}/n1`)).code).toBe(404);
    const body = {
      apiVersion: "storage.k8s.io/v1",
      kind: "CSINode",
      metadata: {
        name: "n1",
        annotations: { "storage.alpha.kubernetes.io/migrated-plugins": "kubernetes.io/aws-ebs" },
        ownerReferences: [{ apiVersion: "v1", kind: "Node", name: "n1", uid: node.metadata.uid }],
      },
      spec: { drivers: [] },
    };
    expect(await kubelet.call("POST", path, { body })).toMatchObject({ code: 201, object: { kind: "CSINode" } });
    expect(await stranger.call("GET", `${path}/n1`)).toMatchObject({
      code: 403,
      object: {
        message: /^csinodes\.storage\.k8s\.io "n1" is forbidden: User "system:node:n2" cannot get resource "csinodes"/,
      },
    });
  });

  test("with a lease that it renews", async () => {
    const path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
    expect((await kubelet.call("GET", `${path}/n1?timeout=10s`)).code).toBe(404);
    const lease = (renewTime: string, metadata: object = {}): { apiVersion: string; kind: string } => ({
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      ...{ metadata: { name: "n1", namespace: "kube-node-lease", ...metadata } },
      ...{ spec: { holderIdentity: "n1", leaseDurationSeconds: 40, renewTime } },
    });
    const ownerReferences = [{ apiVersion: "v1", kind: "Node", name: "n1", uid: node.metadata.uid }];
    const made = await kubelet.call("POST", `${path}?timeout=10s`, {
      body: lease("2026-01-01T00:00:00.000001Z", { ownerReferences }),
    });
    expect(made.code).toBe(201);
    const { resourceVersion, uid } = made.object.metadata;
    const renewed = { body: lease("2026-01-01T00:00:10.123456Z", { ownerReferences, resourceVersion, uid }) };
    expect(await kubelet.call("PUT", `${path}/n1?timeout=10s`, renewed)).toMatchObject({
      code: 200,
      object: { spec: { renewTime: "2026-01-01T00:00:10.123456Z" } },
    });
    expect(await kubelet.call("PUT", `${path}/n1?timeout=10s`, renewed)).toMatchObject({
      code: 409,
      object: { reason: "Conflict" },
    });
    expect((await stranger.call("PUT", `${path}/n1`, renewed)).code).toBe(403);
  });

  test("with patches of its status", async () => {
    const heartbeat = { lastHeartbeatTime: "2026-01-01T00:00:00Z", lastTransitionTime: "2026-01-01T00:00:00Z" };
    const strategic = {
      status: {
        "$setElementOrder/conditions": [{ type: "MemoryPressure" }, { type: "Ready" }],
        conditions: [
          { ...heartbeat, type: "MemoryPressure", status: "False", reason: "KubeletHasSufficientMemory", message: "m" },
          {
            ...heartbeat,
            type: "Ready",
            status: "True",
            reason: "KubeletReady",
            message: "kubelet is posting ready status",
          },
        ],
        images: [{ names: ["i:1"], sizeBytes: 5 }],
      },
    };
    const { code, object } = await kubelet.call("PATCH", "/api/v1/nodes/n1/status?timeout=10s", { strategic });
    expect(code).toBe(200);
    expect(object.status.conditions.map(({ type, status }: Answered) => `${type}=${status}`)).toEqual([
      "MemoryPressure=False",
      "Ready=True",
    ]);
    expect(object.status.capacity.cpu).toBe("4");
    const other = await kubelet.call("PATCH", "/api/v1/nodes/n2/status", { strategic });
    expect(other).toMatchObject({ code: 403, object: { reason: "Forbidden" } });
    const tainted = await kubelet.call("PATCH", "/api/v1/nodes/n1", { strategic: { spec: { taints: null } } });
    expect(tainted).toMatchObject({ code: 403, object: { message: /is not allowed to modify taints/ } });
  });

  test("asks for certificates under its own name only", async () => {
    const { publicKey, privateKey } = (await webcrypto.subtle.generateKey(
      { name: "ECDSA", namedCurve: "P-256" },
      true,
      ["sign", "verify"],
    )) as webcrypto.CryptoKeyPair;
    const request = async (name: string): Promise<string> => {
      const made = await Pkcs10CertificateRequestGenerator.create({
        name,
        keys: { publicKey, privateKey },
        signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
      });
      return Buffer.from(made.toString("pem")).toString("base64");
    };
    const body = async (name: string) => ({
      apiVersion: "certificates.k8s.io/v1",
      kind: "CertificateSigningRequest",
      metadata: { generateName: "csr-" },
      spec: {
        request: await request(name),
        signerName: "kubernetes.io/kube-apiserver-client-kubelet",
        usages: ["digital signature", "client auth"],
      },
    });
    const path = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    const own = await kubelet.call("POST", path, { body: await body("CN=system:node:n1,O=system:nodes") });
    expect(own).toMatchObject({ code: 201, object: { spec: { username: "system:node:n1" } } });
    await using watched = await kubelet.watchList(`${path}?fieldSelector=metadata.name%3D${own.object.metadata.name}`);
    expect(watched.initial).toHaveLength(1);
    const other = await kubelet.call("POST", path, { body: await body("CN=system:node:n2,O=system:nodes") });
    expect(other).toMatchObject({
      code: 403,
      object: { message: /can only create a node CSR with CN=system:node:n1/ },
    });
  });
});

describe("a kubelet runs a pod", () => {
  let pod: Answered;
  beforeAll(async () => {
    const body = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: template, status: {} };
    for (const name of ["used", "unused"]) {
      const metadata = { name };
      await admin.call("POST", `${namespace}/configmaps`, {
        body: { apiVersion: "v1", kind: "ConfigMap", metadata, data: { a: "b" } },
      });
      await admin.call("POST", `${namespace}/secrets`, {
        body: { apiVersion: "v1", kind: "Secret", metadata, stringData: { a: "b" } },
      });
    }
    await using seen = await kubelet.watchList("/api/v1/pods?fieldSelector=spec.nodeName%3Dn1");
    expect((await admin.call("POST", `${namespace}/pods`, { body })).code).toBe(201);
    const event = await seen.next();
    expect(event).toMatchObject({ type: "ADDED", object: { kind: "Pod", metadata: { name: "p" } } });
    pod = event.object;
  });

  test("and sees the ConfigMaps and Secrets that its pods name", async () => {
    for (const resource of ["configmaps", "secrets"]) {
      const path = `${namespace}/${resource}`;
      await using list = await kubelet.watchList(`${path}?fieldSelector=metadata.name%3Dused`);
      expect(list.initial.map(({ object }) => object.metadata.name)).toEqual(["used"]);
      expect((await kubelet.call("GET", `${path}/used`)).code).toBe(200);
      expect(await kubelet.call("GET", `${path}/unused`)).toMatchObject({
        code: 403,
        object: { message: /no relationship found between node 'n1' and this object/ },
      });
      await expect(kubelet.watchList(path)).rejects.toThrow(/^Error: 403|^403/);
      expect((await stranger.call("GET", `${path}/used`)).code).toBe(403);
    }
  });

  test("with tokens bound to it, and no others", async () => {
    const path = `${namespace}/serviceaccounts/default/token`;
    const ask = (spec: object) =>
      kubelet.call("POST", path, {
        body: {
          apiVersion: "authentication.k8s.io/v1",
          kind: "TokenRequest",
          metadata: {},
          spec: { audiences: [], expirationSeconds: 3607, ...spec },
        },
      });
    const { uid } = pod.metadata;
    const bound = { kind: "Pod", apiVersion: "v1", name: "p", uid };
    const given = await ask({ boundObjectRef: bound });
    expect(given).toMatchObject({
      code: 201,
      object: { kind: "TokenRequest", status: { token: expect.stringContaining(".") } },
    });
    const review = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      metadata: {},
      spec: { token: given.object.status.token },
    };
    const reviewed = await kubelet.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", { body: review });
    expect(reviewed).toMatchObject({
      code: 201,
      object: {
        status: {
          authenticated: true,
          user: {
            username: "system:serviceaccount:default:default",
            extra: { "authentication.kubernetes.io/node-name": ["n1"] },
          },
        },
      },
    });
    const refused = [
      { spec: {}, says: "node requested token not bound to a pod" },
      {
        spec: { boundObjectRef: { ...bound, uid: "" } },
        says: "node requested token with a pod binding without a uid",
      },
      { spec: { boundObjectRef: { ...bound, kind: "Secret" } }, says: "node requested token not bound to a pod" },
      { spec: { boundObjectRef: bound, audiences: ["vault"] }, says: 'audience "vault" not found in pod spec volume' },
    ];
    for (const { spec, says } of refused) {
      const answer = await ask(spec);
      expect([answer.code, answer.object.message], says).toEqual([403, expect.stringContaining(says)]);
    }
    expect((await stranger.call("POST", path, { body: review })).code).toBe(403);
  });

  test("and tells how it goes, for this pod and no later one of its name", async () => {
    const patch = (uid: string, status: object) =>
      kubelet.call("PATCH", `${namespace}/pods/p/status`, { strategic: { metadata: { uid }, status } });
    const status = {
      "$setElementOrder/conditions": [{ type: "Ready" }, { type: "PodScheduled" }],
      conditions: [
        {
          type: "Ready",
          status: "True",
          observedGeneration: 1,
          lastProbeTime: null,
          lastTransitionTime: "2026-01-01T00:00:00Z",
        },
      ],
      containerStatuses: [
        {
          name: "c",
          image: "i",
          imageID: "i@1",
          ready: true,
          restartCount: 0,
          started: true,
          containerID: "containerd://1",
          lastState: {},
          state: { running: { startedAt: "2026-01-01T00:00:00Z" } },
        },
      ],
      phase: "Running",
      podIP: "10.0.0.1",
      podIPs: [{ ip: "10.0.0.1" }],
      hostIP: "127.0.0.1",
      hostIPs: [{ ip: "127.0.0.1" }],
      startTime: "2026-01-01T00:00:00Z",
    };
    expect(await patch(pod.metadata.uid, status)).toMatchObject({
      code: 200,
      object: { status: { phase: "Running", podIP: "10.0.0.1" } },
    });
    expect(await patch("another", status)).toMatchObject({
      code: 422,
      object: { reason: "Invalid", message: expect.stringContaining("metadata.uid: Invalid value") },
    });
    const labelled = await kubelet.call("PATCH", `${namespace}/pods/p/status`, {
      strategic: { metadata: { labels: { a: "b" } } },
    });
    expect(labelled).toMatchObject({ code: 403, object: { message: /cannot update labels through pod status/ } });
  });

  test("with events that it counts up", async () => {
    const event = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: "p.18", namespace: "default" },
      involvedObject: {
        kind: "Pod",
        namespace: "default",
        name: "p",
        uid: pod.metadata.uid,
        apiVersion: "v1",
        resourceVersion: "1",
        fieldPath: "spec.containers{c}",
      },
      reason: "Pulled",
      message: "m",
      source: { component: "kubelet", host: "n1" },
      firstTimestamp: "2026-01-01T00:00:00Z",
      lastTimestamp: "2026-01-01T00:00:00Z",
      count: 1,
      type: "Normal",
      eventTime: null,
      reportingComponent: "kubelet",
      reportingInstance: "n1",
    };
    const made = await kubelet.call("POST", `${namespace}/events`, { body: event });
    expect(made).toMatchObject({ code: 201, object: { count: 1 } });
    const strategic = { count: 2, lastTimestamp: "2026-01-01T00:01:00Z" };
    const counted = await kubelet.call("PATCH", `${namespace}/events/p.18`, { strategic });
    expect(counted).toMatchObject({ code: 200, object: { count: 2, reason: "Pulled" } });
  });

  test("and asks who may see its logs", async () => {
    const body = {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      metadata: {},
      spec: {
        user: "kube-apiserver-kubelet-client",
        groups: ["system:masters"],
        resourceAttributes: { verb: "get", version: "v1", resource: "nodes", subresource: "proxy", name: "n1" },
      },
    };
    expect(await kubelet.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", { body })).toMatchObject({
      code: 201,
      object: { status: { allowed: true } },
    });
  });

  test("with devices of its own node only", async () => {
    const path = "/apis/resource.k8s.io/v1/resourceslices";
    const slice = (nodeName: string): { apiVersion: string; kind: string } => ({
      apiVersion: "resource.k8s.io/v1",
      kind: "ResourceSlice",
      ...{ metadata: { generateName: `${nodeName}-gpu-` } },
      ...{
        spec: {
          driver: "gpu.example.com",
          nodeName,
          pool: { name: nodeName, generation: 0, resourceSliceCount: 1 },
          devices: [{ name: "gpu-0" }],
        },
      },
    });
    expect((await kubelet.call("POST", path, { body: slice("n1") })).code).toBe(201);
    expect(await kubelet.call("POST", path, { body: slice("n2") })).toMatchObject({
      code: 403,
      object: { message: /can only create ResourceSlice with the same NodeName as the requesting node/ },
    });
    await using list = await kubelet.watchList(`${path}?fieldSelector=spec.nodeName%3Dn1`);
    expect(list.initial).toHaveLength(1);
    await expect(kubelet.watchList(path)).rejects.toThrow(/403/);
    // What a restarted kubelet does first: the drivers of before the reboot are gone.
    expect((await kubelet.call("DELETE", `${path}?fieldSelector=spec.nodeName%3Dn1`)).code).toBe(200);
    expect(await list.next()).toMatchObject({ type: "DELETED" });
  });

  test("mirrors static pods that its Node owns", async () => {
    const mirror = (metadata: object, spec: object = {}): { apiVersion: string; kind: string } => ({
      apiVersion: "v1",
      kind: "Pod",
      ...{
        metadata: {
          name: "etcd-n1",
          annotations: { "kubernetes.io/config.mirror": "hash", "kubernetes.io/config.source": "file" },
          ...metadata,
        },
      },
      ...{ spec: { nodeName: "n1", containers: [{ name: "c", image: "i", resources: {} }], ...spec }, status: {} },
    });
    const owner = { apiVersion: "v1", kind: "Node", name: "n1", uid: node.metadata.uid, controller: true };
    const create = (metadata: object, spec?: object) =>
      kubelet.call("POST", `${namespace}/pods`, { body: mirror(metadata, spec) });
    const refused = [
      {
        metadata: { annotations: {}, ownerReferences: [owner] },
        says: 'pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only create mirror pods',
      },
      { metadata: {}, says: 'node "n1" can only create pods with an owner reference set to itself' },
      {
        metadata: { ownerReferences: [{ ...owner, kind: "Pod" }] },
        says: 'node "n1" can only create pods with an owner reference set to itself',
      },
      {
        metadata: { ownerReferences: [{ ...owner, controller: false }] },
        says: 'node "n1" can only create pods with a controller owner reference set to itself',
      },
      {
        metadata: { ownerReferences: [{ ...owner, blockOwnerDeletion: true }] },
        says: 'node "n1" must not set blockOwnerDeletion on an owner reference',
      },
      {
        metadata: { ownerReferences: [{ ...owner, uid: "other" }] },
        says: `node n1 UID mismatch: expected ${node.metadata.uid} got other`,
      },
      {
        metadata: { ownerReferences: [owner] },
        spec: { volumes: [{ name: "s", secret: { secretName: "used" } }] },
        says: "a mirror pod may not reference secrets",
      },
    ];
    for (const { metadata, spec, says } of refused) {
      const answer = await create(metadata, spec);
      expect([answer.code, answer.object.message]).toEqual([403, `pods "etcd-n1" is forbidden: ${says}`]);
    }
    expect((await create({ ownerReferences: [owner] })).code).toBe(201);
  });

  test("and removes it when it is told to and done", async () => {
    await using seen = await kubelet.watchList("/api/v1/pods?fieldSelector=spec.nodeName%3Dn1");
    const options = (rest: object): { apiVersion: string; kind: string } => ({
      apiVersion: "v1",
      kind: "DeleteOptions",
      ...rest,
    });
    expect((await admin.call("DELETE", `${namespace}/pods/p`)).code).toBe(200);
    expect(await seen.next()).toMatchObject({
      type: "MODIFIED",
      object: { metadata: { deletionGracePeriodSeconds: 30 } },
    });
    const wrong = { body: options({ gracePeriodSeconds: 0, preconditions: { uid: "another" } }) };
    expect((await kubelet.call("DELETE", `${namespace}/pods/p`, wrong)).code).toBe(409);
    expect((await stranger.call("DELETE", `${namespace}/pods/p`)).code).toBe(403);
    const right = { body: options({ gracePeriodSeconds: 0, preconditions: { uid: pod.metadata.uid } }) };
    expect((await kubelet.call("DELETE", `${namespace}/pods/p`, right)).code).toBe(200);
    expect(await seen.next()).toMatchObject({ type: "DELETED", object: { metadata: { uid: pod.metadata.uid } } });
    // With the pod goes the right to see what it named.
    expect((await kubelet.call("GET", `${namespace}/secrets/used`)).code).toBe(403);
  });
});
