import { describe, expect, it } from "vitest";
import { builtinDescriptions } from "../describe/index.js";
import type { ValidatingAdmissionPolicy, ValidatingAdmissionPolicySpec } from "../gen/types.js";
import { checkTypes } from "./type-check.js";

const served = builtinDescriptions(new Map());

const warnings = (spec: ValidatingAdmissionPolicySpec, rule: object = {}): readonly string[] => {
  const whole = { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["*"], resources: ["deployments"], ...rule };
  const policy = { spec: { matchConstraints: { resourceRules: [whole] }, ...spec } };
  return checkTypes(policy as unknown as ValidatingAdmissionPolicy, served).map(
    ({ fieldRef, warning }) => `${fieldRef}: ${warning}`,
  );
};

describe("the types of a policy's expressions", () => {
  const cases: readonly {
    readonly name: string;
    readonly spec: ValidatingAdmissionPolicySpec;
    readonly rule?: object;
    readonly warned: readonly string[];
  }[] = [
    {
      name: "a field that the kind has",
      spec: { validations: [{ expression: "object.spec.replicas > 1 && has(object.metadata.labels)" }] },
      warned: [],
    },
    {
      name: "a field that it does not have",
      spec: { validations: [{ expression: "object.replicas > 1" }] },
      warned: [
        "spec.validations[0].expression: apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'replicas'\n | object.replicas > 1\n | ......^\n",
      ],
    },
    {
      name: "a value of another type",
      spec: { validations: [{ expression: "true", messageExpression: "object.metadata.name + object.spec.replicas" }] },
      warned: [
        "spec.validations[0].messageExpression: apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_+_' applied to '(string, int)'\n | object.metadata.name + object.spec.replicas\n | .....................^\n",
      ],
    },
    {
      name: "each kind of the rules",
      spec: { validations: [{ expression: "object.spec.replicas > 1" }] },
      rule: { apiGroups: ["", "apps"], resources: ["pods", "deployments"] },
      warned: [
        "spec.validations[0].expression: /v1, Kind=Pod: ERROR: <input>:1:12: undefined field 'replicas'\n | object.spec.replicas > 1\n | ...........^\n",
      ],
    },
    {
      name: "variables, which have types too",
      spec: {
        variables: [{ name: "spec", expression: "object.spec" }],
        validations: [{ expression: "variables.spec.nope == 1" }],
      },
      warned: [
        "spec.validations[0].expression: apps/v1, Kind=Deployment: ERROR: <input>:1:15: undefined field 'nope'\n | variables.spec.nope == 1\n | ..............^\n",
      ],
    },
    {
      name: "params of a kind that is served",
      spec: {
        paramKind: { apiVersion: "v1", kind: "ConfigMap" },
        validations: [{ expression: "object.spec.replicas <= params.maxReplicas" }],
      },
      warned: [
        "spec.validations[0].expression: apps/v1, Kind=Deployment: ERROR: <input>:1:31: undefined field 'maxReplicas'\n | object.spec.replicas <= params.maxReplicas\n | ..............................^\n",
      ],
    },
    {
      name: "nothing where a rule is for everything",
      spec: { validations: [{ expression: "object.nope" }] },
      rule: { apiGroups: ["*"] },
      warned: [],
    },
  ];
  it.each(cases)("are checked: $name", ({ spec, rule, warned }) => {
    expect(warnings(spec, rule)).toEqual(warned);
  });

  it("are known of every built-in kind, also of those that refer to themselves", () => {
    for (const { group, version, resource } of served) {
      const rule = { apiGroups: [group], apiVersions: [version], resources: [resource] };
      expect(
        warnings({ validations: [{ expression: "object.metadata.name != '' && oldObject != null" }] }, rule),
      ).toEqual([]);
    }
  });
});
