import type { AuthorizationAttributes } from "./authorizer.js";
import { fieldRequirements, labelRequirements, type ReviewSelector } from "./selectors.js";

/** The spec of a SubjectAccessReview, as webhooks are sent it: what is empty is left out. */
export interface AccessReviewSpec {
  readonly resourceAttributes?: {
    readonly [field in ReviewField]?: string;
  } & { readonly fieldSelector?: ReviewSelector; readonly labelSelector?: ReviewSelector };
  readonly nonResourceAttributes?: { readonly path?: string; readonly verb?: string };
  readonly user?: string;
  readonly groups?: readonly string[];
  readonly uid?: string;
  readonly extra?: { readonly [key: string]: readonly string[] };
}

const reviewFields = ["namespace", "verb", "group", "version", "resource", "subresource", "name"] as const;
type ReviewField = (typeof reviewFields)[number];

export function accessReviewSpec(asked: AuthorizationAttributes): AccessReviewSpec {
  const { username, groups, uid, extra } = asked.user;
  const who = {
    ...(username === "" ? {} : { user: username }),
    ...(groups.length === 0 ? {} : { groups }),
    ...(extra === undefined ? {} : { extra }),
    ...(uid ? { uid } : {}),
  };
  if (asked.path !== undefined) {
    const { path, verb } = asked;
    return { nonResourceAttributes: { ...(path === "" ? {} : { path }), ...(verb === "" ? {} : { verb }) }, ...who };
  }
  const fields = reviewFields.flatMap((field) => (asked[field] ? [[field, asked[field]] as const] : []));
  const selectors = selectorsOf(asked);
  return { resourceAttributes: { ...Object.fromEntries(fields), ...selectors }, ...who };
}

/** The same for expressions, which find every field of text, empty or not. */
export function accessReviewRequest(asked: AuthorizationAttributes): { readonly [field: string]: unknown } {
  const { username, groups, uid = "", extra = {} } = asked.user;
  const who = { user: username, groups, uid, extra };
  if (asked.path !== undefined) return { ...who, nonResourceAttributes: { path: asked.path, verb: asked.verb } };
  const fields = reviewFields.map((field) => [field, asked[field] ?? ""] as const);
  return { ...who, resourceAttributes: { ...Object.fromEntries(fields), ...selectorsOf(asked) } };
}

function selectorsOf(asked: AuthorizationAttributes): {
  readonly fieldSelector?: ReviewSelector;
  readonly labelSelector?: ReviewSelector;
} {
  const fields = fieldRequirements(asked.fieldSelector);
  const labels = labelRequirements(asked.labelSelector);
  return {
    ...(fields === undefined ? {} : { fieldSelector: { requirements: fields } }),
    ...(labels === undefined ? {} : { labelSelector: { requirements: labels } }),
  };
}
