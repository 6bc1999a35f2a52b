import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  configMaps,
  customResourceDefinitions,
  deployments,
  type JsonObject,
  type ResourceType,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
} from "../../../api/index.js";
import { bindValidating, type PolicyServer, startPolicyServer } from "../../../testing/policy-server.fixture.js";
import { answer, deployment } from "./fixture-answers.js";

let server: PolicyServer;

beforeEach(async () => {
  server = await startPolicyServer();
});

afterEach(() => server[Symbol.asyncDispose]());

const create = (replicas: number, labels?: Record<string, string>): Promise<string> =>
  answer(server.client.create(deployments, deployment("web", replicas, labels)));

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
