import {
  type KubeObject,
  mutatingAdmissionPolicies,
  type ParamKind,
  type ParamRef,
  parseApiVersion,
  type ResourceType,
  type UserInfo,
  type ValidatingAdmissionPolicy,
  validatingAdmissionPolicies,
} from "../../../api/index.js";
import { jsonEqual } from "../../../api/json-value.js";
import { mastersGroup } from "../../authn/authenticator.js";
import type { AuthorizationAttributes, Authorizer } from "../../authz/authorizer.js";
import type { AdmissionPlugin, AdmissionRequest } from "../admission.js";
import { refuse } from "../objects.js";
import type { ParamDeps } from "./params.js";
import { isPolicy } from "./policy-deps.js";

interface ParamSpec {
  readonly paramKind?: ParamKind;
  readonly policyName?: string;
  readonly paramRef?: ParamRef;
}

/**
 * Nobody reads through a policy what they may not read themselves: whoever names a kind of parameters, or refers to some, must be allowed to get
 * them. Part of the resources upstream, not one of its admission plugins, and always on.
 */
export function paramRights(deps: ParamDeps & { readonly authorizer: Authorizer }): AdmissionPlugin {
  return {
    name: "AdmissionPolicyParams",
    handles: (request) =>
      isPolicy(request) &&
      request.subresource === "" &&
      (request.operation === "CREATE" || request.operation === "UPDATE") &&
      !request.user.groups.includes(mastersGroup),
    async validate(request) {
      const spec = specOf(request.object);
      const old = specOf(request.oldObject);
      if (request.resource.endsWith("bindings")) {
        if (spec.paramRef === undefined) return;
        if (jsonEqual(spec.paramRef, old.paramRef) && spec.policyName === old.policyName) return;
        const kind = policyKind(request, spec.policyName ?? "", deps);
        const { name, namespace } = spec.paramRef;
        await confirm(
          request,
          { ...target(kind, deps), ...(name ? { name } : {}), ...(namespace ? { namespace } : {}) },
          deps,
          (user) => {
            return `user ${user} does not have "get" permission on the object referenced by paramRef`;
          },
        );
        return;
      }
      const { paramKind } = spec;
      if (paramKind === undefined || jsonEqual(paramKind, old.paramKind)) return;
      await confirm(request, { ...target(paramKind, deps), name: "*", namespace: "*" }, deps, (user) => {
        const which = `kind=${paramKind.kind}, apiVersion=${paramKind.apiVersion}`;
        return `user ${user} must have "get" permission on all objects of the referenced paramKind (${which})`;
      });
    },
  };
}

async function confirm(
  request: AdmissionRequest,
  place: Omit<AuthorizationAttributes, "user" | "verb">,
  { authorizer }: { readonly authorizer: Authorizer },
  why: (user: string) => string,
): Promise<void> {
  const { decision } = await authorizer.authorize({ user: request.user, verb: "get", ...place });
  if (decision !== "allow") throw refuse(request, why(shown(request.user)));
}

/** As Go prints a user. */
function shown({ username, uid = "", groups, extra = {} }: UserInfo): string {
  const more = Object.entries(extra).map(([key, values]) => `${key}:[${values.join(" ")}]`);
  return `&{${username} ${uid} [${groups.join(" ")}] map[${more.join(" ")}]}`;
}

/** What must be readable: everything, where nobody can say what the kind is. */
function target(
  kind: ParamKind | undefined,
  { resourceOf }: ParamDeps,
): Omit<AuthorizationAttributes, "user" | "verb"> {
  if (kind === undefined) return { group: "*", version: "*", resource: "*" };
  const { group, version } = parseApiVersion(kind.apiVersion ?? "");
  return { group, version, resource: resourceOf({ group, version, kind: kind.kind ?? "" })?.resource ?? "*" };
}

function policyKind(request: AdmissionRequest, name: string, { cache }: ParamDeps): ParamKind | undefined {
  const policies: ResourceType<ValidatingAdmissionPolicy | KubeObject> =
    request.resource === "mutatingadmissionpolicybindings" ? mutatingAdmissionPolicies : validatingAdmissionPolicies;
  return specOf(cache.get(policies, { name })).paramKind;
}

/** The objects have been validated: their shapes are known. */
function specOf(object: object | undefined): ParamSpec {
  return object !== undefined && "spec" in object ? ((object.spec ?? {}) as ParamSpec) : {};
}
