import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { deployments, namespaces } from "../../../api/index.js";
import { bindValidating, type PolicyServer, startPolicyServer } from "../../../testing/policy-server.fixture.js";
import { answer, deployment } from "./fixture-answers.js";

let server: PolicyServer;

beforeEach(async () => {
  server = await startPolicyServer();
});

afterEach(() => server[Symbol.asyncDispose]());

describe("authorizer", () => {
  const cases = [
    {
      name: "a resource",
      expression: "authorizer.group('apps').resource('deployments').namespace('default').check('scale').allowed()",
      asked: { group: "apps", resource: "deployments", namespace: "default", verb: "scale" },
    },
    {
      name: "a path",
      expression: "authorizer.path('/admin').check('get').allowed()",
      asked: { path: "/admin", verb: "get" },
    },
    {
      name: "the resource of the request",
      expression: "authorizer.requestResource.check('approve').allowed()",
      asked: { group: "apps", resource: "deployments", namespace: "default", name: "web", verb: "approve" },
    },
    {
      name: "a service account",
      expression:
        "authorizer.serviceAccount('a', 'b').group('').resource('pods').subresource('log').name('x').check('get').allowed()",
      asked: {
        user: {
          username: "system:serviceaccount:a:b",
          groups: ["system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"],
        },
        group: "",
        resource: "pods",
        subresource: "log",
        name: "x",
        verb: "get",
      },
    },
  ];
  it.each(cases)("is asked about $name, once for each question", async ({ expression, asked }) => {
    const questions: object[] = [];
    await using guarded = await startPolicyServer({
      authorizer: {
        name: "test",
        authorize: async (attributes) => {
          questions.push(attributes);
          return { decision: questions.length > 0 && attributes.verb === "other" ? "allow" : "noOpinion" };
        },
      },
    });
    await bindValidating(guarded.client, "p", {
      validations: [
        { expression: `${expression} || ${expression}`, message: "no" },
        { expression, message: "no" },
      ],
    });
    const said = await answer(guarded.client.create(deployments, deployment("web", 1)));
    expect(said).toContain("denied request: no");
    expect(questions).toEqual([{ user: { username: "admin", groups: ["system:masters"] }, ...asked }]);
  });
});

it("evaluates nothing about a namespace that selects itself by labels it is being given", async () => {
  await bindValidating(server.client, "p", {
    matchConstraints: {
      resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["namespaces"] }],
      namespaceSelector: { matchLabels: { guarded: "yes" } },
    },
    validations: [{ expression: "false" }],
  });
  const make = (name: string, labels: Record<string, string>) =>
    answer(server.client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } }));
  expect(await make("a", { guarded: "yes" })).toContain("denied request");
  expect(await make("b", {})).toBe("");
});
