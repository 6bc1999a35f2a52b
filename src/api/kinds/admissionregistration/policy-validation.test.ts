import { describe, expect, it } from "vitest";
import type {
  MutatingAdmissionPolicySpec,
  ValidatingAdmissionPolicyBindingSpec,
  ValidatingAdmissionPolicySpec,
} from "../../gen/types.js";
import type { Loose } from "../loose.js";
import { defaultMutatingPolicy, defaultValidatingPolicy } from "./defaults.js";
import { validateMutatingPolicy, validateValidatingBinding, validateValidatingPolicy } from "./policy-validation.js";

const matchConstraints = {
  resourceRules: [{ apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["deployments"] }],
};

const shown = (errors: readonly { readonly path: string; readonly message: string }[]): readonly string[] =>
  errors.map(({ path, message }) => `${path}: ${message}`);

const validating = (spec: Loose<ValidatingAdmissionPolicySpec>): readonly string[] =>
  shown(
    validateValidatingPolicy(defaultValidatingPolicy({ metadata: { name: "p" }, spec: { matchConstraints, ...spec } })),
  );

const mutating = (spec: Loose<MutatingAdmissionPolicySpec>): readonly string[] =>
  shown(
    validateMutatingPolicy(defaultMutatingPolicy({ metadata: { name: "p" }, spec: { matchConstraints, ...spec } })),
  );

describe("the expressions of a ValidatingAdmissionPolicy", () => {
  const validations = [{ expression: "true" }];
  const cases: readonly {
    readonly name: string;
    readonly spec: Loose<ValidatingAdmissionPolicySpec>;
    readonly errors: readonly string[];
  }[] = [
    {
      name: "good ones",
      spec: { validations: [{ expression: "object.spec.replicas < 5 && request.name != ''" }] },
      errors: [],
    },
    {
      name: "a syntax error",
      spec: { validations: [{ expression: "object.x in" }] },
      errors: [
        `spec.validations[0].expression: Invalid value: "object.x in": compilation failed: ERROR: <input>:1:12: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}\n | object.x in\n | ...........^`,
      ],
    },
    {
      name: "another type than bool",
      spec: { validations: [{ expression: "object.x" }, { expression: "'a'" }] },
      errors: [
        'spec.validations[0].expression: Invalid value: "object.x": must evaluate to bool but got dyn',
        "spec.validations[1].expression: Invalid value: \"'a'\": must evaluate to bool but got string",
      ],
    },
    {
      name: "a name that is not declared",
      spec: { validations: [{ expression: "params.x == 1" }] },
      errors: [
        "spec.validations[0].expression: Invalid value: \"params.x == 1\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'params' (in container '')\n | params.x == 1\n | ^",
      ],
    },
    {
      name: "params of a policy that has them",
      spec: { paramKind: { apiVersion: "v1", kind: "ConfigMap" }, validations: [{ expression: "params.x == 1" }] },
      errors: [],
    },
    {
      name: "a field that requests do not have",
      spec: { validations: [{ expression: "request.nope == 1" }] },
      errors: [
        "spec.validations[0].expression: Invalid value: \"request.nope == 1\": compilation failed: ERROR: <input>:1:8: undefined field 'nope'\n | request.nope == 1\n | .......^",
      ],
    },
    {
      name: "a variable before it is declared",
      spec: {
        variables: [
          { name: "a", expression: "variables.b" },
          { name: "b", expression: "1" },
        ],
        validations,
      },
      errors: [
        "spec.variables[0].expression: Invalid value: \"variables.b\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'variables' (in container '')\n | variables.b\n | ^",
      ],
    },
    {
      name: "a variable's name that is a word of the language",
      spec: { variables: [{ name: "for", expression: "1" }], validations },
      errors: ['spec.variables[0].name: Invalid value: "for": name is not a valid CEL identifier'],
    },
    {
      name: "an authorizer in a message",
      spec: { validations: [{ expression: "true", messageExpression: "authorizer.path('/').check('get').reason()" }] },
      errors: [
        "spec.validations[0].messageExpression: Invalid value: \"authorizer.path('/').check('get').reason()\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'authorizer' (in container '')\n | authorizer.path('/').check('get').reason()\n | ^",
      ],
    },
    {
      name: "an annotation that is no text",
      spec: {
        auditAnnotations: [
          { key: "a", valueExpression: "1" },
          { key: "a", valueExpression: "null" },
        ],
      },
      errors: [
        'spec.auditAnnotations[0].valueExpression: Invalid value: "1": must evaluate to one of [string null_type] but got int',
        'spec.auditAnnotations[1].key: Duplicate value: "a"',
      ],
    },
    {
      name: "nothing at all",
      spec: {},
      errors: [
        "spec.validations: Required value: validations or auditAnnotations must contain at least one item",
        "spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item",
      ],
    },
    {
      name: "another reason than upstream's",
      spec: { validations: [{ expression: "true", reason: "NotFound" }] },
      errors: [
        'spec.validations[0].reason: Unsupported value: "NotFound": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge"',
      ],
    },
    {
      name: "a condition that is no bool",
      spec: { matchConditions: [{ name: "c", expression: "1" }], validations },
      errors: ['spec.matchConditions[0].expression: Invalid value: "1": must evaluate to bool but got int'],
    },
  ];
  it.each(cases)("are checked: $name", ({ spec, errors }) => {
    expect(validating(spec)).toEqual(errors);
  });
});

