import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type Deployment,
  deployments,
  isStatusError,
  type MutatingAdmissionPolicySpec,
  type Pod,
  pods,
} from "../../../api/index.js";
import { bindMutating, type PolicyServer, startPolicyServer } from "../../../testing/policy-server.fixture.js";

let server: PolicyServer;

beforeEach(async () => {
  server = await startPolicyServer();
});

afterEach(() => server[Symbol.asyncDispose]());

const deployment = (labels: Record<string, string> = {}) => ({
  apiVersion: "apps/v1" as const,
  kind: "Deployment" as const,
  metadata: { name: "web", namespace: "default", labels },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "web:1" }] } },
  },
});

const pod = (name: string) => ({
  apiVersion: "v1" as const,
  kind: "Pod" as const,
  metadata: { name, namespace: "default" },
  spec: { containers: [{ name: "main", image: "web:1" }] },
});

const apply = (expression: string): MutatingAdmissionPolicySpec => ({
  mutations: [{ patchType: "ApplyConfiguration", applyConfiguration: { expression } }],
});

const patch = (expression: string): MutatingAdmissionPolicySpec => ({
  mutations: [{ patchType: "JSONPatch", jsonPatch: { expression } }],
});

const made = (labels?: Record<string, string>): Promise<Deployment> =>
  server.client.create(deployments, deployment(labels));

async function refusal(act: Promise<unknown>): Promise<unknown> {
  try {
    await act;
    return undefined;
  } catch (error) {
    if (isStatusError(error)) return error.status;
    throw error;
  }
}

