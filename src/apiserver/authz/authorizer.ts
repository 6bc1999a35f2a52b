import type { UserInfo } from "../../api/index.js";

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
  /** Of a list or watch, as text. */
  readonly fieldSelector?: string;
  readonly path?: string;
}

/** `noOpinion` leaves it to the next authorizer; when none allows, the request is forbidden. `reason` is for people. */
export interface AuthorizationDecision {
  readonly decision: "allow" | "deny" | "noOpinion";
  readonly reason?: string;
}

export interface Authorizer {
  readonly name: string;
  authorize(attributes: AuthorizationAttributes): AuthorizationDecision | Promise<AuthorizationDecision>;
}
