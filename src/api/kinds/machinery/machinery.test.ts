import { describe, expect, it } from "vitest";
import { created, strategyFor, updated } from "../testing.js";

describe("leases", () => {
  it("keep the fields of coordinated election only if they have them already", () => {
    const spec = { holderIdentity: "a", strategy: "OldestEmulationVersion", preferredHolder: "b" };
    const kind = "coordination.k8s.io/leases";
    expect(created(kind, { spec }).object["spec"]).toEqual({ holderIdentity: "a" });
    expect(updated(kind, { spec }, { spec }).object["spec"]).toEqual(spec);
  });
});

describe("service accounts", () => {
  it("refer to secrets by name", () => {
    const secrets = [{ kind: "Secret", namespace: "other", name: "token" }];
    expect(created("/serviceaccounts", { secrets }).object["secrets"]).toEqual([{ name: "token" }]);
  });

  it("warn of an annotation that goes away", () => {
    const annotations = { "kubernetes.io/enforce-mountable-secrets": "true" };
    const account = { metadata: { annotations } };
    const { warnings } = strategyFor("/serviceaccounts");
    expect(warnings?.(account, undefined)).toEqual([
      "metadata.annotations[kubernetes.io/enforce-mountable-secrets]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets",
    ]);
    expect(warnings?.(account, account)).toEqual([]);
  });
});

describe("runtime classes", () => {
  const kind = "node.k8s.io/runtimeclasses";

  it("have an overhead in what containers may ask for", () => {
    const given = { handler: "gvisor", overhead: { podFixed: { cpu: "-1", gpus: "1" } } };
    expect(created(kind, given).errors).toEqual([
      'overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
      'overhead.limits[gpus]: Invalid value: "gpus": must be a standard resource type or fully qualified',
      'overhead.limits[gpus]: Invalid value: "gpus": must be a standard resource for containers',
    ]);
  });

  it("keep their handler, whose name is a label", () => {
    const stored = { handler: "gvisor" };
    expect(updated(kind, { handler: "kata" }, stored).errors).toEqual([
      'handler: Invalid value: "kata": field is immutable',
    ]);
    expect(created(kind, { handler: "a.b" }).errors).toEqual(['handler: Invalid value: "a.b": must not contain dots']);
  });
});

describe("priority classes", () => {
  const kind = "scheduling.k8s.io/priorityclasses";

  it.each([
    { name: "of a user", given: { value: 1_000_000_000 }, errors: [] },
    {
      name: "of a user above all others",
      given: { value: 1_000_000_001 },
      errors: ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
    },
    {
      name: "with a prefix of the system",
      given: { metadata: { name: "system-x" }, value: 1 },
      errors: [
        "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-x is not a known system priority class",
      ],
    },
    { name: "with no policy", given: { preemptionPolicy: "" }, errors: ["preemptionPolicy: Required value"] },
    {
      name: "with an odd policy",
      given: { preemptionPolicy: "Odd" },
      errors: ['preemptionPolicy: Unsupported value: "Odd": supported values: "PreemptLowerPriority", "Never"'],
    },
  ])("$name", ({ given, errors }) => {
    expect(created(kind, { metadata: { name: "x" }, ...given }).errors).toEqual(errors);
  });
});
