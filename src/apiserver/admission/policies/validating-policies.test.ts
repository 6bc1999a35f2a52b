import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  deployments,
  namespaces,
  type ValidatingAdmissionPolicySpec,
  validatingAdmissionPolicyBindings,
} from "../../../api/index.js";
import { MemoryStore } from "../../../store/index.js";
import { bindValidating, type PolicyServer, startPolicyServer } from "../../../testing/policy-server.fixture.js";
import { answer, deployment, refusal } from "./fixture-answers.js";

let server: PolicyServer;

beforeEach(async () => {
  server = await startPolicyServer();
});

afterEach(() => server[Symbol.asyncDispose]());

const create = (replicas: number, labels?: Record<string, string>): Promise<string> =>
  answer(server.client.create(deployments, deployment("web", replicas, labels)));

describe("ValidatingAdmissionPolicy", () => {
  it("denies what an expression says no to, from the moment that the binding's write is answered", async () => {
    await bindValidating(server.client, "demo", { validations: [{ expression: "object.spec.replicas <= 5" }] });
    const refused = await refusal(server.client.create(deployments, deployment("web", 6)));
    const text =
      "ValidatingAdmissionPolicy 'demo' with binding 'demo' denied request: failed expression: object.spec.replicas <= 5";
    expect(refused).toEqual({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: `deployments.apps "web" is forbidden: ${text}`,
      reason: "Invalid",
      details: { name: "web", group: "apps", kind: "deployments", causes: [{ message: text }] },
      code: 422,
    });
    expect(await create(5)).toBe("");
  });

  it("is in force no more when the delete of its binding is answered", async () => {
    await bindValidating(server.client, "demo", { validations: [{ expression: "false" }] });
    await server.client.delete(validatingAdmissionPolicyBindings, { name: "demo" });
    expect(await create(1)).toBe("");
  });

  const expressions: readonly {
    readonly name: string;
    readonly spec: ValidatingAdmissionPolicySpec;
    readonly denied: string;
  }[] = [
    {
      name: "a fixed message",
      spec: { validations: [{ expression: "object.spec.replicas < 3", message: " too many " }] },
      denied: "too many",
    },
    {
      name: "a message expression",
      spec: {
        validations: [
          {
            expression: "object.spec.replicas < 3",
            message: "fixed",
            messageExpression: "'at most 2, not ' + string(object.spec.replicas)",
          },
        ],
      },
      denied: "at most 2, not 3",
    },
    {
      name: "the fixed message where the expression for it fails",
      spec: { validations: [{ expression: "false", message: "fixed", messageExpression: "string(object.spec.nope)" }] },
      denied: "fixed",
    },
    {
      name: "variables, each of which sees those before it",
      spec: {
        variables: [
          { name: "replicas", expression: "object.spec.replicas" },
          { name: "twice", expression: "variables.replicas * 2" },
        ],
        validations: [
          { expression: "variables.twice < 6", messageExpression: "'twice is ' + string(variables.twice)" },
        ],
      },
      denied: "twice is 6",
    },
    {
      name: "a variable that fails where it is used",
      spec: {
        variables: [{ name: "missing", expression: "object.spec.nope" }],
        validations: [{ expression: "variables.missing == 1" }],
      },
      denied:
        "expression 'variables.missing == 1' resulted in error: composited variable \"missing\" fails to evaluate: no such key: nope",
    },
    {
      name: "an expression that fails",
      spec: { validations: [{ expression: "object.spec.nope == 1" }] },
      denied: "expression 'object.spec.nope == 1' resulted in error: no such key: nope",
    },
    {
      name: "the request",
      spec: {
        validations: [
          {
            expression:
              "request.operation != 'CREATE' || request.kind.kind != 'Deployment' || request.userInfo.username != 'admin' || request.namespace != 'default' || request.resource.resource != 'deployments'",
          },
        ],
      },
      denied:
        "failed expression: request.operation != 'CREATE' || request.kind.kind != 'Deployment' || request.userInfo.username != 'admin' || request.namespace != 'default' || request.resource.resource != 'deployments'",
    },
    {
      name: "the namespace",
      spec: {
        validations: [{ expression: "namespaceObject.metadata.labels['environment'] != 'test'", message: "test" }],
      },
      denied: "test",
    },
    {
      name: "no old object on create",
      spec: { validations: [{ expression: "oldObject != null", message: "new" }] },
      denied: "new",
    },
  ];
  it.each(expressions)("denies with $name", async ({ spec, denied }) => {
    await bindValidating(server.client, "p", spec);
    expect(await create(3)).toBe(
      `deployments.apps "web" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' denied request: ${denied}`,
    );
  });

  const reasons = [
    { reason: "Forbidden", code: 403 },
    { reason: "Invalid", code: 422 },
    { reason: "RequestEntityTooLarge", code: 413 },
  ];
  it.each(reasons)("answers with reason $reason and code $code", async ({ reason, code }) => {
    await bindValidating(server.client, "p", { validations: [{ expression: "false", reason }] });
    expect(await refusal(server.client.create(deployments, deployment("web", 1)))).toMatchObject({ reason, code });
  });

  it("lets pass what a failing expression would deny when its policy is Ignore", async () => {
    await bindValidating(server.client, "p", {
      failurePolicy: "Ignore",
      validations: [{ expression: "object.spec.nope == 1" }],
    });
    expect(await create(3)).toBe("");
  });

  it("sees the old object of an update", async () => {
    await bindValidating(server.client, "p", {
      validations: [
        { expression: "oldObject == null || object.spec.replicas >= oldObject.spec.replicas", message: "shrinks" },
      ],
    });
    const made = await server.client.create(deployments, deployment("web", 3));
    const smaller = { ...deployment("web", 2), metadata: made.metadata };
    expect(await answer(server.client.update(deployments, smaller))).toContain("denied request: shrinks");
  });

  it("warns instead of denying, and annotates for audit", async () => {
    await bindValidating(
      server.client,
      "p",
      { validations: [{ expression: "object.spec.replicas < 3", message: "many" }] },
      { validationActions: ["Warn", "Audit"] },
    );
    expect(await create(3)).toBe("");
    expect(server.warnings).toEqual(["Validation failed for ValidatingAdmissionPolicy 'p' with binding 'p': many"]);
    expect(JSON.parse(server.annotations.get("validation.policy.admission.k8s.io/validation_failure") ?? "")).toEqual([
      { message: "many", policy: "p", binding: "p", expressionIndex: 0, validationActions: ["Warn", "Audit"] },
    ]);
  });

  it("makes audit annotations, and none of null", async () => {
    await bindValidating(server.client, "p", {
      auditAnnotations: [
        { key: "replicas", valueExpression: "'wants ' + string(object.spec.replicas)" },
        { key: "none", valueExpression: "null" },
      ],
    });
    expect(await create(3)).toBe("");
    expect([...server.annotations].filter(([key]) => key.startsWith("p/"))).toEqual([["p/replicas", "wants 3"]]);
  });

  it("evaluates match conditions first: one that is false leaves the policy out", async () => {
    const validations = [{ expression: "false" }];
    await bindValidating(server.client, "p", {
      matchConditions: [{ name: "not-exempt", expression: "!('exempt' in object.metadata.labels)" }],
      validations,
    });
    expect(await create(3, { exempt: "yes" })).toBe("");
    expect(await create(3, { a: "b" })).toContain("failed expression: false");
  });
});

