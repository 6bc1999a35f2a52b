import { describe, expect, test } from "vitest";
import type { FlowSchema, New } from "../../api/index.js";
import { parseRequestInfo } from "../http/request-info.js";
import { configured, flowRequest, schemaNamed } from "./fixture.js";

const controller = "system:kube-controller-manager";
const authenticated = ["system:authenticated"];
const nodes = ["system:nodes", "system:authenticated"];
const accounts = (namespace: string): readonly string[] => [
  "system:serviceaccounts",
  `system:serviceaccounts:${namespace}`,
  "system:authenticated",
];
const lease = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/a";

describe("upstream's schemas", () => {
  test.each([
    ["PUT", lease, "system:node:a", nodes, "system-node-high"],
    ["PATCH", "/api/v1/nodes/a/status", "system:node:a", nodes, "system-node-high"],
    ["GET", "/api/v1/namespaces/a/pods/b", "system:node:a", nodes, "system-nodes"],
    ["POST", "/api/v1/namespaces/a/pods", "system:node:a", nodes, "system-nodes"],
    ["PUT", lease, controller, authenticated, "system-leader-election"],
    ["DELETE", lease, controller, authenticated, "kube-controller-manager"],
    ["PUT", "/api/v1/namespaces/a/endpoints/b", controller, authenticated, "endpoint-controller"],
    ["GET", "/api/v1/pods", controller, authenticated, "kube-controller-manager"],
    ["GET", "/api/v1/pods", "system:kube-scheduler", authenticated, "kube-scheduler"],
    [
      "GET",
      "/api/v1/pods",
      "system:serviceaccount:kube-system:a",
      accounts("kube-system"),
      "kube-system-service-accounts",
    ],
    ["GET", "/api/v1/pods", "system:serviceaccount:a:b", accounts("a"), "service-accounts"],
    ["PUT", lease, "system:serviceaccount:kube-system:a", accounts("kube-system"), "system-leader-election"],
    ["GET", "/api/v1/pods", "jane", authenticated, "global-default"],
    ["GET", "/api/v1/pods", "jane", ["system:masters", ...authenticated], "exempt"],
    ["GET", "/healthz", "system:anonymous", ["system:unauthenticated"], "probes"],
    ["GET", "/livez/ping", "system:anonymous", ["system:unauthenticated"], "probes"],
    ["GET", "/livezz", "system:anonymous", ["system:unauthenticated"], "global-default"],
    ["GET", "/api/v1/pods", "nobody", [], "catch-all"],
  ])("%s %s of %s", (method, path, username, groups, expected) => {
    const { control } = configured();
    expect(control.admit(flowRequest(method, path, { username, groups }))).toMatchObject({
      flow: { schemaName: expected },
    });
  });
});

const subject = { kind: "User", user: { name: "*" } };
const rule = (more: object): object => ({
  verbs: ["*"],
  apiGroups: ["*"],
  resources: ["*"],
  clusterScope: true,
  namespaces: ["*"],
  ...more,
});
const resources = (more: object): object => ({ subjects: [subject], resourceRules: [rule(more)] });
const urls = (...nonResourceURLs: string[]): object => ({
  subjects: [subject],
  nonResourceRules: [{ verbs: ["get"], nonResourceURLs }],
});
const by = (one: object): object => ({ subjects: [one], resourceRules: [rule({})] });
const account = (namespace: string, name: string): object =>
  by({ kind: "ServiceAccount", serviceAccount: { namespace, name } });

