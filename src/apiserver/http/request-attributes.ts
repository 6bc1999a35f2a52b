import type { UserInfo, Verb } from "../../api/index.js";
import { attributesOf } from "../authz/attributes.js";
import type { AuthorizationAttributes } from "../authz/authorizer.js";
import { wantsWatch } from "./query.js";
import type { RequestInfo } from "./request-info.js";

/** Subresources whose requests last as long as they last, whoever serves them. */
export const streams: ReadonlySet<string> = new Set(["attach", "exec", "proxy", "log", "portforward"]);

/** What a request asks for, by its path and query alone: whether there is such a resource is not looked at. */
export function attributesFor(info: RequestInfo, user: UserInfo, query: string): AuthorizationAttributes {
  if (info.type === "path") return { user, verb: info.verb, path: info.path };
  const { group, version, resource, subresource, namespace, name } = info;
  const common = { user, group, version, resource, subresource, namespace };
  if (info.verb !== "list" && info.verb !== "watch") return { ...common, verb: info.verb, name };
  const verb: Verb = info.verb === "watch" || wantsWatch(query) ? "watch" : "list";
  const named = name === "" ? {} : { name };
  const request = { group, version, resource, verb, options: selectionOf(query), ...named };
  return { ...attributesOf(request, user), subresource, namespace };
}

function selectionOf(query: string): { readonly fieldSelector?: string } {
  if (!query.includes("fieldSelector")) return {};
  const fieldSelector = new URLSearchParams(query).get("fieldSelector");
  return fieldSelector === null ? {} : { fieldSelector };
}
