import { describe, expect, test } from "vitest";
import {
  type JsonObject,
  limitRanges,
  namespaces,
  nodes,
  pods,
  priorityClasses,
  type ResourceQuota,
  resourceQuotas,
  runtimeClasses,
  serviceAccounts,
  statusErrors,
  storageClasses,
} from "../../api/index.js";
import { seededRandom } from "../../internal/random.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { defaultStorageClass, runtimeClass, storageObjectInUseProtection } from "./class-defaults.js";
import { FixtureCache } from "./fixture-cache.js";
import { admit, outcome, pod, request } from "./fixture-request.js";
import { limitRanger } from "./limit-ranger.js";
import { namespaceLifecycle } from "./namespace-lifecycle.js";
import { nodeRestriction } from "./node-restriction.js";
import { priority } from "./priority.js";
import { resourceQuota } from "./resource-quota.js";
import { serviceAccount } from "./service-account.js";
import { defaultTolerationSeconds, taintNodesByCondition } from "./tolerations-and-taints.js";

describe("NamespaceLifecycle", () => {
  const cache = new FixtureCache()
    .put(namespaces, { metadata: { name: "a" }, status: { phase: "Active" } })
    .put(namespaces, { metadata: { name: "going" }, status: { phase: "Terminating" } });
  const plugin = namespaceLifecycle({
    cache,
    liveNamespace: async (name) => (name === "fresh" ? cache.get(namespaces, { name: "a" }) : undefined),
  });

  test.each([
    ["in a namespace that is there", {}, ""],
    ["in one that only the store knows yet", { namespace: "fresh" }, ""],
    ["in none", { namespace: "none" }, 'namespaces "none" not found'],
    [
      "in one that is going",
      { namespace: "going" },
      'pods "web" is forbidden: unable to create new content in namespace going because it is being terminated',
    ],
    ["an update there", { namespace: "going", operation: "UPDATE" as const }, ""],
    [
      "deletion of a protected namespace",
      { resource: "namespaces", namespace: "default", name: "default", operation: "DELETE" as const },
      'namespaces "default" is forbidden: this namespace may not be deleted',
    ],
    [
      "deletion of another namespace",
      { resource: "namespaces", namespace: "a", name: "a", operation: "DELETE" as const },
      "",
    ],
  ])("%s", async (_, more, message) => {
    expect(await outcome(() => admit(plugin, request(pod(), more)))).toBe(message);
  });
});