describe("MutatingAdmissionPolicy", () => {
  it("applies a configuration with the schema of the kind", async () => {
    await bindMutating(
      server.client,
      "p",
      apply(`Object{
        metadata: Object.metadata{labels: {"added": object.metadata.name}},
        spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{
          containers: [Object.spec.template.spec.containers{name: "c", imagePullPolicy: "Always"},
                       Object.spec.template.spec.containers{name: "side", image: "side:1"}]
        }}}
      }`),
    );
    const { metadata, spec } = await made({ mine: "1" });
    expect(metadata.labels).toEqual({ mine: "1", added: "web" });
    expect(spec?.template?.spec?.containers).toMatchObject([
      { name: "c", image: "web:1", imagePullPolicy: "Always" },
      { name: "side", image: "side:1", terminationMessagePath: "/dev/termination-log" },
    ]);
  });

  const patches = [
    {
      name: "JSON patches",
      expression: `[JSONPatch{op: "test", path: "/spec/replicas", value: 1}, JSONPatch{op: "replace", path: "/spec/replicas", value: object.spec.replicas + 2}]`,
      expected: { spec: { replicas: 3 } },
    },
    {
      name: "no patch when a test fails",
      expression: `[JSONPatch{op: "test", path: "/spec/replicas", value: 7}, JSONPatch{op: "replace", path: "/spec/replicas", value: 9}]`,
      expected: { spec: { replicas: 1 } },
    },
    {
      name: "patches by condition, with an object for value",
      expression: `has(object.spec.paused) ? [] : [JSONPatch{op: "add", path: "/spec/template/spec/containers/-", value: Object.spec.template.spec.containers{name: "side", image: "side:1"}}]`,
      expected: { spec: { template: { spec: { containers: [{ name: "c" }, { name: "side", image: "side:1" }] } } } },
    },
  ];
  it.each(patches)("applies $name", async ({ expression, expected }) => {
    await bindMutating(server.client, "p", patch(expression));
    expect(await made()).toMatchObject(expected);
  });

  it("escapes keys for paths of patches", async () => {
    await bindMutating(
      server.client,
      "p",
      patch(
        `[JSONPatch{op: "add", path: "/metadata/annotations", value: {"x": "y"}}, JSONPatch{op: "add", path: "/metadata/annotations/" + jsonpatch.escapeKey("example.com/a"), value: "b"}]`,
      ),
    );
    expect((await made()).metadata.annotations).toEqual({ x: "y", "example.com/a": "b" });
  });

  it("leaves out fields whose optional has no value", async () => {
    await bindMutating(
      server.client,
      "p",
      apply(
        `Object{spec: Object.spec{?minReadySeconds: object.spec.?nope, ?revisionHistoryLimit: object.spec.?replicas}}`,
      ),
    );
    const { spec } = await made();
    expect(spec?.revisionHistoryLimit).toBe(1);
    expect(spec?.minReadySeconds).toBeUndefined();
  });

  const refused = [
    {
      name: "lists that can only be set whole",
      spec: apply(
        `Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: [Object.spec.template.spec.containers{name: "c", args: ["a"]}]}}}}`,
      ),
      message:
        "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.template.spec.containers[0].args",
    },
    {
      name: "objects in the wrong place",
      spec: apply(`Object{spec: Object.spec.wrong{replicas: 1}}`),
      message:
        'type mismatch: unexpected type name "Object.spec.wrong", expected "Object.spec", which matches field name path from root Object type',
    },
    {
      name: "fields that the kind does not have",
      spec: apply(`Object{spec: Object.spec{nope: 1}}`),
      message:
        "error applying patch: failed to convert patch object to typed object: .spec.nope: field not declared in schema",
    },
    {
      name: "an expression that fails",
      spec: apply(`Object{spec: Object.spec{replicas: object.spec.nope}}`),
      message:
        "expression 'Object{spec: Object.spec{replicas: object.spec.nope}}' resulted in error: no such key: nope",
    },
  ];
  it.each(refused)("refuses $name", async ({ spec, message }) => {
    await bindMutating(server.client, "p", spec);
    expect(await refusal(made())).toMatchObject({
      code: 403,
      reason: "Invalid",
      message: `policy 'p' with binding 'p' denied request: ${message}`,
      details: { causes: [{ message: `policy 'p' with binding 'p' denied request: ${message}` }] },
    });
  });

  it("lets the write go on as it was where the policy says Ignore", async () => {
    await bindMutating(server.client, "p", {
      failurePolicy: "Ignore",
      ...apply(`Object{spec: Object.spec{replicas: object.spec.nope}}`),
    });
    expect((await made()).spec?.replicas).toBe(1);
  });

  it("shows each policy what those before it made, in the order of their names", async () => {
    const append = (text: string): MutatingAdmissionPolicySpec =>
      apply(`Object{metadata: Object.metadata{labels: {"order": object.metadata.labels["order"] + "${text}"}}}`);
    await bindMutating(server.client, "b", append("b"));
    await bindMutating(server.client, "a", append("a"));
    expect((await made({ order: "" })).metadata.labels).toEqual({ order: "ab" });
  });

  it("calls a policy that asks for it again when another one changed something after it", async () => {
    const count = (label: string, reinvocationPolicy: string): MutatingAdmissionPolicySpec => ({
      reinvocationPolicy,
      ...apply(`Object{metadata: Object.metadata{labels: {"${label}": object.metadata.labels["${label}"] + "x"}}}`),
    });
    await bindMutating(server.client, "a", count("a", "IfNeeded"));
    await bindMutating(server.client, "b", count("b", "Never"));
    expect((await made({ a: "", b: "" })).metadata.labels).toEqual({ a: "xx", b: "x" });
  });

  it("injects a sidecar, and not again when it is asked again", async () => {
    await bindMutating(server.client, "sidecar", {
      matchConstraints: {
        resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
      },
      matchConditions: [
        {
          name: "does-not-already-have-sidecar",
          expression: `!object.spec.?initContainers.orValue([]).exists(ic, ic.name == "mesh-proxy")`,
        },
      ],
      failurePolicy: "Fail",
      reinvocationPolicy: "IfNeeded",
      ...apply(
        `Object{spec: Object.spec{initContainers: [Object.spec.initContainers{name: "mesh-proxy", image: "mesh/proxy:v1.0.0", restartPolicy: "Always"}]}}`,
      ),
    });
    const created: Pod = await server.client.create(pods, pod("web"));
    expect(created.spec?.initContainers).toMatchObject([{ name: "mesh-proxy", restartPolicy: "Always" }]);
  });
});
