import { type CompiledExpression, type CompiledVariable, PolicyCompiler } from "../../../api/admission-cel/compiler.js";
import type { AdmissionEnvironments } from "../../../api/admission-cel/environments.js";
import { dynamicValue } from "../../../api/custom/cel/dynamic.js";
import {
  type JsonObject,
  type MutatingAdmissionPolicy,
  type MutatingAdmissionPolicyBinding,
  mutatingAdmissionPolicies,
  mutatingAdmissionPolicyBindings,
  type Namespace,
  StatusError,
  statusErrors,
} from "../../../api/index.js";
import { jsonEqual } from "../../../api/json-value.js";
import type { AdmissionPlugin, AdmissionRequest } from "../admission.js";
import { refuse } from "../objects.js";
import { Reinvocation } from "../reinvocation.js";
import type { MatchedResource } from "../rule-match.js";
import { applyConfiguration } from "./apply-configuration.js";
import { AccessAnswers, costLimits, Evaluation, EvaluationError, type Inputs } from "./evaluation.js";
import { viewOf } from "./inputs.js";
import { type Invocation, invocationsOf, requestNamespace } from "./invocations.js";
import { applyPatches } from "./json-patch.js";
import { conditionsMatch } from "./match-conditions.js";
import { isPolicy, type PolicyDeps } from "./policy-deps.js";
import { PolicySource } from "./policy-source.js";
import { nameOf } from "./validating-policies.js";

interface CompiledMutatingPolicy {
  readonly environments: AdmissionEnvironments;
  readonly variables: readonly CompiledVariable[];
  readonly conditions: readonly CompiledExpression[];
  readonly mutations: readonly { readonly type: string; readonly expression: CompiledExpression }[];
}

type Call = Invocation<MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, CompiledMutatingPolicy>;

const pluginName = "MutatingAdmissionPolicy";

/** Lets the MutatingAdmissionPolicies that are bound change what is written, one after the other. */
export function mutatingPolicies(deps: PolicyDeps): AdmissionPlugin {
  const source = new PolicySource(deps.cache, {
    policies: mutatingAdmissionPolicies,
    bindings: mutatingAdmissionPolicyBindings,
    compile: (policy: MutatingAdmissionPolicy) => compileMutatingPolicy(policy, deps.environments()),
  });
  return {
    name: pluginName,
    // A rule for all operations is one for all that bring an object.
    handles: (request) =>
      request.operation !== "DELETE" && !isPolicy(request) && source.boundFor(request, deps).length > 0,
    async admit(request) {
      const run = new MutationRun(request, deps);
      for await (const call of invocationsOf(source.boundFor(request, deps), request, deps)) {
        if ("message" in call) run.fail(call.policy, call.binding, { message: call.message });
        else run.calls.push(call);
      }
      return run.finish();
    },
  };
}

function compileMutatingPolicy(
  { spec = {} }: MutatingAdmissionPolicy,
  environments: AdmissionEnvironments,
): CompiledMutatingPolicy {
  const compiler = new PolicyCompiler(environments, { params: spec.paramKind !== undefined });
  for (const { name, expression } of spec.variables ?? []) compiler.addVariable(name, expression);
  return {
    environments,
    variables: compiler.variables,
    conditions: (spec.matchConditions ?? []).map(({ expression }) =>
      compiler.compile(expression, { authorizer: true, returns: ["bool"] }),
    ),
    mutations: (spec.mutations ?? []).map(({ patchType, jsonPatch, applyConfiguration: apply }) => ({
      type: patchType,
      expression:
        patchType === "JSONPatch"
          ? compiler.compileMutation(jsonPatch?.expression ?? "", "list(JSONPatch)")
          : compiler.compileMutation(apply?.expression ?? "", "Object"),
    })),
  };
}

interface Failure {
  readonly message: string;
  /** Absent: as for everything that is forbidden. */
  readonly reason?: "Invalid";
}

/** One request on its way through the policies. The object that each sees is the one that those before it made. */
class MutationRun {
  readonly calls: Call[] = [];
  readonly #request: AdmissionRequest;
  readonly #deps: PolicyDeps;
  readonly #failures: (Failure & { readonly by: string })[] = [];
  #object: JsonObject;
  #answers: AccessAnswers | undefined;
  #namespace: Namespace | undefined;

  constructor(request: AdmissionRequest, deps: PolicyDeps) {
    this.#request = request;
    this.#deps = deps;
    this.#object = request.object ?? {};
  }

