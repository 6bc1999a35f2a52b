import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../object.js";
import { created, updated, withPath } from "../testing.js";

const schemas = "flowcontrol.apiserver.k8s.io/flowschemas";
const levels = "flowcontrol.apiserver.k8s.io/prioritylevelconfigurations";
const all = ["*"];
const nonResourceRules = [{ verbs: all, nonResourceURLs: all }];
const user = { kind: "User", user: { name: "anna" } };

interface Row {
  readonly name: string;
  readonly given: object;
  readonly errors: readonly unknown[];
}

function schemaOf(rules: readonly object[], more: object = {}): object {
  return { metadata: { name: "a" }, spec: { priorityLevelConfiguration: { name: "l" }, rules, ...more } };
}

const schemaRows: readonly Row[] = [
  { name: "one user", given: schemaOf([{ subjects: [user], nonResourceRules }]), errors: [] },
  {
    name: "precedence of the exempt, a method that there is not, no level's name",
    given: schemaOf([], {
      matchingPrecedence: 1,
      distinguisherMethod: { type: "ByNode" },
      priorityLevelConfiguration: { name: "L" },
    }),
    errors: [
      "spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1",
      'spec.distinguisherMethod.type: Unsupported value: {"type":"ByNode"}: supported values: "ByNamespace", "ByUser"',
      expect.stringMatching(
        /^spec\.priorityLevelConfiguration\.name: Invalid value: "L": a lowercase RFC 1123 subdomain/,
      ),
    ],
  },
  {
    name: "nobody and nothing",
    given: schemaOf([{}]),
    errors: [
      "spec.rules[0].subjects: Required value: subjects must contain at least one value",
      "spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty",
    ],
  },
  {
    name: "subjects of the wrong kind",
    given: schemaOf([
      {
        subjects: [
          { kind: "Node" },
          { ...user, group: { name: "g" } },
          { kind: "Group", user: { name: "" } },
          { kind: "ServiceAccount", serviceAccount: { name: "*" } },
          { kind: "ServiceAccount", serviceAccount: { name: "", namespace: "N" }, user: {} },
        ],
        nonResourceRules,
      },
    ]),
    errors: [
      'spec.rules[0].subjects[0].kind: Unsupported value: "Node": supported values: "Group", "ServiceAccount", "User"',
      "spec.rules[0].subjects[1].group: Forbidden: group is forbidden when subject kind is not 'Group'",
      "spec.rules[0].subjects[2].group: Required value: group is required when subject kind is 'Group'",
      "spec.rules[0].subjects[2].user: Forbidden: user is forbidden when subject kind is not 'User'",
      "spec.rules[0].subjects[3].serviceAccount.namespace: Required value: must specify namespace for service account",
      "spec.rules[0].subjects[4].serviceAccount.name: Required value",
      expect.stringMatching(/^spec\.rules\[0\]\.subjects\[4\]\.serviceAccount\.namespace: Invalid value: "N": /),
      "spec.rules[0].subjects[4].user: Forbidden: user is forbidden when subject kind is not 'User'",
    ],
  },
  {
    name: "rules that are none",
    given: schemaOf([
      {
        subjects: [user],
        resourceRules: [
          {},
          { verbs: ["*", "get"], apiGroups: ["*", "a"], resources: ["*", "a"], namespaces: ["*", "a"] },
          { verbs: ["look"], apiGroups: [""], resources: ["pods"], namespaces: ["A"] },
        ],
      },
    ]),
    errors: [
      "spec.rules[0].resourceRules[0].verbs: Required value: verbs must contain at least one value",
      "spec.rules[0].resourceRules[0].apiGroups: Required value: resource rules must supply at least one api group",
      "spec.rules[0].resourceRules[0].resources: Required value: resource rules must supply at least one resource",
      "spec.rules[0].resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace",
      'spec.rules[0].resourceRules[1].verbs: Invalid value: ["*","get"]: if \'*\' is present, must not specify other verbs',
      'spec.rules[0].resourceRules[1].apiGroups: Invalid value: ["*","a"]: if \'*\' is present, must not specify other api groups',
      'spec.rules[0].resourceRules[1].resources: Invalid value: ["*","a"]: if \'*\' is present, must not specify other resources',
      'spec.rules[0].resourceRules[1].namespaces: Invalid value: ["*","a"]: if \'*\' is present, must not specify other namespaces',
      'spec.rules[0].resourceRules[2].verbs: Unsupported value: ["look"]: supported values: "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"',
      expect.stringContaining(
        "spec.rules[0].resourceRules[2].namespaces[0]: Invalid value: \"A\": each member of this list must be '*' or a DNS-1123 label; a lowercase",
      ),
    ],
  },
  {
    name: "paths that match nothing",
    given: schemaOf([
      {
        subjects: [user],
        nonResourceRules: [{ verbs: all, nonResourceURLs: ["/", "", "a", "/a b", "/a//b", "/a*", "/a/*"] }],
      },
    ]),
    errors: [
      'spec.rules[0].nonResourceRules[0].nonResourceURLs[1]: Invalid value: "": must not be empty',
      'spec.rules[0].nonResourceRules[0].nonResourceURLs[2]: Invalid value: "a": must start with slash',
      'spec.rules[0].nonResourceRules[0].nonResourceURLs[3]: Invalid value: "/a b": must not contain white-space',
      'spec.rules[0].nonResourceRules[0].nonResourceURLs[4]: Invalid value: "/a//b": must not contain double slash',
      'spec.rules[0].nonResourceRules[0].nonResourceURLs[5]: Invalid value: "/a*": wildcard can only do suffix matching',
    ],
  },
  {
    name: "another catch-all",
    given: { ...schemaOf([{ subjects: [user], nonResourceRules }]), metadata: { name: "catch-all" } },
    errors: [expect.stringMatching(/^spec: Invalid value: .*: spec of 'catch-all' must equal the fixed value$/)],
  },
];

