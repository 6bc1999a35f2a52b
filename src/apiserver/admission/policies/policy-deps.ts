import { AdmissionEnvironments } from "../../../api/admission-cel/environments.js";
import { Meter } from "../../../api/custom/cel/budget.js";
import type { GroupVersionResource, JsonObject, Schema } from "../../../api/index.js";
import type { Authorizer } from "../../authz/authorizer.js";
import type { AdmissionRequest } from "../admission.js";
import type { MatchDeps } from "../rule-match.js";
import type { Settle } from "../settle.js";
import type { ParamDeps } from "./params.js";

/** What policies need of the server that they are part of. */
export interface PolicyDeps extends MatchDeps, ParamDeps {
  /** An object of one resource as another one shows it that shares its objects. */
  readonly convert: (object: JsonObject, from: GroupVersionResource, to: GroupVersionResource) => Promise<JsonObject>;
  /** Of what a resource, or its subresource, takes. Throws BadRequest where nobody knows. */
  readonly schemaOf: (resource: GroupVersionResource, subresource: string) => Schema;
  readonly settle: Settle;
  /** Absent: every question of an expression is answered with yes. */
  readonly authorizer?: Authorizer | undefined;
  /** Made with the first policy. */
  readonly environments: () => AdmissionEnvironments;
}

/** Environments keep something of every type that they were asked for, so they are made anew after so many policies. */
const policiesPerEnvironment = 1000;

export function lazyEnvironments(): () => AdmissionEnvironments {
  const meter = new Meter();
  let current: AdmissionEnvironments | undefined;
  let used = 0;
  return () => {
    if (current === undefined || used >= policiesPerEnvironment) {
      current = new AdmissionEnvironments(meter);
      used = 0;
    }
    used++;
    return current;
  };
}

const group = "admissionregistration.k8s.io";
const own: ReadonlySet<string> = new Set([
  "validatingadmissionpolicies",
  "validatingadmissionpolicybindings",
  "mutatingadmissionpolicies",
  "mutatingadmissionpolicybindings",
]);

/** No policy is asked about policies: nobody could mend them. */
export function isPolicy(request: AdmissionRequest): boolean {
  return request.group === group && own.has(request.resource);
}
