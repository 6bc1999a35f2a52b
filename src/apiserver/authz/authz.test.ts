import { describe, expect, test } from "vitest";
import {
  clusterRoleBindings,
  clusterRoles,
  configMaps,
  type KubeObject,
  type New,
  namespaces,
  pods,
  type ResourceType,
  roleBindings,
  roles,
  StatusError,
  secrets,
  type UserInfo,
} from "../../api/index.js";
import { FixtureCache } from "../admission/fixture-cache.js";
import { attributesOf, forbiddenError, forbiddenMessage } from "./attributes.js";
import type { AuthorizationAttributes } from "./authorizer.js";
import { bootstrapObjects } from "./bootstrap/objects.js";
import { defaultAuthorizer } from "./default-authorizer.js";
import { rbacEscalation } from "./escalation.js";
import { bootstrapRbac, type RbacWriter } from "./reconcile.js";
import {
  selfSubjectAccessReviewEvaluator,
  selfSubjectRulesReviewEvaluator,
  subjectAccessReviewEvaluator,
} from "./reviews.js";

const jane: UserInfo = { username: "jane", groups: ["dev", "system:authenticated"] };

function asks(
  user: UserInfo,
  verb: string,
  resource: string,
  more: Partial<AuthorizationAttributes> = {},
): AuthorizationAttributes {
  return { user, verb, group: "", version: "v1", resource, subresource: "", namespace: "", name: "", ...more };
}

function bootstrapped(): FixtureCache {
  const cache = new FixtureCache();
  const objects = bootstrapObjects();
  for (const role of objects.clusterRoles) cache.put(clusterRoles, role);
  for (const binding of objects.clusterRoleBindings) cache.put(clusterRoleBindings, binding);
  return cache;
}

const ref = (kind: string, name: string): object => ({ apiGroup: "rbac.authorization.k8s.io", kind, name });

describe("messages", () => {
  test.each([
    [
      "in a namespace",
      asks(jane, "list", "pods", { namespace: "default" }),
      'User "jane" cannot list resource "pods" in API group "" in the namespace "default"',
    ],
    [
      "at the cluster scope",
      asks(jane, "create", "nodes"),
      'User "jane" cannot create resource "nodes" in API group "" at the cluster scope',
    ],
    [
      "of a subresource",
      asks(jane, "update", "deployments", { group: "apps", subresource: "scale", namespace: "a" }),
      'User "jane" cannot update resource "deployments/scale" in API group "apps" in the namespace "a"',
    ],
    ["of a path", { user: jane, verb: "get", path: "/metrics" }, 'User "jane" cannot get path "/metrics"'],
  ])("%s", (_, asked, message) => {
    expect(forbiddenMessage(asked)).toBe(message);
  });

  test("a refusal names the object", () => {
    const error = forbiddenError(asks(jane, "get", "pods", { namespace: "a", name: "web" }), "RBAC: x");
    expect(error.message).toBe(
      'pods "web" is forbidden: User "jane" cannot get resource "pods" in API group "" in the namespace "a": RBAC: x',
    );
    expect(error.code).toBe(403);
  });

  test("a list by name is one of the name, a namespace is within itself", () => {
    const list = { group: "", version: "v1", resource: "secrets", verb: "list" as const, namespace: "a" };
    expect(attributesOf({ ...list, options: { fieldSelector: "metadata.name=x" } }, jane).name).toBe("x");
    expect(attributesOf({ ...list, options: { fieldSelector: "metadata.name!=x" } }, jane).name).toBe("");
    const get = { group: "", version: "v1", resource: "namespaces", verb: "get" as const, name: "a" };
    expect(attributesOf(get, jane).namespace).toBe("a");
  });
});

