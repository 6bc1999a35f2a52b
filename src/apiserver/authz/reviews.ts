import { type KubeObject, type PolicyRule, statusErrors, type UserInfo } from "../../api/index.js";
import { validateAccessReview } from "../../api/kinds/authorization/review-validation.js";
import { mastersGroup } from "../authn/authenticator.js";
import type { ServerRequest } from "../request.js";
import type { AuthorizationAttributes, Authorizer } from "./authorizer.js";
import { fieldSelectorText, labelSelectorText, type ReviewSelector } from "./selectors.js";

const group = "authorization.k8s.io";

interface ReviewSpec {
  readonly resourceAttributes?: {
    readonly group?: string;
    readonly version?: string;
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly verb?: string;
    readonly fieldSelector?: ReviewSelector;
    readonly labelSelector?: ReviewSelector;
  };
  readonly nonResourceAttributes?: { readonly path?: string; readonly verb?: string };
  readonly user?: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly extra?: { readonly [key: string]: readonly string[] };
  readonly namespace?: string;
}

type Evaluator = (request: ServerRequest) => Promise<KubeObject>;

/** May this user do this? Of anybody, for those who may ask. */
export function subjectAccessReviewEvaluator(authorizer: Authorizer): Evaluator {
  return async (request) => {
    check("SubjectAccessReview", request, "others");
    const spec = specOf(request);
    return answer("SubjectAccessReview", request, spec, authorizer, userIn(spec));
  };
}

/** The same within one namespace, for those who may ask only there. */
export function localSubjectAccessReviewEvaluator(authorizer: Authorizer): Evaluator {
  return async (request) => {
    check("LocalSubjectAccessReview", request, { namespace: request.namespace ?? "" });
    const spec = specOf(request);
    return answer("LocalSubjectAccessReview", request, spec, authorizer, userIn(spec));
  };
}

/** May I do this? */
export function selfSubjectAccessReviewEvaluator(authorizer: Authorizer): Evaluator {
  return async (request) => {
    check("SelfSubjectAccessReview", request, "own");
    const spec = specOf(request);
    return answer("SelfSubjectAccessReview", request, spec, authorizer, request.user);
  };
}

/** What may I do in this namespace? */
export function selfSubjectRulesReviewEvaluator(rulesFor: NonNullable<Authorizer["rulesFor"]>): Evaluator {
  return async (request) => {
    const spec = specOf(request);
    const namespace = spec.namespace ?? "";
    if (namespace === "") throw statusErrors.badRequest("no namespace on request");
    const { rules: resolved, errors } = rulesFor(request.user, namespace);
    const everything: readonly PolicyRule[] = request.user.groups.includes(mastersGroup)
      ? [
          { apiGroups: ["*"], resources: ["*"], verbs: ["*"] },
          { nonResourceURLs: ["*"], verbs: ["*"] },
        ]
      : [];
    const rules = [...everything, ...resolved];
    return review("SelfSubjectRulesReview", request, spec, {
      resourceRules: rules
        .filter((rule) => (rule.resources ?? []).length > 0)
        .map(({ verbs, apiGroups, resources, resourceNames }) => ({
          verbs,
          apiGroups,
          resources,
          ...(resourceNames?.length ? { resourceNames } : {}),
        })),
      nonResourceRules: rules
        .filter((rule) => (rule.nonResourceURLs ?? []).length > 0)
        .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
      incomplete: errors.length > 0,
      ...(errors.length === 0 ? {} : { evaluationError: errors.join(", ") }),
    });
  };
}

async function answer(
  kind: string,
  request: ServerRequest,
  spec: ReviewSpec,
  authorizer: Authorizer,
  user: UserInfo,
): Promise<KubeObject> {
  const { decision, reason, error } = await authorizer.authorize(attributesIn(spec, user));
  return review(kind, request, spec, {
    allowed: decision === "allow",
    ...(decision === "deny" ? { denied: true } : {}),
    ...(reason === undefined || reason === "" ? {} : { reason }),
    ...(error === undefined ? {} : { evaluationError: error.message }),
  });
}

function review(kind: string, request: ServerRequest, spec: object, status: object): KubeObject {
  const body = request.body as { readonly metadata?: KubeObject["metadata"] };
  const made = { kind, apiVersion: `${group}/v1`, metadata: { ...body.metadata }, spec, status };
  return made as unknown as KubeObject;
}

function attributesIn(spec: ReviewSpec, user: UserInfo): AuthorizationAttributes {
  const { resourceAttributes: of, nonResourceAttributes: path } = spec;
  if (of === undefined) return { user, verb: path?.verb ?? "", path: path?.path ?? "" };
  const fieldSelector = fieldSelectorText(of.fieldSelector);
  const labelSelector = labelSelectorText(of.labelSelector);
  return {
    user,
    verb: of.verb ?? "",
    group: of.group ?? "",
    version: of.version ?? "",
    resource: of.resource ?? "",
    subresource: of.subresource ?? "",
    namespace: of.namespace ?? "",
    name: of.name ?? "",
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
  };
}

function userIn(spec: ReviewSpec): UserInfo {
  return {
    username: spec.user ?? "",
    groups: spec.groups ?? [],
    ...(spec.uid === undefined ? {} : { uid: spec.uid }),
    ...(spec.extra === undefined ? {} : { extra: spec.extra }),
  };
}

function check(kind: string, request: ServerRequest, about: Parameters<typeof validateAccessReview>[1]): void {
  const errors = validateAccessReview((request.body ?? {}) as Parameters<typeof validateAccessReview>[0], about);
  if (errors.length > 0) throw statusErrors.invalid(group, kind, "", errors);
}

function specOf(request: ServerRequest): ReviewSpec {
  const { body } = request;
  const spec: unknown = typeof body === "object" && body !== null && "spec" in body ? body.spec : undefined;
  return typeof spec === "object" && spec !== null ? spec : {};
}
