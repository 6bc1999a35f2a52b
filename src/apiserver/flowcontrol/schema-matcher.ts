import type {
  FlowcontrolSubject,
  FlowSchema,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
  UserInfo,
} from "../../api/index.js";
import { splitServiceAccountUsername } from "../authn/service-account-names.js";
import type { ResourceRequestInfo } from "../http/request-info.js";
import type { FlowRequest } from "./flow-control.js";

/** What counts of an object; a mandatory one that is not stored has no uid. */
export type Configured<T extends { readonly spec?: unknown }> = Pick<T, "spec"> & {
  readonly metadata: { readonly name: string; readonly uid?: string };
};

const all = "*";

/** Whether a request is one of a FlowSchema: of a subject and under a rule of one of its lists. */
export function matchesSchema({ spec }: Pick<FlowSchema, "spec">, request: FlowRequest): boolean {
  return spec?.rules?.some((rules) => matchesRules(rules, request)) ?? false;
}

function matchesRules(rules: PolicyRulesWithSubjects, request: FlowRequest): boolean {
  if (!rules.subjects.some((subject) => matchesSubject(subject, request.user))) return false;
  const { info, verb, path } = request;
  if (info.type === "path") {
    return rules.nonResourceRules?.some((rule) => matchesPath(rule, verb, path)) ?? false;
  }
  return rules.resourceRules?.some((rule) => matchesResource(rule, verb, info)) ?? false;
}

function matchesSubject(subject: FlowcontrolSubject, user: UserInfo): boolean {
  const { kind } = subject;
  if (kind === "User") {
    const name = subject.user?.name;
    return name === all || name === user.username;
  }
  if (kind === "Group") {
    const name = subject.group?.name;
    return name !== undefined && (name === all || user.groups.includes(name));
  }
  if (kind !== "ServiceAccount" || subject.serviceAccount === undefined) return false;
  const { namespace, name } = subject.serviceAccount;
  const account = splitServiceAccountUsername(user.username);
  return account !== undefined && account.namespace === namespace && (name === all || name === account.name);
}

function matchesResource(rule: ResourcePolicyRule, verb: string, info: ResourceRequestInfo): boolean {
  const { group, resource, subresource, namespace } = info;
  if (!matches(rule.verbs, verb) || !matches(rule.apiGroups, group)) return false;
  if (!matches(rule.resources, subresource === "" ? resource : `${resource}/${subresource}`)) return false;
  return namespace === "" ? rule.clusterScope === true : matches(rule.namespaces ?? [], namespace);
}

function matchesPath({ verbs, nonResourceURLs }: NonResourcePolicyRule, verb: string, path: string): boolean {
  return matches(verbs, verb) && nonResourceURLs.some((url) => matchesUrl(url, path));
}

/** As upstream: `/healthz` and `/healthz/*` both match what is below, and the first one itself too. */
function matchesUrl(url: string, path: string): boolean {
  if (url === all || url === path) return true;
  const prefix = url.endsWith(all) ? url.slice(0, -1) : url;
  return path.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`);
}

/** `*` stands alone in its list: validation sees to that. */
function matches(list: readonly string[], value: string): boolean {
  return list[0] === all || list.includes(value);
}
