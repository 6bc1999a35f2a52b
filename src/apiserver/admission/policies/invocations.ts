import type { KubeObject, Namespace, ResourceDescription } from "../../../api/index.js";
import type { AdmissionRequest } from "../admission.js";
import { isNamespace, type MatchedResource, matchRequest, namespaceOf } from "../rule-match.js";
import { ConfigurationError, paramResource, paramsOf } from "./params.js";
import type { PolicyDeps } from "./policy-deps.js";
import type { BindingObject, BoundPolicy, PolicyObject } from "./policy-source.js";

/** One policy to be evaluated for a request, with one set of parameters. */
export interface Invocation<P, B, C> {
  readonly bound: BoundPolicy<P, B, C>;
  readonly binding: B;
  readonly matched: MatchedResource;
  readonly param: KubeObject | undefined;
}

/** Why a policy, or one of its bindings, cannot be evaluated. */
export interface Misconfiguration<P, B> {
  readonly policy: P;
  readonly binding: B | undefined;
  readonly message: string;
}

/** Policies, in order, with their bindings and parameters, that a request matches. */
export async function* invocationsOf<P extends PolicyObject, B extends BindingObject, C>(
  policies: readonly BoundPolicy<P, B, C>[],
  request: AdmissionRequest,
  deps: PolicyDeps,
): AsyncGenerator<Invocation<P, B, C> | Misconfiguration<P, B>> {
  for (const bound of policies) {
    const matched = await matchRequest(bound.criteria, request, deps);
    if (matched === undefined) continue;
    const { paramKind } = bound.policy.spec ?? {};
    let resource: ResourceDescription | undefined;
    try {
      resource = paramKind === undefined ? undefined : paramResource(paramKind, deps);
    } catch (error) {
      yield misconfigured<P, B>(error, bound.policy);
      continue;
    }
    for (const { binding, criteria } of bound.bindings) {
      if (criteria !== undefined && (await matchRequest(criteria, request, deps)) === undefined) continue;
      try {
        const params = await paramsOf(resource, binding.spec?.paramRef, request.namespace, deps);
        for (const param of params) yield { bound, binding, matched, param };
      } catch (error) {
        yield misconfigured(error, bound.policy, binding);
      }
    }
  }
}

function misconfigured<P, B>(error: unknown, policy: P, binding?: B): Misconfiguration<P, B> {
  if (!(error instanceof ConfigurationError)) throw error;
  const what = binding === undefined ? "policy" : "binding";
  return { policy, binding, message: `failed to configure ${what}: ${error.message}` };
}

/** What expressions see as `namespaceObject`. Errors: NotFound. */
export async function requestNamespace(request: AdmissionRequest, deps: PolicyDeps): Promise<Namespace | undefined> {
  if (request.namespace === "" || isNamespace(request)) return undefined;
  return namespaceOf(request.namespace, deps);
}
