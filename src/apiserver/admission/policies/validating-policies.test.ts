import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  configMaps,
  customResourceDefinitions,
  deployments,
  isStatusError,
  type JsonObject,
  namespaces,
  type ResourceType,
  type Status,
  type ValidatingAdmissionPolicySpec,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
} from "../../../api/index.js";
import { MemoryStore } from "../../../store/index.js";
import { bindValidating, type PolicyServer, startPolicyServer } from "../../../testing/policy-server.fixture.js";

let server: PolicyServer;

beforeEach(async () => {
  server = await startPolicyServer();
});

afterEach(() => server[Symbol.asyncDispose]());

const deployment = (name: string, replicas: number, labels: Record<string, string> = {}) => ({
  apiVersion: "apps/v1" as const,
  kind: "Deployment" as const,
  metadata: { name, namespace: "default", labels },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "c", image: "web:1" }] } },
  },
});

/** "" when it was taken. */
async function answer(act: Promise<unknown>): Promise<string> {
  return (await refusal(act))?.message ?? "";
}

async function refusal(act: Promise<unknown>): Promise<Status | undefined> {
  try {
    await act;
    return undefined;
  } catch (error) {
    if (isStatusError(error)) return error.status;
    throw error;
  }
}

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
    expect(
      await answer(server.client.update(deployments, { ...made, spec: { ...deployment("web", 2).spec } })),
    ).toContain("denied request: shrinks");
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
    expect([...server.annotations]).toEqual([["p/replicas", "wants 3"]]);
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

describe("what a policy matches", () => {
  const matching = [
    {
      name: "an excluded rule",
      match: { excludeResourceRules: [{ apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["*"] }] },
      denied: false,
    },
    { name: "a name", match: { resourceNames: ["web"] }, denied: true },
    { name: "another name", match: { resourceNames: ["other"] }, denied: false },
    {
      name: "the namespace's labels",
      match: { namespaceSelector: { matchLabels: { environment: "test" } } },
      denied: true,
    },
    {
      name: "other labels of the namespace",
      match: { namespaceSelector: { matchLabels: { environment: "prod" } } },
      denied: false,
    },
    { name: "the object's labels", match: { objectSelector: { matchLabels: { tier: "web" } } }, denied: true },
    { name: "other labels of the object", match: { objectSelector: { matchLabels: { tier: "db" } } }, denied: false },
    { name: "cluster scope", match: { scope: "Cluster" }, denied: false },
    { name: "namespaced scope", match: { scope: "Namespaced" }, denied: true },
  ] as const;
  it.each(matching)("goes by $name", async ({ match, denied }) => {
    const rule = {
      apiGroups: ["apps"],
      apiVersions: ["v1"],
      operations: ["CREATE"],
      resources: ["deployments"],
      ...("resourceNames" in match ? match : {}),
      ...("scope" in match ? match : {}),
    };
    const rest = "resourceNames" in match || "scope" in match ? {} : match;
    const validations = [{ expression: "false" }];
    await bindValidating(server.client, "p", { matchConstraints: { resourceRules: [rule], ...rest }, validations });
    expect((await create(1, { tier: "web" })) !== "").toBe(denied);
  });

  it.each(matching.filter(({ name }) => name.includes("labels")))(
    "goes by $name of the binding too",
    async ({ match, denied }) => {
      await bindValidating(server.client, "p", { validations: [{ expression: "false" }] }, { matchResources: match });
      expect((await create(1, { tier: "web" })) !== "").toBe(denied);
    },
  );

  it("never lets a namespace selector spare what is in no namespace", async () => {
    await bindValidating(server.client, "p", {
      matchConstraints: {
        resourceRules: [
          { apiGroups: ["*"], apiVersions: ["*"], operations: ["CREATE"], resources: ["priorityclasses"] },
        ],
        namespaceSelector: { matchLabels: { environment: "prod" } },
      },
      validations: [{ expression: "false" }],
    });
    const made = server.client.create(
      {
        group: "scheduling.k8s.io",
        version: "v1",
        resource: "priorityclasses",
        kind: "PriorityClass",
        namespaced: false,
      },
      { apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass", metadata: { name: "x" }, value: 1 } as never,
    );
    expect(await answer(made)).toContain("denied request");
  });

  it.each([
    { matchPolicy: "Equivalent", denied: "autoscaling/v2" },
    { matchPolicy: "Exact", denied: "" },
  ])("sees a write through another version as $matchPolicy says", async ({ matchPolicy, denied }) => {
    await bindValidating(server.client, "p", {
      matchConstraints: {
        resourceRules: [
          {
            apiGroups: ["autoscaling"],
            apiVersions: ["v2"],
            operations: ["*"],
            resources: ["horizontalpodautoscalers"],
          },
        ],
        matchPolicy,
      },
      validations: [
        {
          expression: "false",
          messageExpression:
            "object.apiVersion + ' ' + object.spec.metrics[0].type + ' ' + request.requestKind.version",
        },
      ],
    });
    const v1: ResourceType = {
      group: "autoscaling",
      version: "v1",
      resource: "horizontalpodautoscalers",
      kind: "HorizontalPodAutoscaler",
      namespaced: true,
    };
    const object = {
      apiVersion: "autoscaling/v1",
      kind: "HorizontalPodAutoscaler",
      metadata: { name: "web", namespace: "default" },
      spec: {
        maxReplicas: 3,
        scaleTargetRef: { kind: "Deployment", name: "web", apiVersion: "apps/v1" },
        targetCPUUtilizationPercentage: 50,
      },
    };
    const said = await answer(server.client.create(v1, object as never));
    if (denied === "") expect(said).toBe("");
    else expect(said).toContain(`denied request: ${denied} Resource v1`);
  });

  it("is not asked about policies themselves", async () => {
    await bindValidating(server.client, "p", {
      matchConstraints: {
        resourceRules: [{ apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["*"] }],
      },
      validations: [{ expression: "false" }],
    });
    await server.client.delete(validatingAdmissionPolicies, { name: "p" });
    expect(await create(1)).toBe("");
  });

  it("judges a delete by the old object", async () => {
    await bindValidating(server.client, "p", {
      matchConstraints: {
        resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["DELETE"], resources: ["configmaps"] }],
      },
      validations: [{ expression: "object == null && oldObject.data.keep != 'yes'", message: "kept" }],
    });
    await server.client.create(configMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "a", namespace: "default" },
      data: { keep: "yes" },
    });
    expect(await answer(server.client.delete(configMaps, { namespace: "default", name: "a" }))).toContain(
      "denied request: kept",
    );
  });
});