it("ends an expression that costs too much", async () => {
  const list = "[1,2,3,4,5,6,7,8,9,10]";
  const expression = ["a", "b", "c", "d", "e", "f"].reduce((inner, name) => `${list}.all(${name}, ${inner})`, "1 > 0");
  await bindValidating(server.client, "p", { validations: [{ expression }] });
  expect(await create(3)).toMatch(
    /denied request: expression '.*' resulted in error: operation cancelled: actual cost limit exceeded$/,
  );
});

describe("a costly policy", () => {
  const numbers = (length: number): string => JSON.stringify(Array.from({ length }, (_, index) => index));

  it("pays nothing for what was evaluated before a variable was there", async () => {
    const variables = [
      { name: "zero", expression: "0" },
      { name: "one", expression: "1" },
    ];
    const validations = [
      { expression: "lists.range(200000).exists(x, x == variables.zero)" },
      { expression: "lists.range(20000).all(x, x < 10000 || variables.one == 1 || true)" },
    ];
    await bindValidating(server.client, "demo", { variables, validations });
    expect(await create(1)).toBe("");
  });

  it("comes to its answer while others get their turn", async () => {
    const variables = [{ name: "many", expression: numbers(300) }];
    const expression = "variables.many.all(a, variables.many.exists(b, a == b))";
    await bindValidating(server.client, "demo", { variables, validations: [{ expression }] });
    let turns = 0;
    let waiting = true;
    const count = (): void => {
      turns++;
      if (waiting) setImmediate(count);
    };
    setImmediate(count);
    expect(await create(1)).toBe("");
    waiting = false;
    expect(turns).toBeGreaterThan(10);
  });
});

describe("with several servers on one store", () => {
  it("is in force on each, by the same stream of changes", async () => {
    const store = new MemoryStore();
    await using one = await startPolicyServer({ store });
    await using other = await startPolicyServer({ store });
    await one.client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
    await bindValidating(one.client, "p", { validations: [{ expression: "false", message: "no" }] });
    await other.api.cache.fresh();
    expect(await answer(other.client.create(deployments, deployment("web", 1)))).toContain("denied request: no");
    await other.client.delete(validatingAdmissionPolicyBindings, { name: "p" });
    await one.api.cache.fresh();
    expect(await answer(one.client.create(deployments, deployment("web", 1)))).toBe("");
  });
});
