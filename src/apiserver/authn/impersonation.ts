import { statusErrors, type UserInfo } from "../../api/index.js";
import { authorizeOrThrow } from "../authz/attributes.js";
import type { AuthorizationAttributes, Authorizer } from "../authz/authorizer.js";
import { authenticatedGroup } from "./authenticator.js";
import { headerValues, type ReceivedHeaders } from "./header-values.js";
import { serviceAccountGroups, splitServiceAccountUsername } from "./service-account-names.js";

const extraPrefix = "impersonate-extra-";

/** Whom the headers ask to act as; undefined without such headers. Throws for headers that make no sense. */
export function impersonationOf(request: ReceivedHeaders): UserInfo | undefined {
  const [username = ""] = headerValues(request, "impersonate-user");
  const groups = headerValues(request, "impersonate-group");
  const [uid = ""] = headerValues(request, "impersonate-uid");
  const extra = extraOf(request);
  if (username === "") {
    if (groups.length === 0 && uid === "" && extra === undefined) return undefined;
    throw statusErrors.internal("requested impersonation of groups, uid or extra without impersonating a user");
  }
  return { username, groups, ...(uid === "" ? {} : { uid }), ...(extra === undefined ? {} : { extra }) };
}

/** Throws 403 unless `user` may be everything that `target` is; returns the user to go on as. */
export async function impersonate(user: UserInfo, target: UserInfo, authorizer: Authorizer): Promise<UserInfo> {
  const ask = (attributes: Partial<AuthorizationAttributes>): Promise<void> =>
    authorizeOrThrow(authorizer, { user, verb: "impersonate", group: "", version: "v1", namespace: "", ...attributes });
  const account = splitServiceAccountUsername(target.username);
  if (account === undefined) await ask({ resource: "users", name: target.username });
  else await ask({ resource: "serviceaccounts", namespace: account.namespace, name: account.name });
  for (const name of target.groups) await ask({ resource: "groups", name });
  const group = "authentication.k8s.io";
  if (target.uid !== undefined) await ask({ group, resource: "uids", name: target.uid });
  for (const [key, values] of Object.entries(target.extra ?? {})) {
    for (const name of values) await ask({ group, resource: "userextras", subresource: key, name });
  }
  return { ...target, groups: groupsOf(target, account?.namespace) };
}

function groupsOf(target: UserInfo, namespace: string | undefined): readonly string[] {
  let groups = target.groups;
  if (namespace !== undefined && groups.length === 0) groups = serviceAccountGroups(namespace);
  if (target.username === "system:anonymous") {
    return groups.includes("system:unauthenticated") ? groups : [...groups, "system:unauthenticated"];
  }
  if (groups.includes(authenticatedGroup) || groups.includes("system:unauthenticated")) return groups;
  return [...groups, authenticatedGroup];
}

function extraOf(request: ReceivedHeaders): Record<string, readonly string[]> | undefined {
  let extra: Record<string, readonly string[]> | undefined;
  for (const name in request.headers) {
    if (!name.startsWith(extraPrefix)) continue;
    extra ??= Object.create(null) as Record<string, readonly string[]>;
    extra[unescapeKey(name.slice(extraPrefix.length))] = headerValues(request, name);
  }
  return extra;
}

function unescapeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