describe("params", () => {
  const limit = { paramKind: { apiVersion: "v1", kind: "ConfigMap" } };
  const spec = {
    ...limit,
    validations: [
      {
        expression: "object.spec.replicas <= int(params.data.maxReplicas)",
        messageExpression: "'at most ' + params.data.maxReplicas",
      },
    ],
  };
  const config = (name: string, maxReplicas: string, namespace = "default") =>
    server.client.create(configMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name, namespace, labels: { limits: "yes" } },
      data: { maxReplicas },
    });

  it("are found by name, in the namespace of the request where the binding names none", async () => {
    await config("limit", "3");
    await bindValidating(server.client, "p", spec, { paramRef: { name: "limit", parameterNotFoundAction: "Deny" } });
    expect(await create(4)).toContain("denied request: at most 3");
    expect(await create(3)).toBe("");
  });

  it("are found by labels, and the policy is evaluated with each", async () => {
    await config("a", "3");
    await config("b", "1");
    await bindValidating(server.client, "p", spec, {
      paramRef: { selector: { matchLabels: { limits: "yes" } }, parameterNotFoundAction: "Deny" },
    });
    expect(await create(2)).toContain("denied request: at most 1");
  });

  it.each([
    {
      action: "Deny",
      said: "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' denied request: failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction",
    },
    { action: "Allow", said: "" },
  ])("that are missing: $action", async ({ action, said }) => {
    await bindValidating(server.client, "p", spec, { paramRef: { name: "limit", parameterNotFoundAction: action } });
    expect(await create(4)).toBe(said);
  });

  it("are null where the binding refers to none", async () => {
    await bindValidating(server.client, "p", {
      ...limit,
      validations: [{ expression: "params != null", message: "none" }],
    });
    expect(await create(4)).toContain("denied request: none");
  });

  it("of a kind that is not served make the policy unusable, until it is", async () => {
    const paramKind = { apiVersion: "rules.example.com/v1", kind: "ReplicaLimit" };
    await bindValidating(
      server.client,
      "p",
      {
        paramKind,
        validations: [
          {
            expression: "object.spec.replicas <= params.maxReplicas",
            messageExpression: "'max ' + string(params.maxReplicas)",
          },
        ],
      },
      { paramRef: { name: "strict", parameterNotFoundAction: "Deny" } },
    );
    expect(await create(4)).toContain(
      "ValidatingAdmissionPolicy 'p' denied request: failed to configure policy: failed to find resource referenced by paramKind: 'rules.example.com/v1, Kind=ReplicaLimit'",
    );
    const limits: ResourceType = {
      group: "rules.example.com",
      version: "v1",
      resource: "replicalimits",
      kind: "ReplicaLimit",
      namespaced: false,
    };
    await server.client.create(customResourceDefinitions, limitDefinition as never);
    await served(limits);
    await server.client.create(limits, {
      apiVersion: "rules.example.com/v1",
      kind: "ReplicaLimit",
      metadata: { name: "strict" },
      maxReplicas: 2,
    } as never);
    expect(await create(4)).toContain("denied request: max 2");
    expect(await create(2)).toBe("");
  });
});