describe("ServiceAccount", () => {
  const make = (cache: FixtureCache, clock = new VirtualClock()) =>
    serviceAccount({ cache, clock, random: seededRandom(1) });

  test("gives the default account, its pull secrets and a token", async () => {
    const cache = new FixtureCache().put(serviceAccounts, {
      metadata: { name: "default", namespace: "a" },
      imagePullSecrets: [{ name: "pull" }],
    });
    const { spec } = (await admit(make(cache), request(pod()))) as { spec: Record<string, never> };
    expect(spec).toMatchObject({
      serviceAccountName: "default",
      serviceAccount: "default",
      imagePullSecrets: [{ name: "pull" }],
    });
    const [volume] = spec["volumes"] as unknown as { name: string; projected: unknown }[];
    expect(volume?.name).toMatch(/^kube-api-access-[a-z0-9]{5}$/);
    expect(volume?.projected).toEqual({
      defaultMode: 420,
      sources: [
        { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        {
          downwardAPI: {
            items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
          },
        },
      ],
    });
    expect((spec["containers"] as unknown as { volumeMounts: unknown }[])[0]?.volumeMounts).toEqual([
      { name: volume?.name, readOnly: true, mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" },
    ]);
  });

  test.each([
    ["the pod says no", { automountServiceAccountToken: false }, {}],
    ["the account says no", {}, { automountServiceAccountToken: false }],
  ])("no token where %s", async (_, spec, account) => {
    const cache = new FixtureCache().put(serviceAccounts, {
      metadata: { name: "default", namespace: "a" },
      ...account,
    });
    const made = (await admit(make(cache), request(pod(spec)))) as { spec: { volumes?: unknown } };
    expect(made.spec.volumes).toBeUndefined();
  });

  test("waits for the default account, for another it does not", async () => {
    const cache = new FixtureCache();
    const clock = new VirtualClock();
    const waiting = admit(make(cache, clock), request(pod()));
    await clock.advance(150);
    cache.put(serviceAccounts, { metadata: { name: "default", namespace: "a" } });
    await clock.advance(1000);
    expect(await waiting).toMatchObject({ spec: { serviceAccountName: "default" } });
    expect(await outcome(() => admit(make(cache), request(pod({ serviceAccountName: "sa" }))))).toBe(
      'pods "web" is forbidden: error looking up service account a/sa: serviceaccount "sa" not found',
    );
  });
});

describe("Priority", () => {
  const cache = new FixtureCache()
    .put(priorityClasses, { metadata: { name: "high" }, value: 1000, preemptionPolicy: "Never" })
    .put(priorityClasses, { metadata: { name: "usual" }, value: 5, globalDefault: true });
  const plugin = priority({ cache });

  test.each([
    ["by class", { priorityClassName: "high" }, { priority: 1000, preemptionPolicy: "Never" }],
    ["by default", {}, { priorityClassName: "usual", priority: 5, preemptionPolicy: "PreemptLowerPriority" }],
    ["of the system", { priorityClassName: "system-node-critical" }, { priority: 2000001000 }],
  ])("%s", async (_, spec, expected) => {
    expect(await admit(plugin, request(pod(spec)))).toMatchObject({ spec: expected });
  });

  test.each([
    ["an unknown class", { priorityClassName: "x" }, 'pods "web" is forbidden: no PriorityClass with name x was found'],
    [
      "a number of its own",
      { priorityClassName: "high", priority: 7 },
      'pods "web" is forbidden: the integer value of priority (7) must not be provided in pod spec; priority admission controller computed 1000 from the given PriorityClass name',
    ],
  ])("refuses %s", async (_, spec, message) => {
    expect(await outcome(() => admit(plugin, request(pod(spec))))).toBe(message);
  });
});

test("DefaultTolerationSeconds adds what is missing only", async () => {
  const own = { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 5 };
  expect(await admit(defaultTolerationSeconds(), request(pod({ tolerations: [own] })))).toMatchObject({
    spec: {
      tolerations: [
        own,
        { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
      ],
    },
  });
  const all = pod({ tolerations: [{ operator: "Exists" }] });
  expect(await admit(defaultTolerationSeconds(), request(all))).toBe(all);
});

test("TaintNodesByCondition keeps pods off new nodes", async () => {
  const made = await admit(
    taintNodesByCondition,
    request({ metadata: { name: "n" } }, { resource: "nodes", namespace: "" }),
  );
  expect(made).toMatchObject({ spec: { taints: [{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }] } });
});

describe("NodeRestriction", () => {
  const user = { username: "system:node:n1", groups: ["system:nodes"] };
  const cache = new FixtureCache()
    .put(pods, { metadata: { name: "other", namespace: "a" }, spec: { nodeName: "n2" } })
    .put(nodes, { metadata: { name: "n1", uid: "u" } });
  const plugin = nodeRestriction({ cache });
  const owner = { apiVersion: "v1", kind: "Node", name: "n1", uid: "u", controller: true };
  const annotations = { "kubernetes.io/config.mirror": "x" };
  const mirror = { annotations, ownerReferences: [owner] };
  const node = (more: object = {}, spec: object = {}): JsonObject => ({ metadata: { name: "n1", ...more }, spec });
  const onNode = { resource: "nodes", namespace: "", name: "n1" };

  test.each([
    ["a mirror pod of its own", pod({ nodeName: "n1" }, mirror), {}, ""],
    [
      "a plain pod",
      pod({ nodeName: "n1" }),
      {},
      'pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only create mirror pods',
    ],
    [
      "a mirror pod elsewhere",
      pod({ nodeName: "n2" }, mirror),
      {},
      'node "n1" can only create pods with spec.nodeName set to itself',
    ],
    [
      "a mirror pod with a secret",
      pod({ nodeName: "n1", volumes: [{ secret: {} }] }, mirror),
      {},
      'node "n1" can not create pods that reference secrets',
    ],
    [
      "a mirror pod that goes with another Node of its name",
      pod({ nodeName: "n1" }, { annotations, ownerReferences: [{ ...owner, uid: "old" }] }),
      {},
      "node n1 UID mismatch: expected u got old",
    ],
    [
      "a mirror pod that stays when its Node goes",
      pod({ nodeName: "n1" }, { annotations }),
      {},
      'node "n1" can only create pods with an owner reference set to itself',
    ],
    [
      "another's devices",
      { metadata: { name: "s" }, spec: { nodeName: "n2" } },
      { group: "resource.k8s.io", resource: "resourceslices", namespace: "" },
      "can only create ResourceSlice with the same NodeName as the requesting node",
    ],
    [
      "what a claim asks for",
      { metadata: { name: "c" }, spec: { volumeName: "v" } },
      {
        resource: "persistentvolumeclaims",
        subresource: "status",
        operation: "UPDATE" as const,
        oldObject: { spec: {} },
      },
      "is not allowed to update fields other than status.quantity and status.conditions",
    ],
    [
      "deleting another's pod",
      undefined,
      { operation: "DELETE" as const, name: "other" },
      'node "n1" can only delete pods with spec.nodeName set to itself',
    ],
    [
      "status of another's pod",
      pod(),
      { operation: "UPDATE" as const, subresource: "status", oldObject: pod({ nodeName: "n2" }) },
      "can only update pod status for pods with spec.nodeName set to itself",
    ],
    ["itself", node({ labels: { "kubernetes.io/hostname": "n1", mine: "x" } }), onNode, ""],
    [
      "another node",
      { metadata: { name: "n2" } },
      { ...onNode, name: "n2" },
      'node "n1" is not allowed to modify node "n2"',
    ],
    [
      "a restricted label",
      node({ labels: { "node-restriction.kubernetes.io/x": "1" } }),
      onNode,
      "is not allowed to set the following labels: node-restriction.kubernetes.io/x",
    ],
    [
      "its role",
      node({ labels: { "node-role.kubernetes.io/control-plane": "" } }),
      onNode,
      "is not allowed to set the following labels: node-role.kubernetes.io/control-plane",
    ],
    [
      "its taints",
      node({}, { taints: [] }),
      { ...onNode, operation: "UPDATE" as const, oldObject: node({}, { taints: [{ key: "x" }] }) },
      'node "n1" is not allowed to modify taints',
    ],
    [
      "another's lease",
      { metadata: { name: "n2" } },
      { group: "coordination.k8s.io", resource: "leases", namespace: "kube-node-lease", name: "n2" },
      "can only access node lease with the same name as the requesting node",
    ],
  ])("%s", async (_, object, more, message) => {
    const said = await outcome(() => admit(plugin, request(object, { user, ...more })));
    if (message === "") expect(said).toBe("");
    else expect(said).toContain(message);
  });
});

describe("LimitRanger", () => {
  const range = (limit: object) =>
    new FixtureCache().put(limitRanges, { metadata: { name: "l", namespace: "a" }, spec: { limits: [limit] } });
  const withResources = (resources: object) => pod({ containers: [{ name: "c", resources }] });

  test("fills in defaults and says so", async () => {
    const plugin = limitRanger({
      cache: range({ type: "Container", default: { cpu: "500m" }, defaultRequest: { cpu: "100m", memory: "64Mi" } }),
    });
    expect(await admit(plugin, request(withResources({ requests: { memory: "1Gi" } })))).toMatchObject({
      metadata: {
        annotations: {
          "kubernetes.io/limit-ranger":
            "LimitRanger plugin set: cpu request for container c; cpu limit for container c",
        },
      },
      spec: { containers: [{ resources: { requests: { cpu: "100m", memory: "1Gi" }, limits: { cpu: "500m" } } }] },
    });
  });

  test.each([
    [
      "too little",
      { type: "Container", min: { cpu: "100m" } },
      { requests: { cpu: "50m" } },
      "minimum cpu usage per Container is 100m, but request is 50m",
    ],
    [
      "too much",
      { type: "Container", max: { cpu: "1" } },
      { limits: { cpu: "2" } },
      "maximum cpu usage per Container is 1, but limit is 2",
    ],
    [
      "nothing said",
      { type: "Pod", max: { memory: "1Gi" } },
      {},
      "maximum memory usage per Pod is 1Gi.  No limit is specified",
    ],
    [
      "a ratio",
      { type: "Container", maxLimitRequestRatio: { cpu: "2" } },
      { requests: { cpu: "1" }, limits: { cpu: "4" } },
      "cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000",
    ],
    [
      "within bounds",
      { type: "Container", min: { cpu: "50m" }, max: { cpu: "1" } },
      { requests: { cpu: "50m" }, limits: { cpu: "1" } },
      "",
    ],
  ])("%s", async (_, limit, resources, message) => {
    const said = await outcome(() =>
      limitRanger({ cache: range(limit) }).validate?.(request(withResources(resources))),
    );
    expect(said).toBe(message === "" ? "" : `pods "web" is forbidden: ${message}`);
  });

  test.each([
    [
      "8Gi",
      'persistentvolumeclaims "web" is forbidden: maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 8Gi',
    ],
    [
      "1Mi",
      'persistentvolumeclaims "web" is forbidden: minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi',
    ],
    ["2Gi", ""],
  ])("says once that a claim of %s is not within bounds", async (storage, message) => {
    const cache = range({ type: "PersistentVolumeClaim", min: { storage: "1Gi" }, max: { storage: "5Gi" } });
    const claim = { ...pod({}), spec: { resources: { requests: { storage } } } };
    const asked = request(claim, { resource: "persistentvolumeclaims" });
    expect(await outcome(() => limitRanger({ cache }).validate?.(asked))).toBe(message);
  });
});

describe("ResourceQuota", () => {
  const quota = (hard: object, used: object, spec: object = {}) =>
    ({
      metadata: { name: "q", namespace: "a" },
      spec: { hard, ...spec },
      status: { hard, used },
    }) as unknown as ResourceQuota;
  const setup = (kept: ResourceQuota) => {
    const written: ResourceQuota[] = [];
    let conflicts = 0;
    const cache = new FixtureCache().put(resourceQuotas, kept);
    const state = { live: kept, conflictFirst: 0 };
    const plugin = resourceQuota({
      cache,
      live: async () => state.live,
      updateStatus: async (next) => {
        if (conflicts++ < state.conflictFirst) throw statusErrors.conflict(resourceQuotas, "q", "changed");
        written.push(next);
        return next;
      },
    });
    return { plugin, written, state };
  };

  test("charges before the write, on the newest state", async () => {
    const { plugin, written, state } = setup(quota({ pods: "2" }, { pods: "0" }));
    state.conflictFirst = 1;
    state.live = quota({ pods: "2" }, { pods: "1" });
    await plugin.validate?.(request(pod()));
    expect(written[0]?.status?.used).toEqual({ pods: "2" });
  });

  test("refuses what another took in between", async () => {
    const { plugin, state, written } = setup(quota({ pods: "2" }, { pods: "0" }));
    state.conflictFirst = 1;
    state.live = quota({ pods: "2" }, { pods: "2" });
    expect(await outcome(() => plugin.validate?.(request(pod())))).toBe(
      'pods "web" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2',
    );
    expect(written).toEqual([]);
  });

  test.each([
    [
      "sums of containers",
      quota({ "requests.cpu": "1" }, { "requests.cpu": "800m" }),
      pod({ containers: [{ name: "c", resources: { requests: { cpu: "300m" } } }] }),
      "exceeded quota: q, requested: requests.cpu=300m, used: requests.cpu=800m, limited: requests.cpu=1",
    ],
    [
      "what is not stated",
      quota({ "limits.memory": "1Gi" }, {}),
      pod(),
      "failed quota: q: must specify limits.memory for: c",
    ],
    ["scopes that do not apply", quota({ pods: "0" }, {}, { scopes: ["Terminating"] }), pod(), ""],
    [
      "scopes that do",
      quota({ pods: "0" }, {}, { scopes: ["BestEffort"] }),
      pod(),
      "exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0",
    ],
  ])("%s", async (_, kept, object, message) => {
    const said = await outcome(() => setup(kept).plugin.validate?.(request(object)));
    expect(said).toBe(message === "" ? "" : `pods "web" is forbidden: ${message}`);
  });

  test("takes what an update brings into its scope for new", async () => {
    const matchExpressions = [{ scopeName: "VolumeAttributesClass", operator: "In", values: ["gold"] }];
    const { plugin } = setup(quota({ "requests.storage": "1Gi" }, {}, { scopeSelector: { matchExpressions } }));
    const claim = (volumeAttributesClassName: string): JsonObject => ({
      metadata: { name: "web", namespace: "a" },
      spec: { volumeAttributesClassName, resources: { requests: { storage: "2Gi" } } },
    });
    const change = (from: string, to: string): Promise<string> => {
      const more = { resource: "persistentvolumeclaims", operation: "UPDATE", oldObject: claim(from) } as const;
      return outcome(() => plugin.validate?.(request(claim(to), more)));
    };
    expect(await change("silver", "gold")).toBe(
      'persistentvolumeclaims "web" is forbidden: exceeded quota: q, requested: requests.storage=2Gi, used: requests.storage=0, limited: requests.storage=1Gi',
    );
    expect([await change("gold", "gold"), await change("gold", "silver")]).toEqual(["", ""]);
  });

  test("writes nothing in a dry run", async () => {
    const { plugin, written } = setup(quota({ pods: "2" }, { pods: "0" }));
    await plugin.validate?.(request(pod(), { dryRun: true }));
    expect(written).toEqual([]);
  });
});

test("classes: storage by default, runtime with its overhead, protection of volumes", async () => {
  const cache = new FixtureCache()
    .put(storageClasses, {
      metadata: {
        name: "old",
        creationTimestamp: "2026-01-01T00:00:00Z",
        annotations: { "storageclass.kubernetes.io/is-default-class": "true" },
      },
    })
    .put(storageClasses, {
      metadata: {
        name: "new",
        creationTimestamp: "2026-02-01T00:00:00Z",
        annotations: { "storageclass.kubernetes.io/is-default-class": "true" },
      },
    })
    .put(runtimeClasses, {
      metadata: { name: "vm" },
      handler: "vm",
      overhead: { podFixed: { cpu: "100m" } },
      scheduling: { nodeSelector: { vm: "yes" } },
    });
  const claim = request({ metadata: { name: "x" }, spec: {} }, { resource: "persistentvolumeclaims" });
  expect(await admit(defaultStorageClass({ cache }), claim)).toMatchObject({ spec: { storageClassName: "new" } });
  expect(await admit(storageObjectInUseProtection, claim)).toMatchObject({
    metadata: { finalizers: ["kubernetes.io/pvc-protection"] },
  });
  expect(await admit(runtimeClass({ cache }), request(pod({ runtimeClassName: "vm" })))).toMatchObject({
    spec: { overhead: { cpu: "100m" }, nodeSelector: { vm: "yes" } },
  });
  expect(await outcome(() => admit(runtimeClass({ cache }), request(pod({ runtimeClassName: "x" }))))).toContain(
    'RuntimeClass "x" not found',
  );
});
