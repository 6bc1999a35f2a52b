import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from "../../gen/types.js";
import { validatePathSegmentName } from "../checks.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import { defaultBinding, rbacGroup } from "./defaults.js";

const common = { validateName: validatePathSegmentName, createOnUpdate: true, generation: false };

export const rbacStrategies: readonly StrategyEntry[] = [
  [`${rbacGroup}/roles`, strategyOf<Role>({ ...common })],
  [`${rbacGroup}/clusterroles`, strategyOf<ClusterRole>({ ...common })],
  [`${rbacGroup}/rolebindings`, strategyOf<RoleBinding>({ ...common, defaults: defaultBinding })],
  [`${rbacGroup}/clusterrolebindings`, strategyOf<ClusterRoleBinding>({ ...common, defaults: defaultBinding })],
];
