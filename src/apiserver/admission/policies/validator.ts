import { type CompiledExpression, type CompiledVariable, PolicyCompiler } from "../../../api/admission-cel/compiler.js";
import type { AdmissionEnvironments } from "../../../api/admission-cel/environments.js";
import type { ValidatingAdmissionPolicy, Validation } from "../../../api/index.js";
import { type AccessAnswers, costLimits, Evaluation, EvaluationError, type Inputs, OutOfBudget } from "./evaluation.js";
import { conditionsMatch } from "./match-conditions.js";

/** A ValidatingAdmissionPolicy whose expressions are compiled. */
export interface CompiledValidatingPolicy {
  readonly environments: AdmissionEnvironments;
  readonly variables: readonly CompiledVariable[];
  readonly conditions: readonly CompiledExpression[];
  readonly validations: readonly {
    readonly validation: Validation;
    readonly expression: CompiledExpression;
    readonly message: CompiledExpression | undefined;
  }[];
  readonly annotations: readonly { readonly key: string; readonly expression: CompiledExpression }[];
}

/** What one validation says of a request. `reason` is that of a denial which is no failure of the policy itself. */
export interface PolicyDecision {
  readonly action: "admit" | "deny";
  readonly message: string;
  readonly reason?: string | undefined;
}

export interface Verdict {
  readonly decisions: readonly PolicyDecision[];
  readonly annotations: readonly { readonly key: string; readonly value: string }[];
  /** Annotations that could not be made, which denies whatever the binding's actions are. */
  readonly failures: readonly PolicyDecision[];
}

export function compileValidatingPolicy(
  { spec = {} }: ValidatingAdmissionPolicy,
  environments: AdmissionEnvironments,
): CompiledValidatingPolicy {
  const compiler = new PolicyCompiler(environments, { params: spec.paramKind !== undefined });
  for (const { name, expression } of spec.variables ?? []) compiler.addVariable(name, expression);
  const authorizer = true;
  return {
    environments,
    variables: compiler.variables,
    conditions: (spec.matchConditions ?? []).map(({ expression }) =>
      compiler.compile(expression, { authorizer, returns: ["bool"] }),
    ),
    validations: (spec.validations ?? []).map((validation) => ({
      validation,
      expression: compiler.compile(validation.expression, { authorizer, returns: ["bool"] }),
      message: validation.messageExpression
        ? compiler.compile(validation.messageExpression, { authorizer: false, returns: ["string"] })
        : undefined,
    })),
    annotations: (spec.auditAnnotations ?? []).map(({ key, valueExpression }) => ({
      key,
      expression: compiler.compile(valueExpression, { authorizer, returns: ["string", "null_type"] }),
    })),
  };
}

const nothing: Verdict = { decisions: [], annotations: [], failures: [] };

/** Evaluates a policy on one request with one set of parameters. */
export async function validate(
  policy: CompiledValidatingPolicy,
  inputs: Inputs,
  { answers, failurePolicy }: { readonly answers: AccessAnswers; readonly failurePolicy: string | undefined },
): Promise<Verdict> {
  const { meter } = policy.environments;
  const { variables } = policy;
  const spend = (budget: number): Evaluation => new Evaluation(inputs, { meter, answers, variables, budget });
  const action = failurePolicy === "Ignore" ? "admit" : "deny";
  if (policy.conditions.length > 0) {
    const outcome = await conditionsMatch(policy.conditions, spend(costLimits.matchConditions), failurePolicy);
    if (outcome.error !== undefined) return { ...nothing, decisions: [{ action, message: outcome.error }] };
    if (!outcome.matches) return nothing;
  }
  try {
    const decisions = await decide(policy, spend(costLimits.perPolicy), action);
    return { decisions, ...(await annotate(policy, spend(costLimits.perPolicy), action)) };
  } catch (error) {
    if (!(error instanceof OutOfBudget)) throw error;
    return { ...nothing, decisions: [{ action, message: error.message }] };
  }
}

async function decide(
  policy: CompiledValidatingPolicy,
  evaluation: Evaluation,
  onFailure: PolicyDecision["action"],
): Promise<readonly PolicyDecision[]> {
  const decisions: PolicyDecision[] = [];
  for (const { validation, expression, message } of policy.validations) {
    try {
      if ((await evaluation.run(expression)) === true) decisions.push({ action: "admit", message: "" });
      else {
        const text = (await evaluatedMessage(message, evaluation)) || fixedMessage(validation);
        decisions.push({ action: "deny", message: text, reason: validation.reason ?? "Invalid" });
      }
    } catch (error) {
      if (!(error instanceof EvaluationError) || error instanceof OutOfBudget) throw error;
      decisions.push({ action: onFailure, message: error.message });
    }
  }
  return decisions;
}

/** Longer messages are not used. */
const maxMessageBytes = 5 * 1024;

async function evaluatedMessage(message: CompiledExpression | undefined, evaluation: Evaluation): Promise<string> {
  if (message === undefined) return "";
  try {
    const value = await evaluation.run(message);
    const text = typeof value === "string" ? value.trim() : "";
    return text.includes("\n") || Buffer.byteLength(text) > maxMessageBytes ? "" : text;
  } catch (error) {
    if (!(error instanceof EvaluationError) || error instanceof OutOfBudget) throw error;
    return "";
  }
}

function fixedMessage({ message = "", expression }: Validation): string {
  return message.trim() || `failed expression: ${expression.trim()}`;
}

/** Longer annotations are cut. */
const maxAnnotation = 10 * 1024;

async function annotate(
  policy: CompiledValidatingPolicy,
  evaluation: Evaluation,
  onFailure: PolicyDecision["action"],
): Promise<Pick<Verdict, "annotations" | "failures">> {
  const annotations: { key: string; value: string }[] = [];
  const failures: PolicyDecision[] = [];
  for (const { key, expression } of policy.annotations) {
    try {
      const value = await evaluation.run(expression);
      const text = typeof value === "string" ? value.trim() : "";
      if (text !== "") annotations.push({ key, value: text.slice(0, maxAnnotation) });
    } catch (error) {
      if (!(error instanceof EvaluationError) || error instanceof OutOfBudget) throw error;
      if (onFailure === "deny") failures.push({ action: "deny", message: error.message });
    }
  }
  return { annotations, failures };
}
