import { type ClusterRole, clusterRoles, type PolicyRule, selectorFromLabelSelector } from "../../api/index.js";
import type { Controller } from "../controller.js";
import { defineStatefulController } from "../define-controller.js";
import { canonicalJson, equalJson } from "../shared/hash.js";

/** Fills ClusterRoles that say which others they are made of. */
export const clusterRoleAggregationController: Controller = defineStatefulController<ClusterRole>({
  name: "clusterrole-aggregation-controller",
  aliases: ["clusterrole-aggregation"],
  prepare: (context, enqueue) => {
    const roles = context.informer(clusterRoles);
    const changed = (): void => {
      for (const role of roles.list()) if (role.aggregationRule !== undefined) enqueue(role.metadata.name);
    };
    roles.addHandler({ add: changed, update: changed, delete: changed });
    return async (key, { client, signal }) => {
      const role = roles.get(key);
      if (role?.aggregationRule === undefined) return;
      const selectors = (role.aggregationRule.clusterRoleSelectors ?? []).map(selectorFromLabelSelector);
      const rules: PolicyRule[] = [];
      const known = new Set<string>();
      for (const selector of selectors) {
        const parts = [...roles.list()].filter((one) => one !== role && selector.matches(one.metadata.labels));
        parts.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
        for (const rule of parts.flatMap((part) => part.rules ?? [])) {
          const id = canonicalJson(rule);
          if (!known.has(id)) rules.push(rule);
          known.add(id);
        }
      }
      if (!equalJson(role.rules ?? [], rules)) await client.update(clusterRoles, { ...role, rules }, { signal });
    };
  },
});
