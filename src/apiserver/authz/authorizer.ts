import type { PolicyRule, UserInfo } from "../../api/index.js";

/** What somebody wants to do. `path` is set for requests outside the resource API (`/healthz`), the others for those within. */
export interface AuthorizationAttributes {
  readonly user: UserInfo;
  /** get, list, watch, create, update, patch, delete, deletecollection, and special ones such as bind, escalate, impersonate; for paths the method in lower case. */
  readonly verb: string;
  readonly group?: string;
  readonly version?: string;
  readonly resource?: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
  /** Of a list, watch or deletecollection, as text. */
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
  readonly path?: string;
}

/**
 * `noOpinion` leaves it to the next authorizer; when none allows, the request is forbidden. `reason` is for people. `error` is what kept an
 * authorizer from knowing: when nobody allows the request then, it fails with 500, as upstream's do.
 */
export interface AuthorizationDecision {
  readonly decision: "allow" | "deny" | "noOpinion";
  readonly reason?: string;
  readonly error?: Error;
}

/** What a user may do, as far as an authorizer can say. */
export interface ResolvedRules {
  readonly rules: readonly PolicyRule[];
  /** Why there may be more: bindings whose role is not there, authorizers that have no rules. */
  readonly errors: readonly string[];
}

export interface Authorizer {
  readonly name: string;
  /** Never throws, never rejects. */
  authorize(attributes: AuthorizationAttributes): AuthorizationDecision | Promise<AuthorizationDecision>;
  /** What a user may do in a namespace, cluster-wide rules included; `""` is the cluster scope. Absent: it cannot say. */
  readonly rulesFor?: (user: UserInfo, namespace: string) => ResolvedRules;
}
