import { describe, expect, it } from "vitest";
import { resourceFacts } from "../gen/resources.js";
import type { JsonObject } from "../object.js";
import { semanticallyEqual } from "./equality.js";
import { builtinStrategies, validateObjectMeta, validateObjectMetaUpdate } from "./index.js";
import { isStrictSubnet } from "./ip.js";
import { created, strategyFor, updated, withPath } from "./testing.js";

const group = "networking.k8s.io";
const rbac = "rbac.authorization.k8s.io";

interface Row {
  readonly name: string;
  readonly kind: string;
  readonly given: JsonObject;
  readonly errors: readonly string[];
}

const rows: readonly Row[] = [
  {
    name: "a key that is no file name",
    kind: "/configmaps",
    given: { data: { "a/b": "" } },
    errors: [
      "data[a/b]: Invalid value: \"a/b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
    ],
  },
  {
    name: "a key in both maps",
    kind: "/configmaps",
    given: { data: { a: "" }, binaryData: { a: "" } },
    errors: ['data[a]: Invalid value: "a": duplicate of key present in binaryData'],
  },
  {
    name: "a mebibyte and a byte",
    kind: "/configmaps",
    given: { data: { a: "x".repeat(1024 * 1024 + 1) } },
    errors: [": Too long: may not be more than 1048576 bytes"],
  },
  {
    name: "a TLS secret without its key",
    kind: "/secrets",
    given: { type: "kubernetes.io/tls", data: { "tls.crt": "" } },
    errors: ["data[tls.key]: Required value"],
  },
  {
    name: "a registry's secret that is no JSON is not repeated in the message",
    kind: "/secrets",
    given: { type: "kubernetes.io/dockerconfigjson", data: { ".dockerconfigjson": "aHVudGVyMg==" } },
    errors: ['data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": invalid character in JSON'],
  },
  {
    name: "a token's secret without its account",
    kind: "/secrets",
    given: { type: "kubernetes.io/service-account-token" },
    errors: ["metadata.annotations[kubernetes.io/service-account.name]: Required value"],
  },
  {
    name: "a claim for nothing",
    kind: "/persistentvolumeclaims",
    given: { spec: {} },
    errors: [
      "spec.accessModes: Required value: at least 1 access mode is required",
      "spec.resources[storage]: Required value",
    ],
  },
  {
    name: "a volume of nothing",
    kind: "/persistentvolumes",
    given: { spec: { accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" } } },
    errors: ["spec: Required value: must specify a volume type"],
  },
  {
    name: "a local volume anywhere",
    kind: "/persistentvolumes",
    given: { spec: { accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" }, local: { path: "/a/../b" } } },
    errors: [
      "spec.local.path: Invalid value: \"/a/../b\": must not contain '..'",
      "spec.nodeAffinity: Required value: Local volume requires node affinity",
    ],
  },
  {
    name: "a taint twice, and one without an effect",
    kind: "/nodes",
    given: {
      spec: {
        taints: [{ key: "a", effect: "NoSchedule" }, { key: "a", effect: "NoSchedule" }, { key: "b" }],
      },
    },
    errors: [
      'metadata.taints[1]: Duplicate value: {"key":"a","effect":"NoSchedule"}: taints must be unique by key and effect pair',
      "metadata.taints[2].effect: Required value",
    ],
  },
  {
    name: "a quota of what does not exist",
    kind: "/resourcequotas",
    given: { spec: { hard: { pods: "10", bananas: "1" } } },
    errors: [
      'spec.hard[bananas]: Invalid value: "bananas": must be a standard resource type or fully qualified',
      'spec.hard[bananas]: Invalid value: "bananas": must be a standard resource for quota',
    ],
  },
  {
    name: "a least that is more than the most",
    kind: "/limitranges",
    given: { spec: { limits: [{ type: "Pod", min: { cpu: "2" }, max: { cpu: "1" } }] } },
    errors: ['spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1'],
  },
  {
    name: "endpoints on the node itself",
    kind: "/endpoints",
    given: { subsets: [{ addresses: [{ ip: "127.0.0.1" }], ports: [{ port: 1 }] }, {}] },
    errors: [
      'subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
      "subsets[1]: Required value: must specify `addresses` or `notReadyAddresses`",
    ],
  },
  {
    name: "a slice of the wrong family",
    kind: "discovery.k8s.io/endpointslices",
    given: { addressType: "IPv4", endpoints: [{ addresses: ["::2"] }, { addresses: [] }], ports: [{ port: 0 }] },
    errors: [
      'endpoints[0].addresses[0]: Invalid value: "::2": must be a valid IPv4 address',
      "endpoints[1].addresses: Required value: must contain at least 1 address",
    ],
  },
  {
    name: "an ingress to nowhere",
    kind: `${group}/ingresses`,
    given: { spec: {} },
    errors: ["spec: Invalid value: []: either `defaultBackend` or `rules` must be specified"],
  },
  {
    name: "an ingress with a tricky path, an address as host and no port",
    kind: `${group}/ingresses`,
    given: {
      spec: {
        rules: [
          {
            host: "10.0.0.1",
            http: {
              paths: [{ path: "/a/../b", pathType: "Exact", backend: { service: { name: "s" } } }, { path: "/" }],
            },
          },
        ],
      },
    },
    errors: [
      'spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address',
      "spec.rules[0].http.paths[0].path: Invalid value: \"/a/../b\": must not contain '/../'",
      "spec.rules[0].http.paths[0].backend: Required value: port name or number is required",
      "spec.rules[0].http.paths[1].pathType: Required value: pathType must be specified",
    ],
  },
  {
    name: "a policy about nobody, and an exception outside of its block",
    kind: `${group}/networkpolicies`,
    given: { spec: { ingress: [{ from: [{}, { ipBlock: { cidr: "10.0.0.0/8", except: ["11.0.0.0/16"] } }] }] } },
    errors: [
      "spec.ingress[0].from[0]: Required value: must specify a peer",
      'spec.ingress[0].from[1].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`',
    ],
  },
  {
    name: "a role without verbs, over paths",
    kind: `${rbac}/roles`,
    given: {
      rules: [
        { apiGroups: [""], resources: ["pods"] },
        { verbs: ["get"], nonResourceURLs: ["/x"] },
      ],
    },
    errors: [
      "rules[0].verbs: Required value: verbs must contain at least one value",
      'rules[1].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
    ],
  },
  {
    name: "a cluster's binding to a role, for an account from nowhere",
    kind: `${rbac}/clusterrolebindings`,
    given: { roleRef: { kind: "Role", name: "r" }, subjects: [{ kind: "ServiceAccount", name: "a" }] },
    errors: [
      'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
      "subjects[0].namespace: Required value",
    ],
  },
  {
    name: "a budget both ways",
    kind: "policy/poddisruptionbudgets",
    given: { spec: { minAvailable: 1, maxUnavailable: 1 } },
    errors: [
      'spec: Invalid value: {"minAvailable":1,"maxUnavailable":1}: minAvailable and maxUnavailable cannot be both set',
    ],
  },
  {
    name: "an autoscaler with its least above its most",
    kind: "autoscaling/horizontalpodautoscalers",
    given: { spec: { minReplicas: 3, maxReplicas: 2, scaleTargetRef: { kind: "Deployment", name: "d" } } },
    errors: ["spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`"],
  },
  {
    name: "a claim for a device of no class, and for none of a class",
    kind: "resource.k8s.io/resourceclaims",
    given: {
      spec: {
        devices: {
          requests: [
            { name: "a", exactly: {} },
            { name: "a", exactly: { deviceClassName: "gpu.example.com", count: -1 } },
            { name: "b" },
          ],
        },
      },
    },
    errors: [
      "spec.devices.requests[0].exactly.deviceClassName: Required value",
      "spec.devices.requests[1].exactly.count: Invalid value: -1: must be greater than zero",
      "spec.devices.requests[2]: Required value: exactly one of `exactly` or `firstAvailable` is required",
      'spec.devices.requests[1]: Duplicate value: "a"',
    ],
  },
  {
    name: "a priority that is the system's",
    kind: "scheduling.k8s.io/priorityclasses",
    given: { metadata: { name: "mine" }, value: 1_000_000_001 },
    errors: ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
  },
  {
    name: "a lease for no time",
    kind: "coordination.k8s.io/leases",
    given: { spec: { leaseDurationSeconds: 0 } },
    errors: ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"],
  },
  {
    name: "a webhook over plain HTTP",
    kind: "admissionregistration.k8s.io/validatingwebhookconfigurations",
    given: {
      webhooks: [
        {
          name: "a.example.com",
          admissionReviewVersions: ["v1"],
          sideEffects: "None",
          clientConfig: { url: "http://example.com" },
        },
      ],
    },
    errors: [
      "webhooks[0].clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; desired format: https://host[/path]",
    ],
  },
  {
    name: "a definition under another name, without a storage version",
    kind: "apiextensions.k8s.io/customresourcedefinitions",
    given: {
      metadata: { name: "x" },
      spec: { group: "example.com", scope: "Namespaced", names: { plural: "foos", kind: "Foo" }, versions: [] },
    },
    errors: [
      'metadata.name: Invalid value: "x": must be spec.names.plural+"."+spec.group',
      "spec.versions: Invalid value: []: must have exactly one version marked as storage version",
      "status.storedVersions: Invalid value: null: must have at least one stored version",
    ],
  },
  {
    name: "an API service under another name",
    kind: "apiregistration.k8s.io/apiservices",
    given: {
      metadata: { name: "x" },
      spec: { group: "example.com", version: "v1", groupPriorityMinimum: 1, versionPriority: 1 },
    },
    errors: ['metadata.name: Invalid value: "x": must be `spec.version+"."+spec.group`: "v1.example.com"'],
  },
];

describe("creating objects of other kinds", () => {
  it.each(rows)("$name", ({ kind, given, errors }) => {
    expect(created(kind, given).errors).toEqual(errors);
  });
});

describe("updating objects of other kinds", () => {
  it("immutable configuration stays", () => {
    const old = { data: { a: "1" }, immutable: true };
    expect(updated("/configmaps", { data: { a: "1" }, immutable: true }, old).errors).toEqual([]);
    expect(updated("/configmaps", { data: { a: "1", b: "" } }, old).errors).toEqual([
      "immutable: Forbidden: field is immutable when `immutable` is set",
      "data: Forbidden: field is immutable when `immutable` is set",
    ]);
  });

  it("a secret keeps its type", () => {
    expect(updated("/secrets", { type: "other" }, { type: "Opaque" }).errors).toEqual([
      'type: Invalid value: "other": field is immutable',
    ]);
  });

  it("a binding keeps its role", () => {
    const old = { roleRef: { apiGroup: rbac, kind: "Role", name: "r" } };
    expect(updated(`${rbac}/rolebindings`, withPath(old, "roleRef.name", "admin"), old).errors).toEqual([
      `roleRef: Invalid value: {"apiGroup":"${rbac}","kind":"Role","name":"admin"}: cannot change roleRef`,
    ]);
  });

  it("a claim grows when it is bound, and never shrinks below what there is", () => {
    const claim = created("/persistentvolumeclaims", {
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "2Gi" } } },
    }).object;
    const bound = withPath(claim, "status", { phase: "Bound", capacity: { storage: "1Gi" } });
    const size = (storage: string): JsonObject => withPath(bound, "spec.resources.requests.storage", storage);
    expect(updated("/persistentvolumeclaims", size("3Gi"), bound).errors).toEqual([]);
    expect(updated("/persistentvolumeclaims", size("1Gi"), bound).errors).toEqual([
      "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity",
    ]);
    // An expansion that failed is asked for less again.
    expect(updated("/persistentvolumeclaims", size("1536Mi"), bound).errors).toEqual([]);
    const pending = withPath(size("3Gi"), "status.phase", "Pending");
    expect(updated("/persistentvolumeclaims", pending, claim).errors).toHaveLength(1);
  });

  it("only finalize takes a namespace's finalizer away", () => {
    const old = created("/namespaces", { metadata: { name: "n" } }).object;
    expect(old).toMatchObject({ spec: { finalizers: ["kubernetes"] }, status: { phase: "Active" } });
    const bare = withPath(old, "spec", {});
    expect(updated("/namespaces", bare, old).object).toMatchObject({ spec: { finalizers: ["kubernetes"] } });
    expect(updated("/namespaces", bare, old, "finalize").object).toMatchObject({ spec: {} });
  });

  it("a definition remembers every version that was stored", () => {
    const kind = "apiextensions.k8s.io/customresourcedefinitions";
    const version = (name: string, storage: boolean): JsonObject => ({ name, served: true, storage });
    const first = created(kind, { spec: { versions: [version("v1", true)] } }).object;
    expect(first).toMatchObject({ status: { storedVersions: ["v1"] } });
    const both = withPath(first, "spec.versions", [version("v1", false), version("v2", true)]);
    expect(updated(kind, both, first).object).toMatchObject({ status: { storedVersions: ["v1", "v2"] } });
  });
});

describe("strategies", () => {
  const served = new Set(resourceFacts.map((fact) => `${fact.group}/${fact.resource}`));
  it.each([...builtinStrategies.keys()])("%s is of a kind that is served", (key) => {
    expect(served.has(key)).toBe(true);
  });

  it("every kind that is stored has one", () => {
    const stored = resourceFacts.filter((fact) => fact.verbs.includes("list") && fact.resource !== "componentstatuses");
    const missing = stored.map((fact) => `${fact.group}/${fact.resource}`).filter((key) => !builtinStrategies.has(key));
    expect(missing).toEqual([]);
  });

  it.each([
    ["coordination.k8s.io/leases", true, false],
    ["/events", true, undefined],
    ["/serviceaccounts", undefined, false],
    ["/configmaps", undefined, undefined],
  ])("%s: create on update %s, unconditional %s", (key, createOnUpdate, unconditional) => {
    expect(strategyFor(key).createOnUpdate).toBe(createOnUpdate);
    expect(strategyFor(key).unconditionalUpdate).toBe(unconditional);
  });

  it("RBAC's names only have to fit into a path", () => {
    const check = strategyFor(`${rbac}/clusterroles`).validateName;
    expect(check?.("system:node:A")).toEqual([]);
    expect(check?.("a/b")).toEqual(["may not contain '/'"]);
    expect(check?.("..")).toEqual(["may not be '..'"]);
  });

  it("the APIService of the core group ends with a dot", () => {
    expect(strategyFor("apiregistration.k8s.io/apiservices").validateName?.("v1.")).toEqual([]);
  });
});

describe("metadata", () => {
  const messages = (metadata: JsonObject, namespaced = true): string[] =>
    validateObjectMeta({ metadata }, { namespaced }).map((error) => `${error.path}: ${error.message}`);

  it.each<readonly [string, JsonObject, boolean, readonly string[]]>([
    ["is good", { name: "a", namespace: "b" }, true, []],
    ["has a name", { namespace: "b" }, true, ["metadata.name: Required value: name or generateName is required"]],
    ["has a namespace", { name: "a" }, true, ["metadata.namespace: Required value"]],
    [
      "has no namespace",
      { name: "a", namespace: "b" },
      false,
      ["metadata.namespace: Forbidden: not allowed on this type"],
    ],
    ["a prefix may end in a dash", { name: "a", generateName: "a-", namespace: "b" }, true, []],
    [
      "labels have form",
      { name: "a", namespace: "b", labels: { x: "a b" } },
      true,
      [
        "metadata.labels: Invalid value: \"a b\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
      ],
    ],
    [
      "annotations have a limit in all",
      { name: "a", namespace: "b", annotations: { x: "y".repeat(262144) } },
      true,
      ["metadata.annotations: Too long: may not be more than 262144 bytes"],
    ],
    [
      "owners are whole",
      { name: "a", namespace: "b", ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: "p" }] },
      true,
      ['metadata.ownerReferences[0].uid: Invalid value: "": must not be empty'],
    ],
    [
      "finalizers have a domain",
      { name: "a", namespace: "b", finalizers: ["mine", "example.com/mine", "orphan"] },
      true,
      [
        'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
      ],
    ],
  ])("%s", (_name, metadata, namespaced, errors) => {
    expect(messages(metadata, namespaced)).toEqual(errors);
  });

  it("there is one controller", () => {
    const owner = { apiVersion: "v1", kind: "Pod", uid: "u", controller: true };
    const [error] = messages({
      name: "a",
      namespace: "b",
      ownerReferences: [
        { ...owner, name: "p" },
        { ...owner, name: "q" },
      ],
    });
    expect(error).toContain(
      'Only one reference can have Controller set to true. Found "true" in references for p and q',
    );
  });

  it("an update keeps identity, and a deletion gets no new finalizers", () => {
    const old = { metadata: { name: "a", uid: "1", deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: ["a/b"] } };
    const next = { metadata: { name: "a", uid: "2", finalizers: ["a/b", "c/d"] } };
    expect(validateObjectMetaUpdate(next, old).map((error) => `${error.path}: ${error.message}`)).toEqual([
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"c/d"}',
      'metadata.uid: Invalid value: "2": field is immutable',
    ]);
  });
});

