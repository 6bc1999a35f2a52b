import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../object.js";
import { created, updated, withPath } from "../testing.js";

interface Row {
  readonly name: string;
  readonly kind: string;
  readonly given: object;
  readonly errors: readonly string[];
}

function make(kind: string, given: object): { readonly object: JsonObject; readonly errors: string[] } {
  const metadata = { name: "x", ...(kind === "/nodes" ? {} : { namespace: "d" }) };
  return created(kind, { metadata, ...given } as unknown as JsonObject);
}

const rows: readonly Row[] = [
  {
    name: "a quota of the least for more than pods",
    kind: "/resourcequotas",
    given: { spec: { scopes: ["BestEffort"], hard: { pods: "1", cpu: "1" } } },
    errors: ['spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource'],
  },
  {
    name: "a quota of half a pod",
    kind: "/resourcequotas",
    given: { spec: { hard: { pods: "500m" } } },
    errors: ['spec.hard[pods]: Invalid value: "500m": must be an integer'],
  },
  {
    name: "a scope compared with what it cannot have",
    kind: "/resourcequotas",
    given: {
      spec: { scopeSelector: { matchExpressions: [{ scopeName: "Terminating", operator: "In", values: ["a"] }] } },
    },
    errors: [
      "spec.scopeSelector.matchExpressions.operator: Invalid value: \"In\": must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
    ],
  },
  {
    name: "both of two contrary scopes",
    kind: "/resourcequotas",
    given: { spec: { scopes: ["Terminating", "NotTerminating"] } },
    errors: ['spec.scopes: Invalid value: ["Terminating","NotTerminating"]: conflicting scopes'],
  },
  {
    name: "a default below the least, a request above the default",
    kind: "/limitranges",
    given: {
      spec: {
        limits: [{ type: "Container", min: { cpu: "2" }, default: { cpu: "1" }, defaultRequest: { cpu: "3" } }],
      },
    },
    errors: [
      'spec.limits[0].defaultRequest[cpu]: Invalid value: "3": default request value 3 is greater than default limit value 1',
      'spec.limits[0].default[cpu]: Invalid value: "2": min value 2 is greater than default value 1',
    ],
  },
  {
    name: "a ratio that cannot be reached, and one below one",
    kind: "/limitranges",
    given: {
      spec: {
        limits: [
          { type: "Pod", min: { cpu: "1" }, max: { cpu: "2" }, maxLimitRequestRatio: { cpu: "3", memory: "500m" } },
        ],
      },
    },
    errors: [
      'spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "3": ratio 3 is greater than max/min = 2.000000',
      'spec.limits[0].maxLimitRequestRatio[memory]: Invalid value: "500m": ratio 500m is less than 1',
    ],
  },
  {
    name: "limits of pods for storage, and defaults for pods",
    kind: "/limitranges",
    given: { spec: { limits: [{ type: "Pod", max: { storage: "1Gi" }, default: { cpu: "1" } }] } },
    errors: [
      'spec.limits[0].max[storage]: Invalid value: "storage": must be a standard resource for containers',
      "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'",
    ],
  },
  {
    name: "ranges of a node: bits of a host, and two of one family",
    kind: "/nodes",
    given: { spec: { podCIDRs: ["10.0.0.1/24", "10.1.0.0/24"] } },
    errors: [
      'spec.podCIDRs[0]: Invalid value: "10.0.0.1/24": must not have bits set beyond the prefix length',
      'spec.podCIDRs: Invalid value: ["10.0.0.1/24","10.1.0.0/24"]: may specify no more than one CIDR for each IP family',
    ],
  },
];

describe("objects that hold a cluster together", () => {
  it.each(rows)("$name", ({ kind, given, errors }) => {
    expect(make(kind, given).errors).toEqual(errors);
  });

  it("a node keeps its ranges and its provider's name, and tells an address once", () => {
    const old = make("/nodes", { spec: { podCIDRs: ["10.0.0.0/24"], providerID: "p://1" } }).object;
    const moved = withPath(withPath(old, "spec.podCIDRs", ["10.1.0.0/24"]), "spec.providerID", "p://2");
    expect(updated("/nodes", moved, old).errors).toEqual([
      'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
      'spec.providerID: Forbidden: node updates may not change providerID except from "" to valid',
    ]);
    const address = { type: "InternalIP", address: "10.0.0.1" };
    const told = withPath(old, "status.addresses", [address, address]);
    expect(updated("/nodes", told, old, "status").errors).toEqual([
      'status.addresses[1]: Duplicate value: {"Type":"InternalIP","Address":"10.0.0.1"}',
    ]);
  });

  it("a quota's status has the resources of a quota", () => {
    const old = make("/resourcequotas", { spec: { hard: { pods: "1" } } }).object;
    const next = withPath(old, "status", { used: { pods: "-1" } });
    expect(updated("/resourcequotas", next, old, "status").errors).toEqual([
      'status.used[pods]: Invalid value: "-1": must be greater than or equal to 0',
    ]);
  });

  it("finalizers that are left to a namespace have names", () => {
    const old = make("/namespaces", {}).object;
    const next = withPath(old, "spec.finalizers", ["mine"]);
    expect(updated("/namespaces", next, old, "finalize").errors).toContain(
      'spec.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
    );
  });
});
