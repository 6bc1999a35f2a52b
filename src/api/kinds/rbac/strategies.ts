import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from "../../gen/types.js";
import { validatePathSegmentName } from "../checks.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import { defaultBinding, rbacGroup } from "./defaults.js";
import {
  validateBindingUpdate,
  validateClusterRole,
  validateClusterRoleBinding,
  validateRole,
  validateRoleBinding,
} from "./validation.js";

const common = { validateName: validatePathSegmentName, createOnUpdate: true, generation: false };

export const rbacStrategies: readonly StrategyEntry[] = [
  [`${rbacGroup}/roles`, strategyOf<Role>({ ...common, validate: validateRole })],
  [`${rbacGroup}/clusterroles`, strategyOf<ClusterRole>({ ...common, validate: validateClusterRole })],
  [
    `${rbacGroup}/rolebindings`,
    strategyOf<RoleBinding>({
      ...common,
      defaults: defaultBinding,
      validate: validateRoleBinding,
      validateUpdate: validateBindingUpdate,
    }),
  ],
  [
    `${rbacGroup}/clusterrolebindings`,
    strategyOf<ClusterRoleBinding>({
      ...common,
      defaults: defaultBinding,
      validate: validateClusterRoleBinding,
      validateUpdate: validateBindingUpdate,
    }),
  ],
];
