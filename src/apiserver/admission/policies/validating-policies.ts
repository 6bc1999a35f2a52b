import { dynamicValue } from "../../../api/custom/cel/dynamic.js";
import {
  type KubeObject,
  type Namespace,
  StatusError,
  type StatusReason,
  type ValidatingAdmissionPolicy,
  type ValidatingAdmissionPolicyBinding,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
} from "../../../api/index.js";
import type { AdmissionPlugin, AdmissionRequest } from "../admission.js";
import { refuse } from "../objects.js";
import type { MatchedResource } from "../rule-match.js";
import { AccessAnswers } from "./evaluation.js";
import { type RequestView, viewOf } from "./inputs.js";
import { type Invocation, invocationsOf, requestNamespace } from "./invocations.js";
import { isPolicy, type PolicyDeps } from "./policy-deps.js";
import { PolicySource } from "./policy-source.js";
import { type CompiledValidatingPolicy, compileValidatingPolicy, type PolicyDecision, validate } from "./validator.js";

type Call = Invocation<ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, CompiledValidatingPolicy>;

interface Denial {
  readonly policy: string;
  readonly binding: string | undefined;
  readonly message: string;
  readonly reason: string | undefined;
}

/** Evaluates the ValidatingAdmissionPolicies that are bound. All are evaluated; the first denial is the answer. */
export function validatingPolicies(deps: PolicyDeps): AdmissionPlugin {
  const source = new PolicySource(deps.cache, {
    policies: validatingAdmissionPolicies,
    bindings: validatingAdmissionPolicyBindings,
    compile: (policy: ValidatingAdmissionPolicy) => compileValidatingPolicy(policy, deps.environments()),
  });
  return {
    name: "ValidatingAdmissionPolicy",
    handles: (request) => !isPolicy(request) && source.boundFor(request, deps).length > 0,
    async validate(request) {
      const run = new ValidationRun(request, deps);
      for await (const call of invocationsOf(source.boundFor(request, deps), request, deps)) {
        if ("message" in call) run.misconfigured(call.policy, call.binding, call.message);
        else await run.evaluate(call);
      }
      run.finish();
    },
  };
}

/** One request on its way through the policies. */
class ValidationRun {
  readonly #request: AdmissionRequest;
  readonly #deps: PolicyDeps;
  readonly #denials: Denial[] = [];
  readonly #views = new Map<string, RequestView>();
  readonly #annotations = new Map<string, Set<string>>();
  readonly #audited: object[] = [];
  #answers: AccessAnswers | undefined;
  #namespace: Promise<Namespace | undefined> | undefined;

  constructor(request: AdmissionRequest, deps: PolicyDeps) {
    this.#request = request;
    this.#deps = deps;
  }

  misconfigured(
    policy: ValidatingAdmissionPolicy,
    binding: ValidatingAdmissionPolicyBinding | undefined,
    message: string,
  ): void {
    if (policy.spec?.failurePolicy === "Ignore") return;
    this.#denials.push({ policy: nameOf(policy), binding: binding && nameOf(binding), message, reason: undefined });
  }

  async evaluate({ bound, binding, matched, param }: Call): Promise<void> {
    const { policy } = bound;
    const compiled = bound.compiled();
    const view = await this.#view(matched);
    this.#answers ??= new AccessAnswers(this.#deps.authorizer, compiled.environments.meter);
    this.#namespace ??= requestNamespace(this.#request, this.#deps);
    const context = { answers: this.#answers, namespace: await this.#namespace };
    const inputs = {
      ...(await view.inputs(compiled.environments, context)),
      ...(policy.spec?.paramKind === undefined ? {} : { params: param === undefined ? null : dynamicValue(param) }),
    };
    const failurePolicy = policy.spec?.failurePolicy;
    const verdict = await validate(compiled, inputs, { answers: this.#answers, failurePolicy });
    for (const [index, decision] of verdict.decisions.entries()) {
      if (decision.action === "deny") this.#act(policy, binding, decision, index);
    }
    for (const failure of verdict.failures) this.#deny(policy, binding, failure);
    for (const { key, value } of verdict.annotations) {
      const full = `${nameOf(policy)}/${key}`;
      this.#annotations.set(full, (this.#annotations.get(full) ?? new Set<string>()).add(value));
    }
  }

  /** Writes the annotations down. Throws the first denial. */
  finish(): void {
    for (const [key, values] of this.#annotations) this.#request.annotate?.(key, [...values].join(", "));
    if (this.#audited.length > 0) {
      this.#request.annotate?.("validation.policy.admission.k8s.io/validation_failure", JSON.stringify(this.#audited));
    }
    const [first] = this.#denials;
    if (first !== undefined) throw refusal(this.#request, first);
  }

  #act(
    policy: ValidatingAdmissionPolicy,
    binding: ValidatingAdmissionPolicyBinding,
    decision: PolicyDecision,
    expressionIndex: number,
  ): void {
    const validationActions = binding.spec?.validationActions ?? [];
    for (const action of validationActions) {
      if (action === "Deny") this.#deny(policy, binding, decision);
      else if (action === "Warn") {
        const [name, bound] = [nameOf(policy), nameOf(binding)];
        this.#request.warn(
          `Validation failed for ValidatingAdmissionPolicy '${name}' with binding '${bound}': ${decision.message}`,
        );
      } else {
        const { message } = decision;
        const names = { policy: nameOf(policy), binding: nameOf(binding) };
        this.#audited.push({ message, ...names, expressionIndex, validationActions });
      }
    }
  }

  #deny(
    policy: ValidatingAdmissionPolicy,
    binding: ValidatingAdmissionPolicyBinding,
    { message, reason }: PolicyDecision,
  ): void {
    this.#denials.push({ policy: nameOf(policy), binding: nameOf(binding), message, reason });
  }

  async #view(matched: MatchedResource): Promise<RequestView> {
    const key = `${matched.group}/${matched.version}/${matched.resource}`;
    let view = this.#views.get(key);
    if (view === undefined) {
      view = await viewOf(this.#request, matched, this.#deps.convert);
      this.#views.set(key, view);
    }
    return view;
  }
}

export function nameOf({ metadata }: KubeObject): string {
  return metadata.name ?? "";
}

const codes: ReadonlyMap<string, number> = new Map([
  ["Forbidden", 403],
  ["Unauthorized", 401],
  ["RequestEntityTooLarge", 413],
  ["Invalid", 422],
]);

function refusal(request: AdmissionRequest, { policy, binding, message, reason = "Invalid" }: Denial): StatusError {
  const by = binding === undefined ? "" : ` with binding '${binding}'`;
  const text = `ValidatingAdmissionPolicy '${policy}'${by} denied request: ${message}`;
  const { status } = refuse(request, text, [{ message: text }]);
  return new StatusError({ ...status, reason: reason as StatusReason, code: codes.get(reason) ?? 422 });
}