describe("RBAC", () => {
  const user = (username: string, ...groups: string[]): UserInfo => ({ username, groups });

  test.each([
    ["masters may everything", user("root", "system:masters"), asks, "delete", "nodes", {}, true],
    ["discovery is for the authenticated", jane, asks, "get", "", { path: "/apis/apps" }, true],
    [
      "health is for everybody",
      user("system:anonymous", "system:unauthenticated"),
      asks,
      "get",
      "",
      { path: "/healthz" },
      true,
    ],
    ["metrics are not", jane, asks, "get", "", { path: "/metrics" }, false],
    ["nobody else reads pods", jane, asks, "list", "pods", { namespace: "a" }, false],
    [
      "the scheduler binds",
      user("system:kube-scheduler"),
      asks,
      "create",
      "pods",
      { subresource: "binding", namespace: "a" },
      true,
    ],
    [
      "the scheduler does not create pods",
      user("system:kube-scheduler"),
      asks,
      "create",
      "pods",
      { namespace: "a" },
      false,
    ],
    [
      "the deployment controller makes replica sets",
      user("system:serviceaccount:kube-system:deployment-controller"),
      asks,
      "create",
      "replicasets",
      { group: "apps", namespace: "a" },
      true,
    ],
    [
      "the autoscaler scales anything",
      user("system:serviceaccount:kube-system:horizontal-pod-autoscaler"),
      asks,
      "update",
      "deployments",
      { group: "apps", subresource: "scale", namespace: "a" },
      true,
    ],
    [
      "but nothing else",
      user("system:serviceaccount:kube-system:horizontal-pod-autoscaler"),
      asks,
      "update",
      "deployments",
      { group: "apps", namespace: "a" },
      false,
    ],
    [
      "leader election by name",
      user("system:kube-scheduler"),
      asks,
      "update",
      "leases",
      { group: "coordination.k8s.io", namespace: "kube-system", name: "kube-scheduler" },
      true,
    ],
    [
      "and no other name",
      user("system:kube-scheduler"),
      asks,
      "update",
      "leases",
      { group: "coordination.k8s.io", namespace: "kube-system", name: "other" },
      false,
    ],
  ])("%s", async (_, who, make, verb, resource, more, allowed) => {
    const authorizer = defaultAuthorizer(bootstrapped());
    const { decision } = await authorizer.authorize(make(who, verb, resource, more));
    expect(decision === "allow").toBe(allowed);
  });

  test("bindings count within their namespace, at once, and say why", () => {
    const cache = new FixtureCache();
    const { rbac } = defaultAuthorizer(cache);
    const asked = asks(jane, "get", "pods", { namespace: "a", name: "x" });
    expect(rbac.authorize(asked)).toEqual({ decision: "noOpinion" });
    cache.put(roleBindings, {
      metadata: { name: "b", namespace: "a" },
      roleRef: ref("Role", "reader"),
      subjects: [{ kind: "Group", name: "dev" }],
    });
    expect(rbac.authorize(asked)).toEqual({
      decision: "noOpinion",
      reason: 'RBAC: role.rbac.authorization.k8s.io "reader" not found',
    });
    cache.put(roles, {
      metadata: { name: "reader", namespace: "a" },
      rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }],
    });
    expect(rbac.authorize(asked)).toEqual({
      decision: "allow",
      reason: 'RBAC: allowed by RoleBinding "b/a" of Role "reader" to Group "dev"',
    });
    expect(rbac.authorize({ ...asked, namespace: "b" })).toEqual({ decision: "noOpinion" });
    expect(rbac.authorize({ ...asked, subresource: "log" })).toMatchObject({ decision: "noOpinion" });
  });

  test("a service account is a subject by its namespace and name", () => {
    const cache = new FixtureCache();
    const { rbac } = defaultAuthorizer(cache);
    cache.put(clusterRoles, { metadata: { name: "r" }, rules: [{ apiGroups: [""], resources: ["*"], verbs: ["*"] }] });
    cache.put(clusterRoleBindings, {
      metadata: { name: "b" },
      roleRef: ref("ClusterRole", "r"),
      subjects: [{ kind: "ServiceAccount", namespace: "a", name: "sa" }],
    });
    const account = (namespace: string): UserInfo => ({
      username: `system:serviceaccount:${namespace}:sa`,
      groups: [],
    });
    expect(rbac.authorize(asks(account("a"), "get", "nodes")).valueOf()).toMatchObject({ decision: "allow" });
    expect(rbac.authorize(asks(account("b"), "get", "nodes")).valueOf()).toMatchObject({ decision: "noOpinion" });
  });
});