describe("a rule", () => {
  test.each([
    ["verbs", resources({ verbs: ["get", "list"] }), "GET", "/api/v1/pods", true],
    ["other verbs", resources({ verbs: ["get", "create"] }), "GET", "/api/v1/pods", false],
    ["a group", resources({ apiGroups: ["apps"] }), "GET", "/apis/apps/v1/deployments", true],
    ["the core group is not all", resources({ apiGroups: [""] }), "GET", "/apis/apps/v1/deployments", false],
    ["a subresource", resources({ resources: ["pods/log"] }), "GET", "/api/v1/namespaces/a/pods/b/log", true],
    [
      "a resource without subresources",
      resources({ resources: ["pods"] }),
      "GET",
      "/api/v1/namespaces/a/pods/b/log",
      false,
    ],
    ["all resources, subresources too", resources({}), "GET", "/api/v1/namespaces/a/pods/b/log", true],
    ["a namespace", resources({ namespaces: ["a"], clusterScope: false }), "GET", "/api/v1/namespaces/a/pods", true],
    ["another namespace", resources({ namespaces: ["b"] }), "GET", "/api/v1/namespaces/a/pods", false],
    ["no cluster scope", resources({ clusterScope: false }), "GET", "/api/v1/pods", false],
    ["cluster scope alone", resources({ namespaces: [] }), "GET", "/api/v1/nodes/a", true],
    ["cluster scope, in a namespace", resources({ namespaces: [] }), "GET", "/api/v1/namespaces/a/pods", false],
    [
      "a namespace is in itself",
      resources({ namespaces: ["a"], clusterScope: false }),
      "GET",
      "/api/v1/namespaces/a",
      true,
    ],
    ["resources are no paths", resources({}), "GET", "/version", false],
    ["paths are no resources", urls("*"), "GET", "/api/v1/pods", false],
    ["a path", urls("/version"), "GET", "/version", true],
    ["below a path", urls("/healthz"), "GET", "/healthz/etcd", true],
    ["below a path, with a star", urls("/healthz/*"), "GET", "/healthz/etcd", true],
    ["the path itself, with a star", urls("/healthz/*"), "GET", "/healthz", false],
    ["a longer path", urls("/healthz"), "GET", "/healthzz", false],
    ["another verb of a path", urls("*"), "POST", "/version", false],
    ["a user", by({ kind: "User", user: { name: "jane" } }), "GET", "/api/v1/pods", true],
    ["another user", by({ kind: "User", user: { name: "jan" } }), "GET", "/api/v1/pods", false],
    ["a group of the user", by({ kind: "Group", group: { name: "dev" } }), "GET", "/api/v1/pods", true],
    ["all groups", by({ kind: "Group", group: { name: "*" } }), "GET", "/api/v1/pods", true],
    ["an account", account("a", "jane"), "GET", "/api/v1/pods", false],
  ])("%s", (_, rules, method, path, expected) => {
    const schema = schemaNamed("mine", { matchingPrecedence: 5, rules: [rules] } as unknown as FlowSchema["spec"]);
    const { control } = configured({ schemas: [schema] });
    const ticket = control.admit(flowRequest(method, path, { username: "jane", groups: ["dev"] }));
    expect(ticket).toMatchObject({ flow: { schemaName: expected ? "mine" : "catch-all" } });
  });

  test.each([
    [account("a", "b"), "system:serviceaccount:a:b", true],
    [account("a", "*"), "system:serviceaccount:a:b", true],
    [account("aa", "*"), "system:serviceaccount:a:b", false],
    [account("a", "c"), "system:serviceaccount:a:b", false],
  ])("of accounts %j of %s: %s", (rules, username, expected) => {
    const schema = schemaNamed("mine", { matchingPrecedence: 5, rules: [rules] } as unknown as FlowSchema["spec"]);
    const { control } = configured({ schemas: [schema] });
    const ticket = control.admit(flowRequest("GET", "/api/v1/pods", { username, groups: [] }));
    expect(ticket).toMatchObject({ flow: { schemaName: expected ? "mine" : "catch-all" } });
  });
});

describe("among several", () => {
  const all = (name: string, matchingPrecedence: number, more: Partial<FlowSchema["spec"]> = {}): New<FlowSchema> =>
    schemaNamed(name, { matchingPrecedence, rules: [resources({})], ...more } as unknown as FlowSchema["spec"]);
  const request = flowRequest("GET", "/api/v1/namespaces/a/pods", { username: "jane", groups: [] });

  test("precedence comes first, then the name", () => {
    const { control } = configured({ schemas: [all("b", 7), all("a", 7), all("z", 8)] });
    expect(control.admit(request)).toMatchObject({ flow: { schemaName: "a" } });
  });

  test("one whose level is missing counts for nothing", () => {
    const { control } = configured({
      schemas: [all("a", 7, { priorityLevelConfiguration: { name: "gone" } }), all("b", 9)],
    });
    expect(control.admit(request)).toMatchObject({ flow: { schemaName: "b" } });
  });

  test("requests of one flow are told apart as the schema says", () => {
    const flowOf = (type: string | undefined): unknown => {
      const distinguisherMethod = type === undefined ? {} : { distinguisherMethod: { type } };
      const { control } = configured({ schemas: [all("a", 7, distinguisherMethod)] });
      return (control.admit(request) as unknown as { flow: { distinguisher: string } }).flow.distinguisher;
    };
    expect([flowOf("ByUser"), flowOf("ByNamespace"), flowOf(undefined)]).toEqual(["jane", "a", ""]);
  });

  test("what is known of a user is not used for one with other groups", () => {
    const { control } = configured();
    const path = "/api/v1/namespaces/a/pods";
    const as = (...groups: string[]): unknown => control.admit(flowRequest("GET", path, { username: "jane", groups }));
    expect(as("system:authenticated")).toMatchObject({ flow: { schemaName: "global-default" } });
    expect(as("system:authenticated", "system:masters")).toMatchObject({ flow: { schemaName: "exempt" } });
    expect(as("system:authenticated")).toMatchObject({ flow: { schemaName: "global-default" } });
  });

  test("any number of different requests is told apart", () => {
    const { control } = configured();
    for (let at = 0; at < 20_000; at++) {
      const user = { username: `user-${at % 700}`, groups: ["system:authenticated"] };
      const ticket = control.admit(flowRequest("GET", `/api/v1/namespaces/n${at}/pods`, user));
      expect(ticket).toMatchObject({ flow: { schemaName: "global-default", distinguisher: user.username } });
      ticket.leave();
    }
  });
});

test("the fixture reads paths as the server does", () => {
  expect(flowRequest("GET", "/api/v1/pods?watch=true", { username: "a", groups: [] })).toMatchObject({
    info: parseRequestInfo("GET", "/api/v1/pods"),
    verb: "watch",
  });
});
