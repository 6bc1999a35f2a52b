import type { CacheReader } from "../admission/admission.js";
import { mastersGroup } from "../authn/authenticator.js";
import { unionAuthorizer } from "./attributes.js";
import type { Authorizer } from "./authorizer.js";
import { nodeAuthorizer } from "./node.js";
import { type RbacAuthorizer, rbacAuthorizer } from "./rbac.js";

/** `system:masters` may do everything, whatever the roles say: how a broken cluster is mended. */
export const mastersAuthorizer: Authorizer = {
  name: "SystemMasters",
  authorize: ({ user }) => (user.groups.includes(mastersGroup) ? { decision: "allow" } : { decision: "noOpinion" }),
};

export interface DefaultAuthorizer extends Authorizer {
  /** For rule reviews and escalation checks. */
  readonly rbac: RbacAuthorizer;
}

/** Upstream's usual set: system:masters, nodes, RBAC. `more` are asked last. */
export function defaultAuthorizer(cache: CacheReader, more: readonly Authorizer[] = []): DefaultAuthorizer {
  const rbac = rbacAuthorizer(cache);
  const union = unionAuthorizer([mastersAuthorizer, nodeAuthorizer(cache), rbac, ...more]);
  return { name: union.name, authorize: (attributes) => union.authorize(attributes), rbac };
}
