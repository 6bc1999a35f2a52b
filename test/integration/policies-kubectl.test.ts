import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Cluster, startCluster } from "../../src/cluster/cluster.js";
import { MemoryStore } from "../../src/store/index.js";
import { createKubectl, type Kubectl } from "./support/kubectl.js";

/** Admission policies as Kubernetes' documentation has them, applied by kubectl. */
let home = "";
let kubectl: Kubectl;
let cluster: Cluster;
let store: MemoryStore;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "coxswain-policies-"));
  store = new MemoryStore();
  cluster = await startCluster({ store, controllers: ["validatingadmissionpolicy-status"], scheduler: false });
  const kubeconfig = join(home, "kubeconfig");
  await writeFile(kubeconfig, await cluster.kubeconfig(), { mode: 0o600 });
  kubectl = (await createKubectl({ kubeconfig, home })).in("test");
  await kubectl.ok("create namespace test");
  await kubectl.ok("label namespace test environment=test");
});

afterAll(async () => {
  await cluster?.stop();
  await store?.[Symbol.asyncDispose]();
  await rm(home, { recursive: true, force: true });
});

const apply = (text: string, ...flags: readonly string[]): Promise<string> =>
  kubectl.ok(["apply", "-f", "-", ...flags], { stdin: text });
const refused = (text: string): Promise<string> => kubectl.fails(["apply", "-f", "-"], { stdin: text });

const replicaPolicy = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: "demo-policy.example.com"
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - apiGroups:   ["apps"]
      apiVersions: ["v1"]
      operations:  ["CREATE", "UPDATE"]
      resources:   ["deployments"]
  validations:
    - expression: "object.spec.replicas <= 5"
`;

const replicaBinding = (...actions: readonly string[]): string => `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: "demo-binding-test.example.com"
spec:
  policyName: "demo-policy.example.com"
  validationActions: [${actions.join(", ")}]
  matchResources:
    namespaceSelector:
      matchLabels:
        environment: test
`;

const deploy = (name: string, replicas: number): readonly string[] => [
  "create",
  "deployment",
  name,
  "--image=nginx",
  `--replicas=${replicas}`,
];

describe("a limit on replicas", () => {
  test("denies at once, in upstream's words, and only where the binding says", async () => {
    await apply(replicaPolicy);
    await apply(replicaBinding("Deny"));
    expect(await kubectl.fails(deploy("nginx", 6))).toContain(
      `deployments.apps "nginx" is forbidden: ValidatingAdmissionPolicy 'demo-policy.example.com' with binding 'demo-binding-test.example.com' denied request: failed expression: object.spec.replicas <= 5`,
    );
    expect(await kubectl.ok(deploy("nginx", 5))).toContain("created");
    expect(await kubectl.in("default").ok(deploy("nginx", 6))).toContain("created");
    expect(await kubectl.fails(["patch", "deployment", "nginx", "-p", '{"spec":{"replicas":7}}'])).toContain(
      "denied request",
    );
  });

  test("warns", async () => {
    await apply(replicaBinding("Warn"));
    const { code, stderr } = await kubectl.run(deploy("many", 6));
    expect(code).toBe(0);
    expect(stderr).toContain(
      "Warning: Validation failed for ValidatingAdmissionPolicy 'demo-policy.example.com' with binding 'demo-binding-test.example.com': failed expression: object.spec.replicas <= 5",
    );
  });

  test("says nothing to who asks when it is only for audit", async () => {
    await apply(replicaBinding("Audit"));
    const { code, stderr } = await kubectl.run(deploy("audited", 6));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    await kubectl.ok("delete validatingadmissionpolicybinding demo-binding-test.example.com");
  });
});

test("required labels, with variables and a message of its own", async () => {
  await apply(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: { name: labels.example.com }
spec:
  matchConstraints:
    resourceRules:
    - { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] }
  matchConditions:
  - name: not-the-root-certificate
    expression: "object.metadata.name != 'kube-root-ca.crt'"
  variables:
  - name: labels
    expression: "object.metadata.?labels.orValue({})"
  - name: missing
    expression: "['app', 'team'].filter(key, !(key in variables.labels))"
  validations:
  - expression: "variables.missing.size() == 0"
    messageExpression: "'labels are missing: ' + variables.missing.join(', ')"
    reason: Forbidden
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: { name: labels.example.com }
spec: { policyName: labels.example.com, validationActions: [Deny] }
`);
  const config = (labels: string): string =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: labelled, labels: ${labels} }\n`;
  expect(await refused(config("{ app: a }"))).toContain(
    `configmaps "labelled" is forbidden: ValidatingAdmissionPolicy 'labels.example.com' with binding 'labels.example.com' denied request: labels are missing: team`,
  );
  expect(await apply(config("{ app: a, team: b }"))).toContain("created");
  await kubectl.ok("delete validatingadmissionpolicybinding labels.example.com");
});

const limited = (paramKind: string, paramRef: string, limit: string): string => `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: { name: limit.example.com }
spec:
  failurePolicy: Fail
  paramKind: ${paramKind}
  matchConstraints:
    resourceRules:
    - { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["deployments"] }
  validations:
  - expression: "object.spec.replicas <= ${limit}"
    messageExpression: "'at most ' + string(${limit})"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: { name: limit.example.com }
spec:
  policyName: limit.example.com
  validationActions: [Deny]
  paramRef: ${paramRef}
