import { expect, test } from "vitest";
import { validatingAdmissionPolicies } from "../../api/index.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { validatingAdmissionPolicyStatusController } from "./validatingadmissionpolicystatus.js";

test("writes down what does not fit, and again when the policy changes", async () => {
  const scenario = new Scenario({ controllers: [validatingAdmissionPolicyStatusController] });
  await scenario.start();
  const rule = { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["deployments"] };
  const spec = { matchConstraints: { resourceRules: [rule] }, validations: [{ expression: "object.replicas > 1" }] };
  await scenario.create(validatingAdmissionPolicies, {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicy",
    metadata: { name: "p" },
    spec,
  });
  await scenario.settle();
  const status = async () => (await scenario.get(validatingAdmissionPolicies, "p"))?.status;
  const warning =
    "apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'replicas'\n | object.replicas > 1\n | ......^\n";
  expect(await status()).toEqual({
    observedGeneration: 1,
    typeChecking: { expressionWarnings: [{ fieldRef: "spec.validations[0].expression", warning }] },
  });
  const validations = [{ expression: "object.spec.replicas > 1" }];
  await scenario.change(validatingAdmissionPolicies, "p", { spec: { validations } });
  await scenario.settle();
  expect(await status()).toEqual({ observedGeneration: 2, typeChecking: {} });
  expect(scenario.problems).toEqual([]);
});
