import {
  clusterRoles,
  type PolicyRule,
  type RoleBinding,
  roles,
  type StatusError,
  statusErrors,
} from "../../api/index.js";
import type { AdmissionPlugin, AdmissionRequest, CacheReader } from "../admission/admission.js";
import { mastersGroup } from "../authn/authenticator.js";
import type { Authorizer } from "./authorizer.js";
import type { RbacAuthorizer } from "./rbac.js";
import { describeRule, quoteAll, uncoveredRules } from "./rule-cover.js";

const group = "rbac.authorization.k8s.io";
const guarded: ReadonlySet<string> = new Set(["roles", "clusterroles", "rolebindings", "clusterrolebindings"]);

/**
 * Nobody grants what they do not hold: a role's rules, or those of a role that is bound, must all be the writer's own, unless
 * the writer may `escalate` or `bind` it. Part of the resources upstream, not one of its admission plugins, and always on.
 */
export function rbacEscalation(options: {
  readonly cache: CacheReader;
  readonly rbac: RbacAuthorizer;
  readonly authorizer: Authorizer;
}): AdmissionPlugin {
  return {
    name: "RBACEscalation",
    handles: (request) =>
      request.group === group &&
      guarded.has(request.resource) &&
      (request.operation === "CREATE" || request.operation === "UPDATE") &&
      !request.user.groups.includes(mastersGroup),
    async validate(request) {
      const binding = request.resource.endsWith("bindings");
      if (!changes(request, binding)) return;
      const may = async (verb: string, resource: string, name: string): Promise<boolean> => {
        const attributes = {
          user: request.user,
          verb,
          group,
          version: "v1",
          resource,
          name,
          namespace: request.namespace,
        };
        return (await options.authorizer.authorize(attributes)).decision === "allow";
      };
      if (!binding) {
        if (await may("escalate", request.resource, request.name)) return;
        confirm(request, rulesIn(request.object), options.rbac);
        return;
      }
      const reference = referenceIn(request.object);
      const resource = reference.kind === "ClusterRole" ? "clusterroles" : "roles";
      if (await may("bind", resource, reference.name)) return;
      confirm(request, referredRules(options.cache, request, reference), options.rbac);
    },
  };
}

function confirm(request: AdmissionRequest, wanted: readonly PolicyRule[], rbac: RbacAuthorizer): void {
  const held = rbac.rulesFor(request.user, request.namespace);
  const missing = uncoveredRules(held.rules, wanted);
  if (missing.length > 0) throw refusal(request, missing, held.errors);
}

function refusal(request: AdmissionRequest, missing: readonly PolicyRule[], errors: readonly string[]): StatusError {
  const { username, groups } = request.user;
  const lines = [...new Set(missing.map(describeRule))].sort().join("\n");
  const tail = errors.length === 0 ? "" : `; resolution errors: [${errors.join(", ")}]`;
  return statusErrors.forbidden(
    { group, resource: request.resource },
    request.name,
    `user ${JSON.stringify(username)} (groups=${quoteAll(groups)}) is attempting to grant RBAC permissions not currently held:\n${lines}${tail}`,
  );
}

/** An update that leaves the rules, or whom they are given to, as they were grants nothing. */
function changes(request: AdmissionRequest, binding: boolean): boolean {
  if (request.oldObject === undefined) return true;
  const keys = binding ? ["subjects", "roleRef"] : ["rules", "aggregationRule"];
  return keys.some((key) => JSON.stringify(request.object?.[key]) !== JSON.stringify(request.oldObject?.[key]));
}

function referredRules(
  cache: CacheReader,
  request: AdmissionRequest,
  reference: RoleBinding["roleRef"],
): readonly PolicyRule[] {
  const { name } = reference;
  const clusterWide = reference.kind === "ClusterRole";
  const role = clusterWide
    ? cache.get(clusterRoles, { name })
    : cache.get(roles, { namespace: request.namespace, name });
  if (role === undefined)
    throw statusErrors.notFound({ group, resource: clusterWide ? "clusterroles" : "roles" }, name);
  return role.rules ?? [];
}

/** The objects have been validated: their shapes are known. */
function rulesIn(object: AdmissionRequest["object"]): readonly PolicyRule[] {
  const aggregated = object?.["aggregationRule"];
  // Whoever may say what is gathered may get anything.
  const all =
    aggregated === undefined
      ? []
      : [
          { apiGroups: ["*"], resources: ["*"], verbs: ["*"] },
          { nonResourceURLs: ["*"], verbs: ["*"] },
        ];
  return [...all, ...((object?.["rules"] as readonly PolicyRule[] | undefined) ?? [])];
}

function referenceIn(object: AdmissionRequest["object"]): RoleBinding["roleRef"] {
  return (object?.["roleRef"] ?? { apiGroup: group, kind: "", name: "" }) as RoleBinding["roleRef"];
}
