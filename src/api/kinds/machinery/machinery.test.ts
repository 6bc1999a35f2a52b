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
