import { describe, expect, it } from "vitest";
import { ConfigurationError } from "../../api/configuration-shape.js";
import { makeAttributes } from "./fixture.js";
import { type AuditRule, parseAuditPolicy } from "./policy.js";
import { type AuditAttributes, auditDecisions } from "./policy-rules.js";

const policy = (rules: string): string => `apiVersion: audit.k8s.io/v1\nkind: Policy\n${rules}`;

describe("parseAuditPolicy", () => {
  it("reads YAML", () => {
    const text = policy(
      'omitStages: ["RequestReceived"]\nrules:\n- level: Metadata\n  resources:\n  - {group: "", resources: ["secrets"]}\n',
    );
    expect(parseAuditPolicy(text)).toEqual({
      omitStages: ["RequestReceived"],
      rules: [{ level: "Metadata", resources: [{ group: "", resources: ["secrets"] }] }],
    });
  });

  const resources = "rules[0].resources[0]";
  it.each([
    [
      "fields that are null",
      policy("omitStages: null\nrules:\n- level: null\n  users: null"),
      "rules[0].level: Required",
    ],
    ["no rule", policy("rules: []"), "rules: Required value: without a rule nothing is recorded"],
    [
      "another version",
      policy("rules: []").replace("v1", "v1beta1"),
      'apiVersion: Unsupported value: "audit.k8s.io/v1beta1"',
    ],
    ["another kind", "apiVersion: audit.k8s.io/v1\nkind: Pod\n", 'kind: Unsupported value: "Pod"'],
    ["an unknown field", policy("rules:\n- level: None\n  user: [jane]"), 'unknown field "rules[0].user"'],
    [
      "a wrong type",
      policy("rules:\n- level: None\n  users: jane"),
      'rules[0].users: Invalid value: "jane": want a list',
    ],
    ["no level", policy("rules:\n- users: [jane]"), "rules[0].level: Required value"],
    [
      "a level that is none",
      policy("rules:\n- level: All"),
      'rules[0].level: Unsupported value: "All": supported values',
    ],
    [
      "a stage that is none",
      policy("omitStages: [Never]\nrules:\n- level: None"),
      'omitStages[0]: Invalid value: "Never"',
    ],
    [
      "a group with a version",
      policy("rules:\n- level: None\n  resources:\n  - group: apps/v1"),
      `${resources}.group: Invalid value: "apps/v1"`,
    ],
    [
      "names without resources",
      policy("rules:\n- level: None\n  resources:\n  - resourceNames: [a]"),
      `${resources}.resourceNames: Invalid value: ["a"]: using resourceNames requires at least one resource`,
    ],
    [
      "paths beside namespaces",
      policy("rules:\n- level: None\n  namespaces: [a]\n  nonResourceURLs: [/healthz]"),
      "rules cannot apply to both regular resources and non-resource URLs",
    ],
    ["a path without a slash", policy("rules:\n- level: None\n  nonResourceURLs: [healthz]"), "must begin with a '/'"],
    ["an asterisk within a path", policy("rules:\n- level: None\n  nonResourceURLs: ['/a*/b']"), "must be the final"],
    ["a key that comes twice", policy("rules:\n- level: None\n  level: Request"), "already set"],
    ["no YAML", "{", "yaml"],
  ])("refuses %s", (_, text, message) => {
    expect(() => parseAuditPolicy(text)).toThrow(ConfigurationError);
    expect(() => parseAuditPolicy(text)).toThrow(message);
  });
});

describe("auditDecisions", () => {
  const level = "Request";
  it.each<[string, Partial<AuditRule>, Partial<AuditAttributes>, boolean]>([
    ["everything", {}, {}, true],
    ["a user", { users: ["jane"] }, {}, true],
    ["another user", { users: ["joe"] }, {}, false],
    ["nobody", { users: ["jane"] }, { user: undefined }, false],
    ["a group", { userGroups: ["ops", "dev"] }, {}, true],
    ["another group", { userGroups: ["ops"] }, {}, false],
    ["no group of nobody", { userGroups: ["ops"] }, { user: undefined }, false],
    ["a verb", { verbs: ["get"] }, {}, true],
    ["another verb", { verbs: ["list"] }, {}, false],
    ["a namespace", { namespaces: ["default"] }, {}, true],
    ["no namespace", { namespaces: [""] }, { namespace: "" }, true],
    ["another namespace", { namespaces: ["kube-system"] }, {}, false],
    ["a namespace and a path", { namespaces: [""] }, { path: "/healthz" }, false],
    ["a whole group", { resources: [{ group: "" }] }, {}, true],
    ["another group", { resources: [{ group: "apps" }] }, {}, false],
    ["a resource", { resources: [{ resources: ["pods"] }] }, {}, true],
    ["not its subresources", { resources: [{ resources: ["pods"] }] }, { subresource: "log" }, false],
    ["a subresource", { resources: [{ resources: ["pods/log"] }] }, { subresource: "log" }, true],
    ["all subresources", { resources: [{ resources: ["pods/*"] }] }, { subresource: "log" }, true],
    ["a subresource of all", { resources: [{ resources: ["*/log"] }] }, { subresource: "log" }, true],
    ["a subresource of all, not the resource", { resources: [{ resources: ["*/log"] }] }, {}, false],
    ["all resources", { resources: [{ resources: ["*"] }] }, { subresource: "log" }, true],
    ["a name", { resources: [{ resources: ["pods"], resourceNames: ["a"] }] }, { name: "a" }, true],
    ["another name", { resources: [{ resources: ["pods"], resourceNames: ["a"] }] }, { name: "b" }, false],
    ["a path", { nonResourceURLs: ["/healthz"] }, { path: "/healthz" }, true],
    ["a path below", { nonResourceURLs: ["/healthz"] }, { path: "/healthz/etcd" }, false],
    ["paths", { nonResourceURLs: ["/healthz*"] }, { path: "/healthz/etcd" }, true],
    ["all paths", { nonResourceURLs: ["*"] }, { path: "/metrics" }, true],
    ["all paths, no resource", { nonResourceURLs: ["*"] }, {}, false],
    ["resources, no path", { resources: [{ group: "" }] }, { path: "/api" }, false],
  ])("matches %s", (_, rule, asked, expected) => {
    const decide = auditDecisions({ rules: [{ level, ...rule }] });
    expect(decide(makeAttributes(asked)).level).toBe(expected ? level : "None");
  });

  it("takes the first rule, and joins what the policy says", () => {
    const decide = auditDecisions({
      omitStages: ["RequestReceived"],
      omitManagedFields: true,
      rules: [
        { level: "Metadata", verbs: ["get"], omitStages: ["Panic"], omitManagedFields: false },
        { level: "Request" },
      ],
    });
    expect(decide(makeAttributes())).toEqual({
      level: "Metadata",
      omitStages: ["RequestReceived", "Panic"],
      omitManagedFields: false,
    });
    expect(decide(makeAttributes({ verb: "list" }))).toMatchObject({ level: "Request", omitManagedFields: true });
  });
});