const levelRows: readonly Row[] = [
  {
    name: "queues by default",
    given: {
      metadata: { name: "a" },
      spec: { type: "Limited", limited: { limitResponse: { type: "Queue", queuing: {} } } },
    },
    errors: [],
  },
  {
    name: "exempt under another name",
    given: { metadata: { name: "a" }, spec: { type: "Exempt", limited: { limitResponse: { type: "Reject" } } } },
    errors: [
      "spec.type: Invalid value: \"Exempt\": type must be 'Exempt' if and only if name is 'exempt'",
      "spec.limited: Forbidden: must be nil if the type is not Limited",
    ],
  },
  {
    name: "the exempt, with shares of its own",
    given: { metadata: { name: "exempt" }, spec: { type: "Exempt", exempt: { nominalConcurrencyShares: 9 } } },
    errors: [],
  },
  {
    name: "the exempt, limited",
    given: { metadata: { name: "exempt" }, spec: { type: "Limited", limited: { limitResponse: { type: "Reject" } } } },
    errors: [
      "spec.type: Invalid value: \"Limited\": type must be 'Exempt' if and only if name is 'exempt'",
      expect.stringMatching(
        /^spec: Invalid value: .*: spec of 'exempt' except the 'spec.exempt' field must equal the fixed value$/,
      ),
    ],
  },
  {
    name: "shares that there are not",
    given: {
      metadata: { name: "a" },
      spec: {
        type: "Limited",
        limited: {
          nominalConcurrencyShares: -1,
          lendablePercent: 101,
          borrowingLimitPercent: -1,
          limitResponse: { type: "Reject", queuing: {} },
        },
      },
    },
    errors: [
      "spec.limited.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer",
      "spec.limited.limitResponse.queuing: Forbidden: must be nil if limited.limitResponse.type is not Limited",
      "spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive",
      "spec.limited.borrowingLimitPercent: Invalid value: -1: if specified, must be a non-negative integer",
    ],
  },
  ...[
    { queuing: undefined, error: ": Required value: must not be empty if limited.limitResponse.type is Limited" },
    {
      queuing: { queues: 10_000_001, handSize: 1 },
      error: ".queues: Invalid value: 10000001: must not be greater than 10000000",
    },
    {
      queuing: { queues: 4, handSize: 5 },
      error: ".handSize: Invalid value: 5: should not be greater than queues (4)",
    },
    {
      queuing: { queues: 512, handSize: 8 },
      error:
        ".handSize: Invalid value: 8: required entropy bits of deckSize 512 and handSize 8 should not be greater than 60",
    },
    { queuing: { queueLengthLimit: -1 }, error: ".queueLengthLimit: Invalid value: -1: must be positive" },
  ].map(({ queuing, error }) => ({
    name: `queues ${JSON.stringify(queuing)}`,
    given: {
      metadata: { name: "a" },
      spec: { type: "Limited", limited: { limitResponse: { type: "Queue", queuing } } },
    },
    errors: [expect.stringContaining(`spec.limited.limitResponse.queuing${error}`)],
  })),
];

describe("flow schemas", () => {
  it.each(schemaRows)("match $name", ({ given, errors }) => {
    expect(created(schemas, given as JsonObject).errors).toEqual(errors);
  });

  it("have a status with one condition of a type", () => {
    const object = schemaOf([]) as JsonObject;
    const conditions = [{ type: "Dangling" }, { type: "Dangling" }, {}];
    expect(updated(schemas, withPath(object, "status", { conditions }), object, "status").errors).toEqual([
      'status.conditions[1].type: Duplicate value: "Dangling"',
      "status.conditions[2].type: Required value: must not be empty",
    ]);
  });
});

describe("priority levels", () => {
  it.each(levelRows)("have $name", ({ given, errors }) => {
    expect(created(levels, given as JsonObject).errors).toEqual(errors);
  });
});
