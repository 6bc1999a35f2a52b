import type { UserInfo } from "../../api/index.js";
import type { AuthorizationAttributes } from "../authz/authorizer.js";
import type { AuditLevel, AuditStage } from "./event.js";
import type { AuditPolicy, AuditResources, AuditRule } from "./policy.js";

/** What a request is matched by. Its user is undefined where nobody knows who asks. */
export interface AuditAttributes extends Omit<AuthorizationAttributes, "user"> {
  readonly user: UserInfo | undefined;
}

/** What is recorded of one request. */
export interface AuditDecision {
  readonly level: AuditLevel;
  readonly omitStages: readonly AuditStage[];
  readonly omitManagedFields: boolean;
}

/** Decides by the first rule that matches, as upstream; no rule: None. */
export function auditDecisions(policy: AuditPolicy): (attributes: AuditAttributes) => AuditDecision {
  const { omitStages = [], omitManagedFields = false } = policy;
  const rules = policy.rules.map((rule) => ({
    rule,
    decision: {
      level: rule.level,
      omitStages: [...new Set([...omitStages, ...(rule.omitStages ?? [])])],
      omitManagedFields: rule.omitManagedFields ?? omitManagedFields,
    } satisfies AuditDecision,
  }));
  const otherwise: AuditDecision = { level: "None", omitStages, omitManagedFields };
  return (attributes) => {
    for (const { rule, decision } of rules) if (matches(rule, attributes)) return decision;
    return otherwise;
  };
}

function matches(rule: AuditRule, attributes: AuditAttributes): boolean {
  const { users, userGroups, verbs, namespaces, resources, nonResourceURLs } = rule;
  const { user, verb, path } = attributes;
  if (given(users) && !(user !== undefined && users.includes(user.username))) return false;
  if (given(userGroups) && !user?.groups.some((group) => userGroups.includes(group))) return false;
  if (given(verbs) && !verbs.includes(verb)) return false;
  if (given(namespaces) || given(resources)) return path === undefined && matchesResource(rule, attributes);
  if (given(nonResourceURLs)) return path !== undefined && nonResourceURLs.some((spec) => matchesPath(spec, path));
  return true;
}

function given(list: readonly unknown[] | undefined): list is readonly unknown[] & { readonly 0: unknown } {
  return list !== undefined && list.length > 0;
}

function matchesPath(spec: string, path: string): boolean {
  return spec === path || (spec.endsWith("*") && path.startsWith(spec.replace(/\*+$/, "")));
}

function matchesResource({ namespaces, resources }: AuditRule, attributes: AuditAttributes): boolean {
  if (given(namespaces) && !namespaces.includes(attributes.namespace ?? "")) return false;
  if (!given(resources)) return true;
  return resources.some((each) => (each.group ?? "") === (attributes.group ?? "") && isAmong(each, attributes));
}

function isAmong({ resources, resourceNames }: AuditResources, attributes: AuditAttributes): boolean {
  if (!given(resources)) return true;
  if (given(resourceNames) && !resourceNames.includes(attributes.name ?? "")) return false;
  const { resource = "", subresource = "" } = attributes;
  const whole = subresource === "" ? resource : `${resource}/${subresource}`;
  return resources.some(
    (one) =>
      one === whole || one === "*" || one === `${resource}/*` || (subresource !== "" && one === `*/${subresource}`),
  );
}
