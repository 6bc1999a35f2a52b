import type { ClusterRoleBinding, RbacSubject, RoleBinding } from "../../gen/types.js";
import { mapItems, withZeroDefaults } from "../defaulting.js";
import type { Loose } from "../loose.js";

export const rbacGroup = "rbac.authorization.k8s.io";

export function defaultBinding<T extends Loose<ClusterRoleBinding> | Loose<RoleBinding>>(binding: T): T {
  const roleRef =
    binding.roleRef === undefined ? undefined : withZeroDefaults(binding.roleRef, { apiGroup: rbacGroup });
  const subjects = binding.subjects === undefined ? undefined : mapItems(binding.subjects, defaultSubject);
  if (roleRef === binding.roleRef && subjects === binding.subjects) return binding;
  return { ...binding, ...(roleRef && { roleRef }), ...(subjects && { subjects }) };
}

function defaultSubject(subject: Loose<RbacSubject>): Loose<RbacSubject> {
  if (subject.kind !== "User" && subject.kind !== "Group") return subject;
  return withZeroDefaults(subject, { apiGroup: rbacGroup });
}