`;

test("params from a custom resource", async () => {
  await apply(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: replicalimits.rules.example.com }
spec:
  group: rules.example.com
  scope: Namespaced
  names: { plural: replicalimits, singular: replicalimit, kind: ReplicaLimit }
  versions:
  - name: v1
    served: true
    storage: true
    schema: { openAPIV3Schema: { type: object, properties: { maxReplicas: { type: integer } } } }
`);
  await kubectl.ok("wait --for=condition=Established crd/replicalimits.rules.example.com");
  const kind = "{ apiVersion: rules.example.com/v1, kind: ReplicaLimit }";
  await apply(limited(kind, "{ name: limit, namespace: test, parameterNotFoundAction: Deny }", "params.maxReplicas"));
  expect(await kubectl.fails(deploy("limited", 1))).toContain(
    "denied request: failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction",
  );
  await apply("apiVersion: rules.example.com/v1\nkind: ReplicaLimit\nmetadata: { name: limit }\nmaxReplicas: 3\n");
  expect(await kubectl.fails(deploy("limited", 4))).toContain("denied request: at most 3");
  expect(await kubectl.ok(deploy("limited", 3))).toContain("created");
});

test("params from a ConfigMap, in the namespace of what is written", async () => {
  await kubectl.ok("create configmap limit --from-literal=max=2");
  const ref = "{ name: limit, parameterNotFoundAction: Allow }";
  await apply(limited("{ apiVersion: v1, kind: ConfigMap }", ref, "int(params.data.max)"));
  expect(await kubectl.fails(deploy("configured", 4))).toContain("denied request: at most 2");
  expect(await kubectl.in("default").ok(deploy("configured", 4))).toContain("created");
  await kubectl.ok("delete validatingadmissionpolicybinding limit.example.com");
});

test("a policy that cannot be compiled is refused, and one that does not fit its kinds says so in its status", async () => {
  const text = (expression: string): string =>
    replicaPolicy.replace("demo-policy", "typed").replace("object.spec.replicas <= 5", expression);
  expect(await refused(text("object.spec.replicas <="))).toContain(
    'The ValidatingAdmissionPolicy "typed.example.com" is invalid: spec.validations[0].expression: Invalid value: "object.spec.replicas <=": compilation failed: ERROR: <input>:1:',
  );
  await apply(text("object.replicas > 1"));
  await kubectl.ok("wait --for=jsonpath={.status.observedGeneration}=1 validatingadmissionpolicy/typed.example.com");
  const { status } = await kubectl.json("get validatingadmissionpolicy typed.example.com -o json");
  expect(status.typeChecking.expressionWarnings).toEqual([
    {
      fieldRef: "spec.validations[0].expression",
      warning:
        "apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'replicas'\n | object.replicas > 1\n | ......^\n",
    },
  ]);
});

test("the authorizer knows what the user may do", async () => {
  await apply(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: { name: breakglass.example.com }
spec:
  matchConstraints:
    resourceRules:
    - { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["secrets"] }
  validations:
  - expression: "authorizer.group('example.com').resource('secrets').namespace(request.namespace).check('override').allowed()"
    message: only with the right to override
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: { name: breakglass.example.com }
spec: { policyName: breakglass.example.com, validationActions: [Deny] }
`);
  await kubectl.ok("create role writer --verb=create --resource=secrets");
  await kubectl.ok("create rolebinding jane --role=writer --user=jane");
  const jane = kubectl.with("--as=jane");
  expect(await jane.fails("create secret generic s --from-literal=a=b")).toContain("only with the right to override");
  await apply(`
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: override }
rules: [{ apiGroups: [example.com], resources: [secrets], verbs: [override] }]
`);
  await kubectl.ok("create rolebinding jane-override --role=override --user=jane");
  expect(await jane.ok("create secret generic s --from-literal=a=b")).toContain("created");
  await kubectl.ok("delete validatingadmissionpolicybinding breakglass.example.com");
});

test("a sidecar is injected by a MutatingAdmissionPolicy", async () => {
  await apply(`
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata:
  name: "sidecar-policy.example.com"
spec:
  matchConstraints:
    resourceRules:
    - apiGroups:   [""]
      apiVersions: ["v1"]
      operations:  ["CREATE"]
      resources:   ["pods"]
  matchConditions:
    - name: does-not-already-have-sidecar
      expression: "!object.spec.?initContainers.orValue([]).exists(ic, ic.name == \\"mesh-proxy\\")"
  failurePolicy: Fail
  reinvocationPolicy: IfNeeded
  mutations:
    - patchType: "ApplyConfiguration"
      applyConfiguration:
        expression: >
          Object{
            spec: Object.spec{
              initContainers: [
                Object.spec.initContainers{
                  name: "mesh-proxy",
                  image: "mesh/proxy:v1.0.0",
                  restartPolicy: "Always"
                }
              ]
            }
          }
    - patchType: "JSONPatch"
      jsonPatch:
        expression: >
          [
            JSONPatch{
              op: "add", path: "/metadata/labels",
              value: {"mesh": "on"}
            }
          ]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: { name: sidecar-binding-test.example.com }
spec: { policyName: sidecar-policy.example.com }
`);
  await apply(`
apiVersion: v1
kind: ServiceAccount
metadata: { name: default }
`);
  await apply(
    "apiVersion: v1\nkind: Pod\nmetadata: { name: web }\nspec: { containers: [{ name: main, image: web }] }\n",
  );
  const { metadata, spec } = await kubectl.json("get pod web -o json");
  expect(metadata.labels).toEqual({ mesh: "on" });
  expect(spec.initContainers).toMatchObject([
    { name: "mesh-proxy", image: "mesh/proxy:v1.0.0", restartPolicy: "Always", imagePullPolicy: "IfNotPresent" },
  ]);
});
