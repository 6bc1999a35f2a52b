import type { KubeObject } from "../api/index.js";
import type { Clock } from "../internal/clock.js";
import type { CacheReader } from "./admission/admission.js";
import type { TokenAuthenticator } from "./authn/authenticator.js";
import { selfSubjectReviewEvaluator, tokenReviewEvaluator } from "./authn/reviews.js";
import type { TokenIssuer } from "./authn/token-issuer.js";
import { tokenRequestEvaluator } from "./authn/token-request.js";
import type { DefaultAuthorizer } from "./authz/default-authorizer.js";
import {
  localSubjectAccessReviewEvaluator,
  selfSubjectAccessReviewEvaluator,
  selfSubjectRulesReviewEvaluator,
  subjectAccessReviewEvaluator,
} from "./authz/reviews.js";
import type { ServerRequest } from "./request.js";

export interface VirtualResourceOptions {
  readonly authorizer: DefaultAuthorizer;
  readonly cache: CacheReader;
  readonly clock: Clock;
  /** What the API server is asked by: tokens for it carry one of these. */
  readonly audiences: readonly string[];
  /** Who can say whose a token is. */
  readonly tokens: readonly TokenAuthenticator[];
  /** Absent: no tokens are made. */
  readonly issuer?: TokenIssuer;
}

/** What is computed on POST and never stored, by `group/resource` or `group/resource/subresource`. */
export function securityResources(
  options: VirtualResourceOptions,
): ReadonlyMap<string, (request: ServerRequest) => KubeObject | Promise<KubeObject>> {
  const { authorizer, issuer } = options;
  const resources = new Map<string, (request: ServerRequest) => KubeObject | Promise<KubeObject>>([
    ["authentication.k8s.io/tokenreviews", tokenReviewEvaluator(options)],
    ["authentication.k8s.io/selfsubjectreviews", selfSubjectReviewEvaluator(options.clock)],
    ["authorization.k8s.io/subjectaccessreviews", subjectAccessReviewEvaluator(authorizer)],
    ["authorization.k8s.io/localsubjectaccessreviews", localSubjectAccessReviewEvaluator(authorizer)],
    ["authorization.k8s.io/selfsubjectaccessreviews", selfSubjectAccessReviewEvaluator(authorizer)],
    ["authorization.k8s.io/selfsubjectrulesreviews", selfSubjectRulesReviewEvaluator(authorizer.rbac)],
  ]);
  if (issuer !== undefined) resources.set("/serviceaccounts/token", tokenRequestEvaluator({ ...options, issuer }));
  return resources;
}
