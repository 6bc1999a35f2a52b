import type { CompiledExpression } from "../../api/admission-cel/compiler.js";
import { declareRecord, type RecordType } from "../../api/admission-cel/request-types.js";
import { Meter } from "../../api/custom/cel/budget.js";
import { CompileError } from "../../api/custom/cel/compile-errors.js";
import { celEnvironment, compileProgram } from "../../api/custom/cel/program.js";
import { celTypeName } from "../../api/custom/cel/type-names.js";
import { AccessAnswers, costLimits, Evaluation } from "../admission/policies/evaluation.js";
import { type ConditionsOutcome, conditionsMatch } from "../admission/policies/match-conditions.js";
import { accessReviewRequest } from "./access-review.js";
import type { AuthorizationAttributes } from "./authorizer.js";

const requirement: RecordType = {
  name: "kubernetes.SelectorRequirement",
  fields: { key: "string", operator: "string", values: "list<string>" },
};

const selector = (name: string): RecordType => ({
  name: `kubernetes.${name}SelectorAttributes`,
  fields: { rawSelector: "string", requirements: [requirement] },
});

const requestType: RecordType = {
  name: "kubernetes.SubjectAccessReviewSpec",
  fields: {
    resourceAttributes: {
      name: "kubernetes.ResourceAttributes",
      fields: {
        namespace: "string",
        verb: "string",
        group: "string",
        version: "string",
        resource: "string",
        subresource: "string",
        name: "string",
        fieldSelector: selector("Field"),
        labelSelector: selector("Label"),
      },
    },
    nonResourceAttributes: {
      name: "kubernetes.NonResourceAttributes",
      fields: { path: "string", verb: "string" },
    },
    user: "string",
    groups: "list<string>",
    extra: "map<string, list<string>>",
    uid: "string",
  },
};

/** The language of the conditions of authorization webhooks: over `request`, the spec of a SubjectAccessReview. */
export class AuthorizationExpressions {
  readonly #meter = new Meter();
  readonly #environment = celEnvironment(this.#meter);
  readonly #requestOf: (value: unknown) => unknown = declareRecord(this.#environment, requestType);

  constructor() {
    this.#environment.registerVariable("request", requestType.name);
  }

  compile(source: string): CompiledExpression {
    try {
      const program = compileProgram(this.#environment, source, this.#meter);
      const type = celTypeName(program.type);
      return type === "bool" ? { source, program } : { source, error: `must evaluate to bool but got ${type}` };
    } catch (error) {
      if (!(error instanceof CompileError)) throw error;
      return { source, error: `compilation failed: ${error.message}` };
    }
  }

  /** Whether all conditions hold. One that does not decides; where none does and one failed, there is an error. */
  match(conditions: readonly CompiledExpression[], asked: AuthorizationAttributes): Promise<ConditionsOutcome> {
    const inputs = { request: this.#requestOf(accessReviewRequest(asked)) };
    const answers = new AccessAnswers(undefined, this.#meter);
    const options = { meter: this.#meter, answers, variables: [], budget: costLimits.matchConditions };
    return conditionsMatch(conditions, new Evaluation(inputs, options), "Fail");
  }
}
