import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { configMaps, deployments, type ResourceType, validatingAdmissionPolicies } from "../../../api/index.js";
import { bindValidating, type PolicyServer, startPolicyServer } from "../../../testing/policy-server.fixture.js";
import { answer, deployment } from "./fixture-answers.js";

let server: PolicyServer;

beforeEach(async () => {
  server = await startPolicyServer();
});

afterEach(() => server[Symbol.asyncDispose]());

const create = (replicas: number, labels?: Record<string, string>): Promise<string> =>
  answer(server.client.create(deployments, deployment("web", replicas, labels)));

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
