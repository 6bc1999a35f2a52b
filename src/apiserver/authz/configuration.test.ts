import { describe, expect, test } from "vitest";
import { compileAuthorization, readAuthorizationConfiguration } from "./configuration.js";

const head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\n";
const compile = (text: string) => compileAuthorization(readAuthorizationConfiguration(head + text));

const good = {
  timeout: "3s",
  subjectAccessReviewVersion: "v1",
  failurePolicy: "Deny",
  connectionInfo: { type: "KubeConfigFile", kubeConfigFile: "/etc/hook" },
};
const webhook = (change: object = {}, name = "hook"): object => ({
  type: "Webhook",
  name,
  webhook: { ...good, ...change },
});
const listed = (...authorizers: readonly object[]): string => `authorizers: ${JSON.stringify(authorizers)}`;
const rbac = { type: "RBAC", name: "rbac" };

describe("an AuthorizationConfiguration", () => {
  test("says who decides, in its order", () => {
    const conditions = {
      matchConditionSubjectAccessReviewVersion: "v1",
      matchConditions: [{ expression: "request.user == 'a'" }],
    };
    const { authorizers } = compile(
      listed(webhook(conditions), { type: "Node", name: "node" }, rbac, webhook({}, "b")),
    );
    expect(authorizers.map(({ name }) => name)).toEqual(["hook", "node", "rbac", "b"]);
    expect(authorizers[0]?.conditions).toHaveLength(1);
  });

  const condition = (...expressions: readonly string[]): object => ({
    matchConditionSubjectAccessReviewVersion: "v1",
    matchConditions: expressions.map((expression) => ({ expression })),
  });
  const own = "authorizers[0].webhook";

  test.each<[string, string, string]>([
    ["nobody", "authorizers: []", "authorizers: Required value: at least one authorization mode must be defined"],
    ["a field that nobody knows", "authorizer: []", 'unknown field "authorizer"'],
    ["no type", listed({ name: "a" }), "authorizers[0].type: Required value"],
    ["a type that nobody knows", listed({ type: "ABAC", name: "a" }), 'authorizers[0].type: Unsupported value: "ABAC"'],
    ["RBAC twice", listed(rbac, { ...rbac, name: "b" }), 'authorizers[1].type: Duplicate value: "RBAC"'],
    ["no name", listed({ type: "RBAC" }), "authorizers[0].name: Required value"],
    ["a name twice", listed(rbac, webhook({}, "rbac")), 'authorizers[1].name: Duplicate value: "rbac"'],
    ["a name that is none", listed({ ...rbac, name: "A b" }), "authorizer name is invalid"],
    ["no webhook", listed({ type: "Webhook", name: "a" }), "authorizers[0].webhook: Required value"],
    ["a webhook of RBAC's", listed({ ...rbac, webhook: good }), "may only be specified when type=Webhook"],
    ["no timeout", listed(webhook({ timeout: undefined })), `${own}.timeout: Required value`],
    ["a long timeout", listed(webhook({ timeout: "31s" })), "must be > 0s and <= 30s"],
    [
      "a timeout that is none",
      listed(webhook({ timeout: "soon" })),
      `${own}.timeout: Invalid value: "soon": want a duration`,
    ],
    ["a time that is over", listed(webhook({ authorizedTTL: "-1s" })), `${own}.authorizedTTL: Invalid value`],
    ["no version", listed(webhook({ subjectAccessReviewVersion: undefined })), "subjectAccessReviewVersion: Required"],
    ["another version", listed(webhook({ subjectAccessReviewVersion: "v2" })), 'supported values: "v1", "v1beta1"'],
    ["no policy", listed(webhook({ failurePolicy: "" })), `${own}.failurePolicy: Required value`],
    ["another policy", listed(webhook({ failurePolicy: "Allow" })), 'supported values: "NoOpinion", "Deny"'],
    ["no connection", listed(webhook({ connectionInfo: undefined })), `${own}.connectionInfo.type: Required value`],
    [
      "its own cluster as the webhook",
      listed(webhook({ connectionInfo: { type: "InClusterConfig" } })),
      'connectionInfo.type: Unsupported value: "InClusterConfig"',
    ],
    [
      "a path from somewhere",
      listed(webhook({ connectionInfo: { type: "KubeConfigFile", kubeConfigFile: "a" } })),
      "must be an absolute path",
    ],
    [
      "conditions of no version",
      listed(webhook({ matchConditions: [{ expression: "true" }] })),
      `${own}.matchConditionSubjectAccessReviewVersion: Required value`,
    ],
    ["an empty condition", listed(webhook(condition(" "))), `${own}.matchConditions[0].expression: Required value`],
    ["a condition twice", listed(webhook(condition("true", "true"))), "matchConditions[1].expression: Duplicate value"],
    ["a condition of no bool", listed(webhook(condition("request.user"))), "must evaluate to bool but got string"],
    [
      "a condition that nobody understands",
      listed(webhook(condition("request.users == 'a'"))),
      "compilation failed: ERROR: <input>:1:8: undefined field 'users'",
    ],
    [
      "too many conditions",
      listed(webhook(condition(...Array.from({ length: 65 }, (_, index) => `${index} == 0`)))),
      `${own}.matchConditions: Too many: 65`,
    ],
  ])("with %s is refused", (_, text, message) => {
    expect(() => compile(text)).toThrow(message);
  });
});
