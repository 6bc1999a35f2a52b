import type { ClusterRole, ClusterRoleBinding, New, Role, RoleBinding } from "../../../api/index.js";
import { componentBindings, componentRoles, namespacedBindings, namespacedRoles } from "./component-roles.js";
import { controllerRoles } from "./controller-roles.js";
import { parseRule } from "./rule-text.js";
import { adminRules, editRules, viewRules } from "./user-roles.js";

type Subject = NonNullable<RoleBinding["subjects"]>[number];

const rbacGroup = "rbac.authorization.k8s.io";
const apiVersion = `${rbacGroup}/v1`;
const annotations = { "rbac.authorization.kubernetes.io/autoupdate": "true" };
const labels = { "kubernetes.io/bootstrapping": "rbac-defaults" };

/** Every role and binding that a new cluster has. */
export interface BootstrapObjects {
  readonly clusterRoles: readonly New<ClusterRole>[];
  readonly clusterRoleBindings: readonly New<ClusterRoleBinding>[];
  readonly roles: readonly New<Role>[];
  readonly roleBindings: readonly New<RoleBinding>[];
}

export function bootstrapObjects(): BootstrapObjects {
  const controllers = Object.entries(controllerRoles);
  return {
    clusterRoles: [
      ...Object.entries(componentRoles).map(([name, rules]) => clusterRole(name, rules)),
      ...aggregatedRoles(),
      ...controllers.map(([name, rules]) => clusterRole(`system:controller:${name}`, rules)),
    ],
    clusterRoleBindings: [
      ...componentBindings.map(([name, role, subjects]) => clusterRoleBinding(name, role, subjects)),
      ...controllers.map(([name]) =>
        clusterRoleBinding(`system:controller:${name}`, `system:controller:${name}`, [
          `ServiceAccount:kube-system/${name}`,
        ]),
      ),
    ],
    roles: Object.entries(namespacedRoles).map(([key, rules]) => ({
      apiVersion,
      kind: "Role",
      metadata: { ...split(key), labels, annotations },
      rules: rules.map(parseRule),
    })),
    roleBindings: namespacedBindings.map(([key, role, subjects]) => ({
      apiVersion,
      kind: "RoleBinding",
      metadata: { ...split(key), labels, annotations },
      roleRef: { apiGroup: rbacGroup, kind: "Role", name: role },
      subjects: subjects.map(subject),
    })),
  };
}

/** `admin` takes in `edit`, and `edit` takes in `view`, because each of those carries the label that the next selects. */
function aggregatedRoles(): readonly New<ClusterRole>[] {
  const label = (role: string): string => `rbac.authorization.k8s.io/aggregate-to-${role}`;
  const gathered = (name: string, partOf?: string): New<ClusterRole> => ({
    apiVersion,
    kind: "ClusterRole",
    metadata: {
      name,
      annotations,
      labels: { ...labels, ...(partOf === undefined ? {} : { [label(partOf)]: "true" }) },
    },
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [label(name)]: "true" } }] },
    rules: [],
  });
  const part = (role: string, rules: readonly string[]): New<ClusterRole> => ({
    apiVersion,
    kind: "ClusterRole",
    metadata: { name: `system:aggregate-to-${role}`, annotations, labels: { ...labels, [label(role)]: "true" } },
    rules: rules.map(parseRule),
  });
  return [
    gathered("admin"),
    gathered("edit", "admin"),
    gathered("view", "edit"),
    part("admin", adminRules),
    part("edit", editRules),
    part("view", viewRules),
  ];
}

function clusterRole(name: string, rules: readonly string[]): New<ClusterRole> {
  return { apiVersion, kind: "ClusterRole", metadata: { name, labels, annotations }, rules: rules.map(parseRule) };
}

function clusterRoleBinding(name: string, role: string, subjects: readonly string[]): New<ClusterRoleBinding> {
  return {
    apiVersion,
    kind: "ClusterRoleBinding",
    metadata: { name, labels, annotations },
    roleRef: { apiGroup: rbacGroup, kind: "ClusterRole", name: role },
    ...(subjects.length === 0 ? {} : { subjects: subjects.map(subject) }),
  };
}

function subject(text: string): Subject {
  const colon = text.indexOf(":");
  const kind = text.slice(0, colon);
  const name = text.slice(colon + 1);
  return kind === "ServiceAccount" ? { kind, ...split(name) } : { kind, name, apiGroup: rbacGroup };
}

function split(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf("/");
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