  fail(policy: MutatingAdmissionPolicy, binding: MutatingAdmissionPolicyBinding | undefined, failure: Failure): void {
    if (policy.spec?.failurePolicy === "Ignore") return;
    const by =
      binding === undefined
        ? `policy ${JSON.stringify(nameOf(policy))}`
        : `policy '${nameOf(policy)}' with binding '${nameOf(binding)}'`;
    this.#failures.push({ ...failure, by });
  }

  /** Carries out the calls. Gives the object to go on with; throws what went wrong. */
  async finish(): Promise<JsonObject> {
    if (this.calls.length > 0) {
      this.#namespace = await requestNamespace(this.#request, this.#deps);
      const invoked = (this.#request.reinvocation ?? new Reinvocation()).of(pluginName);
      invoked.begin(this.#object);
      for (const call of this.calls) {
        const key = keyOf(call);
        const before = this.#object;
        if (!(await this.#call(call, () => invoked.wants(key)))) continue;
        if (!jsonEqual(before, this.#object)) invoked.changed();
        if (call.bound.policy.spec?.reinvocationPolicy === "IfNeeded") invoked.willing(key);
      }
      invoked.end(this.#object);
    }
    const [first] = this.#failures;
    if (first === undefined) return this.#object;
    const causes = this.#failures.map(({ by, message }) => ({ message: `${by} denied request: ${message}` }));
    const { status } = refuse(this.#request, "admission request denied by policy", causes);
    const { reason = status.reason } = first;
    throw new StatusError({
      ...status,
      message: causes[0]?.message ?? "",
      ...(reason === undefined ? {} : { reason }),
    });
  }

  /** Whether the policy's conditions held and it was its turn. */
  async #call({ bound, binding, matched, param }: Call, wanted: () => boolean): Promise<boolean> {
    const { policy } = bound;
    const compiled = bound.compiled();
    const { conditions } = compiled;
    const given = { param, matched };
    if (conditions.length > 0) {
      const evaluation = await this.#evaluation(compiled, policy, { ...given, budget: costLimits.matchConditions });
      const outcome = await conditionsMatch(conditions, evaluation, policy.spec?.failurePolicy);
      if (outcome.error !== undefined) {
        this.fail(policy, binding, { message: outcome.error, reason: "Invalid" });
        return false;
      }
      if (!outcome.matches) return false;
    }
    if (!wanted()) return false;
    if (this.#request.object === undefined) return true;
    for (const { type, expression } of compiled.mutations) {
      try {
        if (expression.program === undefined) throw new EvaluationError(expression.error);
        const evaluation = await this.#evaluation(compiled, policy, { ...given, budget: costLimits.perPolicy });
        await this.#mutate(type, await evaluation.run(expression), matched);
      } catch (error) {
        if (!(error instanceof EvaluationError)) throw error;
        this.fail(policy, binding, { message: error.message, reason: "Invalid" });
      }
    }
    return true;
  }

  async #evaluation(
    { environments, variables }: CompiledMutatingPolicy,
    policy: MutatingAdmissionPolicy,
    given: { readonly param: unknown; readonly matched: MatchedResource; readonly budget: number },
  ): Promise<Evaluation> {
    const { meter } = environments;
    const object = this.#request.object === undefined ? undefined : this.#object;
    const view = await viewOf({ ...this.#request, object }, given.matched, this.#deps.convert);
    this.#answers ??= new AccessAnswers(this.#deps.authorizer, meter);
    const inputs: Inputs = {
      ...(await view.inputs(environments, { answers: this.#answers, namespace: this.#namespace })),
      ...(policy.spec?.paramKind === undefined ? {} : { params: dynamicValue(given.param ?? null) }),
    };
    return new Evaluation(inputs, { meter, answers: this.#answers, variables, budget: given.budget });
  }

  async #mutate(type: string, value: unknown, matched: MatchedResource): Promise<void> {
    const { convert, schemaOf, settle } = this.#deps;
    const request = this.#request;
    const { object = {} } = await viewOf({ ...request, object: this.#object }, matched, convert);
    const changed =
      type === "JSONPatch"
        ? applyPatches(value, object)
        : applyConfiguration(value, object, schemaOf(matched, request.subresource));
    if (jsonEqual(changed, object)) return;
    const own = matched.group === request.group && matched.version === request.version;
    const back = own ? changed : await convert(changed, matched, request);
    try {
      this.#object = settle(request, back);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      throw statusErrors.internal(error.message, { cause: error });
    }
  }
}

function keyOf({ bound, binding, param }: Call): string {
  const { namespace = "", name = "" } = param?.metadata ?? {};
  return [nameOf(bound.policy), nameOf(binding), namespace, name].join("/");
}