describe("nodes", () => {
  const node: UserInfo = { username: "system:node:n1", groups: ["system:nodes", "system:authenticated"] };
  const cache = new FixtureCache().put(pods, {
    metadata: { name: "web", namespace: "a" },
    spec: {
      nodeName: "n1",
      serviceAccountName: "sa",
      containers: [{ name: "c", envFrom: [{ secretRef: { name: "env" } }] }],
      volumes: [
        { name: "v", configMap: { name: "conf" } },
        { name: "d", persistentVolumeClaim: { claimName: "disk" } },
      ],
      resourceClaims: [{ name: "gpu", resourceClaimName: "gpu" }],
    },
    status: { extendedResourceClaimStatus: { resourceClaimName: "extended", requestMappings: [] } },
  });
  const authorizer = defaultAuthorizer(cache);
  const devices = { group: "resource.k8s.io" };

  test.each([
    ["a secret of its pod", "get", secrets.resource, { namespace: "a", name: "env" }, true],
    ["watching that one", "watch", secrets.resource, { namespace: "a", name: "env" }, true],
    ["another secret", "get", secrets.resource, { namespace: "a", name: "other" }, false],
    ["all secrets", "list", secrets.resource, { namespace: "a" }, false],
    ["a secret of that name elsewhere", "get", secrets.resource, { namespace: "b", name: "env" }, false],
    ["a config map of its pod", "get", configMaps.resource, { namespace: "a", name: "conf" }, true],
    [
      "a token of its pod's account",
      "create",
      "serviceaccounts",
      { namespace: "a", name: "sa", subresource: "token" },
      true,
    ],
    [
      "a token of another account",
      "create",
      "serviceaccounts",
      { namespace: "a", name: "x", subresource: "token" },
      false,
    ],
    [
      "its own lease",
      "update",
      "leases",
      { group: "coordination.k8s.io", namespace: "kube-node-lease", name: "n1" },
      true,
    ],
    [
      "another's lease",
      "update",
      "leases",
      { group: "coordination.k8s.io", namespace: "kube-node-lease", name: "n2" },
      false,
    ],
    ["a claim of its pod", "get", "persistentvolumeclaims", { namespace: "a", name: "disk" }, true],
    ["deleting that claim", "delete", "persistentvolumeclaims", { namespace: "a", name: "disk" }, false],
    [
      "growing that claim",
      "patch",
      "persistentvolumeclaims",
      { namespace: "a", name: "disk", subresource: "status" },
      true,
    ],
    ["devices that its pod claims", "get", "resourceclaims", { ...devices, namespace: "a", name: "gpu" }, true],
    [
      "those of its pod's extended resources",
      "get",
      "resourceclaims",
      { ...devices, namespace: "a", name: "extended" },
      true,
    ],
    ["devices that others claim", "get", "resourceclaims", { ...devices, namespace: "a", name: "other" }, false],
    ["its devices", "list", "resourceslices", { ...devices, fieldSelector: "spec.nodeName=n1" }, true],
    ["all devices", "list", "resourceslices", devices, false],
    ["a device of another node", "delete", "resourceslices", { ...devices, name: "s" }, false],
    ["its pods", "list", "pods", { fieldSelector: "spec.nodeName=n1" }, true],
    ["all pods", "list", "pods", {}, false],
    ["its node", "get", "nodes", { name: "n1" }, true],
    ["another node", "get", "nodes", { name: "n2" }, false],
    ["registering", "create", "nodes", {}, true],
    ["services", "watch", "services", {}, true],
    ["deployments", "list", "deployments", { group: "apps" }, false],
  ])("%s", async (_, verb, resource, more, allowed) => {
    const { decision } = await authorizer.authorize(asks(node, verb, resource, more));
    expect(decision === "allow").toBe(allowed);
  });
});

describe("escalation", () => {
  const cache = bootstrapped()
    .put(roles, {
      metadata: { name: "mine", namespace: "a" },
      rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }],
    })
    .put(roleBindings, {
      metadata: { name: "mine", namespace: "a" },
      roleRef: ref("Role", "mine"),
      subjects: [{ kind: "User", name: "jane" }],
    });
  const authorizer = defaultAuthorizer(cache);
  const plugin = rbacEscalation({ cache, rbac: authorizer.rbac, authorizer });
  const write = (resource: string, object: object) => ({
    group: "rbac.authorization.k8s.io",
    version: "v1",
    resource,
    kind: "Role",
    subresource: "",
    namespace: "a",
    name: "new",
    operation: "CREATE" as const,
    user: jane,
    object: object as Record<string, unknown>,
    oldObject: undefined,
    options: {},
    dryRun: false,
    warn: () => {},
  });

  test("what one holds can be granted, more cannot", async () => {
    const rule = (verbs: string[]) => ({ rules: [{ apiGroups: [""], resources: ["pods"], verbs }] });
    await plugin.validate?.(write("roles", rule(["get"])));
    await expect(plugin.validate?.(write("roles", rule(["get", "list", "watch"])))).rejects.toThrowError(
      'roles.rbac.authorization.k8s.io "new" is forbidden: user "jane" (groups=["dev" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["list" "watch"]}',
    );
    await plugin.validate?.(write("rolebindings", { roleRef: ref("Role", "mine") }));
    await expect(
      plugin.validate?.(write("rolebindings", { roleRef: ref("ClusterRole", "cluster-admin") })),
    ).rejects.toThrowError("is attempting to grant RBAC permissions not currently held");
    await expect(plugin.validate?.(write("clusterroles", { aggregationRule: {} }))).rejects.toThrow(StatusError);
  });
});