describe("the expressions of a MutatingAdmissionPolicy", () => {
  const cases: readonly { readonly name: string; readonly mutation: object; readonly errors: readonly string[] }[] = [
    {
      name: "a good configuration",
      mutation: {
        patchType: "ApplyConfiguration",
        applyConfiguration: { expression: "Object{spec: Object.spec{replicas: 1}}" },
      },
      errors: [],
    },
    {
      name: "a configuration of the wrong type",
      mutation: { patchType: "ApplyConfiguration", applyConfiguration: { expression: "Object.spec{replicas: 1}" } },
      errors: [
        'spec.mutations[0].applyConfiguration.expression: Invalid value: "Object.spec{replicas: 1}": must evaluate to Object but got Object.spec',
      ],
    },
    {
      name: "a place within a literal",
      mutation: {
        patchType: "ApplyConfiguration",
        applyConfiguration: { expression: "Object{spec: Object.spec{replicas: nope}}" },
      },
      errors: [
        "spec.mutations[0].applyConfiguration.expression: Invalid value: \"Object{spec: Object.spec{replicas: nope}}\": compilation failed: ERROR: <input>:1:36: undeclared reference to 'nope' (in container '')\n | Object{spec: Object.spec{replicas: nope}}\n | ...................................^",
      ],
    },
    {
      name: "a patch with a field that patches do not have",
      mutation: { patchType: "JSONPatch", jsonPatch: { expression: "[JSONPatch{op: 'add', where: '/a'}]" } },
      errors: [
        "spec.mutations[0].jsonPatch.expression: Invalid value: \"[JSONPatch{op: 'add', where: '/a'}]\": compilation failed: ERROR: <input>:1:1: undefined field 'where'",
      ],
    },
    {
      name: "a patch that is no list",
      mutation: { patchType: "JSONPatch", jsonPatch: { expression: "JSONPatch{op: 'add'}" } },
      errors: [
        "spec.mutations[0].jsonPatch.expression: Invalid value: \"JSONPatch{op: 'add'}\": must evaluate to list(JSONPatch) but got JSONPatch",
      ],
    },
    {
      name: "the other patch type's field",
      mutation: { patchType: "JSONPatch", applyConfiguration: { expression: "Object{}" } },
      errors: [
        "spec.mutations[0].applyConfiguration: Forbidden: may only be specified when patchType is ApplyConfiguration",
        "spec.mutations[0].jsonPatch: Required value: must be specified when patchType is JSONPatch",
      ],
    },
  ];
  it.each(cases)("are checked: $name", ({ mutation, errors }) => {
    expect(mutating({ mutations: [mutation] })).toEqual(errors);
  });
});

describe("a binding", () => {
  const cases: readonly {
    readonly name: string;
    readonly spec: Loose<ValidatingAdmissionPolicyBindingSpec>;
    readonly errors: readonly string[];
  }[] = [
    { name: "is good", spec: {}, errors: [] },
    {
      name: "names params in two ways",
      spec: { paramRef: { name: "a", selector: {}, parameterNotFoundAction: "Deny" } },
      errors: [
        "spec.paramRef.name: Forbidden: name and selector are mutually exclusive",
        "spec.paramRef.selector: Forbidden: name and selector are mutually exclusive",
      ],
    },
    {
      name: "names no params",
      spec: { paramRef: {} },
      errors: [
        "spec.paramRef: Required value: one of name or selector must be specified",
        "spec.paramRef.parameterNotFoundAction: Required value",
      ],
    },
    {
      name: "denies and warns",
      spec: { validationActions: ["Deny", "Warn"] },
      errors: [
        'spec.validationActions: Invalid value: ["Deny","Warn"]: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
      ],
    },
  ];
  it.each(cases)("$name", ({ spec, errors }) => {
    const binding = { spec: { policyName: "p", validationActions: ["Deny"], ...spec } };
    expect(shown(validateValidatingBinding(binding))).toEqual(errors);
  });
});