describe("equality", () => {
  it.each([
    ["absent and empty", { a: undefined, b: [] }, {}, true],
    ["zero and absent", { a: 0, b: "", c: false }, {}, true],
    ["a label with an empty value and none", { labels: { a: "" } }, { labels: {} }, false],
    ["labels that swap an empty value", { labels: { a: "" } }, { labels: { b: "" } }, false],
    ["order of lists", [1, 2], [2, 1], false],
    ["order of keys", { a: 1, b: 2 }, { b: 2, a: 1 }, true],
    ["a struct of zeros", { securityContext: { privileged: false } }, {}, true],
    ["a true", { securityContext: { privileged: true } }, {}, false],
    ["a key that is a method", { labels: JSON.parse('{"constructor":"x"}') }, { labels: {} }, false],
  ])("%s", (_name, a, b, equal) => {
    expect(semanticallyEqual(a, b)).toBe(equal);
    expect(semanticallyEqual(b, a)).toBe(equal);
  });
});

describe("networks", () => {
  it.each([
    ["10.1.0.0/16", "10.0.0.0/8", true],
    ["10.0.0.0/8", "10.0.0.0/8", false],
    ["11.0.0.0/16", "10.0.0.0/8", false],
    ["fd00:1::/32", "fd00::/8", true],
    ["fe00::/32", "fd00::/8", false],
    ["10.0.0.0/16", "fd00::/8", false],
  ])("%s within %s: %s", (inner, outer, within) => {
    expect(isStrictSubnet(inner, outer)).toBe(within);
  });
});