const limitDefinition: JsonObject = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "replicalimits.rules.example.com" },
  spec: {
    group: "rules.example.com",
    scope: "Cluster",
    names: { plural: "replicalimits", singular: "replicalimit", kind: "ReplicaLimit", listKind: "ReplicaLimitList" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", properties: { maxReplicas: { type: "integer" } } } },
      },
    ],
  },
};

async function served({ group, version, resource }: ResourceType): Promise<void> {
  const { table } = server.api;
  if (table.lookup(group, version, resource) !== undefined) return;
  await new Promise<void>((resolve) => {
    const stop = table.onChange(() => {
      if (table.lookup(group, version, resource) === undefined) return;
      stop();
      resolve();
    });
  });
}

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

describe("whoever writes a policy with params", () => {
  const jane = { username: "jane", groups: ["system:authenticated"] };
  const policy = (paramKind: object) => ({
    apiVersion: "admissionregistration.k8s.io/v1" as const,
    kind: "ValidatingAdmissionPolicy" as const,
    metadata: { name: "p" },
    spec: {
      paramKind,
      matchConstraints: {
        resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
      },
      validations: [{ expression: "params == null" }],
    },
  });
  const binding = {
    apiVersion: "admissionregistration.k8s.io/v1" as const,
    kind: "ValidatingAdmissionPolicyBinding" as const,
    metadata: { name: "p" },
    spec: {
      policyName: "p",
      validationActions: ["Deny"],
      paramRef: { name: "s", namespace: "kube-system", parameterNotFoundAction: "Deny" },
    },
  };

  it("must be allowed to read them", async () => {
    const allowed = { all: false };
    const asked: object[] = [];
    await using guarded = await startPolicyServer({
      authorizer: {
        name: "test",
        authorize: ({ user: _, ...attributes }) => {
          asked.push(attributes);
          return { decision: allowed.all ? "allow" : "noOpinion" };
        },
      },
    });
    const as = guarded.as(jane);
    const secret = { apiVersion: "v1", kind: "Secret" };
    expect(await answer(as.create(validatingAdmissionPolicies, policy(secret)))).toBe(
      'validatingadmissionpolicies.admissionregistration.k8s.io "p" is forbidden: user &{jane  [system:authenticated] map[]} must have "get" permission on all objects of the referenced paramKind (kind=Secret, apiVersion=v1)',
    );
    await guarded.client.create(validatingAdmissionPolicies, policy(secret));
    expect(await answer(as.create(validatingAdmissionPolicyBindings, binding))).toContain(
      'does not have "get" permission on the object referenced by paramRef',
    );
    expect(asked).toEqual([
      { verb: "get", group: "", version: "v1", resource: "secrets", name: "*", namespace: "*" },
      { verb: "get", group: "", version: "v1", resource: "secrets", name: "s", namespace: "kube-system" },
    ]);
    allowed.all = true;
    expect(await answer(as.create(validatingAdmissionPolicyBindings, binding))).toBe("");
  });
});
