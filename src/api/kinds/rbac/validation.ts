import { type FieldError, invalid, notSupported, required } from "../../field-error.js";
import type { ClusterRole, ClusterRoleBinding, PolicyRule, RbacSubject, Role, RoleBinding } from "../../gen/types.js";
import { addInvalid, checkRequired, checkSubdomain, type Errors, validatePathSegmentName } from "../checks.js";
import { semanticallyEqual } from "../equality.js";
import { checkLabelSelector } from "../label-selector.js";
import type { Loose } from "../loose.js";
import { rbacGroup } from "./defaults.js";

export function validateRole(role: Loose<Role>): readonly FieldError[] {
  const errors: Errors = [];
  checkRules(errors, role.rules ?? [], true);
  return errors;
}

export function validateClusterRole(role: Loose<ClusterRole>): readonly FieldError[] {
  const errors: Errors = [];
  checkRules(errors, role.rules ?? [], false);
  if (role.aggregationRule === undefined) return errors;
  const selectors = role.aggregationRule.clusterRoleSelectors ?? [];
  const path = "aggregationRule.clusterRoleSelectors";
  if (selectors.length === 0) {
    errors.push(required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil"));
  }
  selectors.forEach((selector, index) => {
    checkLabelSelector(errors, `${path}[${index}]`, selector);
  });
  return errors;
}

function checkRules(errors: Errors, rules: readonly Loose<PolicyRule>[], namespaced: boolean): void {
  rules.forEach((rule, index) => {
    const at = `rules[${index}]`;
    const { verbs = [], apiGroups = [], resources = [], nonResourceURLs = [], resourceNames = [] } = rule;
    if (verbs.length === 0) errors.push(required(`${at}.verbs`, "verbs must contain at least one value"));
    if (nonResourceURLs.length > 0) {
      if (namespaced) {
        const why = "namespaced rules cannot apply to non-resource URLs";
        errors.push(invalid(`${at}.nonResourceURLs`, nonResourceURLs, why));
      }
      if (apiGroups.length > 0 || resources.length > 0 || resourceNames.length > 0) {
        const why = "rules cannot apply to both regular resources and non-resource URLs";
        errors.push(invalid(`${at}.nonResourceURLs`, nonResourceURLs, why));
      }
      return;
    }
    if (apiGroups.length === 0) {
      errors.push(required(`${at}.apiGroups`, "resource rules must supply at least one api group"));
    }
    if (resources.length === 0) {
      errors.push(required(`${at}.resources`, "resource rules must supply at least one resource"));
    }
  });
}

type AnyBinding = Loose<RoleBinding> | Loose<ClusterRoleBinding>;

export function validateRoleBinding(binding: Loose<RoleBinding>): readonly FieldError[] {
  return validateBinding(binding, ["Role", "ClusterRole"]);
}

export function validateClusterRoleBinding(binding: Loose<ClusterRoleBinding>): readonly FieldError[] {
  return validateBinding(binding, ["ClusterRole"]);
}

function validateBinding(binding: AnyBinding, kinds: readonly string[]): readonly FieldError[] {
  const errors: Errors = [];
  const { apiGroup = "", kind = "", name = "" } = binding.roleRef ?? {};
  if (apiGroup !== rbacGroup) errors.push(notSupported("roleRef.apiGroup", apiGroup, [rbacGroup]));
  if (!kinds.includes(kind)) errors.push(notSupported("roleRef.kind", kind, kinds));
  if (name === "") errors.push(required("roleRef.name"));
  else addInvalid(errors, "roleRef.name", name, validatePathSegmentName(name));
  const namespaced = kinds.includes("Role");
  binding.subjects?.forEach((subject, index) => {
    checkSubject(errors, `subjects[${index}]`, subject, namespaced);
  });
  return errors;
}

function checkSubject(errors: Errors, path: string, subject: Loose<RbacSubject>, namespaced: boolean): void {
  const { kind = "", name = "", apiGroup = "", namespace = "" } = subject;
  checkRequired(errors, `${path}.name`, name);
  if (kind === "ServiceAccount") {
    if (name !== "") checkSubdomain(errors, `${path}.name`, name);
    if (apiGroup !== "") errors.push(notSupported(`${path}.apiGroup`, apiGroup, [""]));
    if (!namespaced && namespace === "") errors.push(required(`${path}.namespace`));
  } else if (kind === "User" || kind === "Group") {
    if (apiGroup !== rbacGroup) errors.push(notSupported(`${path}.apiGroup`, apiGroup, [rbacGroup]));
  } else {
    errors.push(notSupported(`${path}.kind`, kind, ["ServiceAccount", "User", "Group"]));
  }
}

/** A binding to another role is another binding: who may change one must not be able to grant the other. */
export function validateBindingUpdate(binding: AnyBinding, old: AnyBinding): readonly FieldError[] {
  if (semanticallyEqual(binding.roleRef, old.roleRef)) return [];
  return [invalid("roleRef", binding.roleRef, "cannot change roleRef")];
}