describe("reviews", () => {
  const authorizer = defaultAuthorizer(bootstrapped());
  const request = (user: UserInfo, body: object) => ({
    group: "authorization.k8s.io",
    version: "v1",
    resource: "x",
    verb: "create" as const,
    user,
    body,
  });

  test("may I, may they, what may I", async () => {
    const attributes = { verb: "get", group: "", resource: "nodes" };
    const mine = await selfSubjectAccessReviewEvaluator(authorizer)(
      request(jane, { spec: { resourceAttributes: attributes } }),
    );
    expect(mine).toMatchObject({ kind: "SelfSubjectAccessReview", status: { allowed: false } });
    const theirs = await subjectAccessReviewEvaluator(authorizer)(
      request(jane, { spec: { user: "root", groups: ["system:masters"], resourceAttributes: attributes } }),
    );
    expect(theirs).toMatchObject({ status: { allowed: true } });
    const rules = await selfSubjectRulesReviewEvaluator(authorizer.rulesFor)(
      request(jane, { spec: { namespace: "default" } }),
    );
    expect(rules).toMatchObject({
      status: {
        incomplete: false,
        resourceRules: expect.arrayContaining([
          { verbs: ["create"], apiGroups: ["authentication.k8s.io"], resources: ["selfsubjectreviews"] },
        ]),
      },
    });
  });

  test("must say what they ask", async () => {
    await expect(subjectAccessReviewEvaluator(authorizer)(request(jane, { spec: {} }))).rejects.toThrowError(
      "exactly one of nonResourceAttributes or resourceAttributes must be specified",
    );
  });
});

describe("bootstrapRbac", () => {
  function writer(): RbacWriter & { readonly writes: string[]; readonly objects: Map<string, KubeObject> } {
    const objects = new Map<string, KubeObject>();
    const writes: string[] = [];
    const keyOf = (resource: ResourceType, metadata: { namespace?: string; name?: string }): string =>
      `${resource.resource}/${metadata.namespace ?? ""}/${metadata.name}`;
    return {
      objects,
      writes,
      get: async <T extends KubeObject>(resource: ResourceType<T>, key: { namespace?: string; name: string }) =>
        objects.get(keyOf(resource, key)) as T,
      list: async <T extends KubeObject>(resource: ResourceType<T>) => ({
        items: [...objects].filter(([key]) => key.startsWith(`${resource.resource}/`)).map(([, object]) => object as T),
      }),
      create: async <T extends KubeObject>(resource: ResourceType<T>, object: New<T>) => {
        writes.push(`create ${keyOf(resource, object.metadata)}`);
        objects.set(keyOf(resource, object.metadata), object as unknown as KubeObject);
        return object as unknown as T;
      },
      update: async <T extends KubeObject>(resource: ResourceType<T>, object: T) => {
        writes.push(`update ${keyOf(resource, object.metadata)}`);
        objects.set(keyOf(resource, object.metadata), object);
        return object;
      },
    };
  }

  test("makes what is missing, mends what lost rules, keeps what was added", async () => {
    const to = writer();
    to.objects.set("namespaces//kube-system", { metadata: { name: "kube-system" } } as unknown as KubeObject);
    await bootstrapRbac(to);
    expect(to.objects.has(`${clusterRoles.resource}//cluster-admin`)).toBe(true);
    expect(to.objects.has(`${roles.resource}/kube-system/extension-apiserver-authentication-reader`)).toBe(true);
    expect(to.objects.has(`${roles.resource}/kube-public/system:controller:bootstrap-signer`)).toBe(false);
    to.writes.length = 0;
    await bootstrapRbac(to);
    expect(to.writes).toEqual([]);
    const key = `${clusterRoles.resource}//system:basic-user`;
    const extra = { apiGroups: ["x"], resources: ["y"], verbs: ["get"] };
    to.objects.set(key, { ...to.objects.get(key), rules: [extra] } as unknown as KubeObject);
    await bootstrapRbac(to);
    expect(to.writes).toEqual([`update ${key}`]);
    const mended = to.objects.get(key) as unknown as { rules: unknown[] };
    expect(mended.rules[0]).toEqual(extra);
    expect(mended.rules.length).toBe(4);
    expect(namespaces.resource).toBe("namespaces");
  });
});
