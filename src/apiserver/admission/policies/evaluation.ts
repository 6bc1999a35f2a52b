import { setImmediate as nextTurn } from "node:timers/promises";
import type { AccessAnswer, AccessQuestion } from "../../../api/admission-cel/authorizer-library.js";
import { type CompiledExpression, type CompiledVariable, VariablesValue } from "../../../api/admission-cel/compiler.js";
import { BudgetExceeded, type Meter } from "../../../api/custom/cel/budget.js";
import type { Authorizer } from "../../authz/authorizer.js";

/** Upstream's figures: what one expression may cost, all of one policy together, and the match conditions of one. */
export const costLimits: {
  readonly perExpression: number;
  readonly perPolicy: number;
  readonly matchConditions: number;
} = { perExpression: 1_000_000, perPolicy: 10_000_000, matchConditions: 2_500_000 };

/** What a question to the authorizer costs. */
const questionCost = 350_000;
/** After how much work others get their turn. */
const turnCost = 200_000;

/** An expression, or everything that a policy may spend, failed: the message is for whoever writes. */
export class EvaluationError extends Error {
  override readonly name = "EvaluationError";
}

/** No further expression is evaluated: the policy has nothing left to spend. */
export class OutOfBudget extends EvaluationError {
  constructor() {
    super("validation failed due to running out of cost budget, no further validation rules will be run");
  }
}

/** Ends an evaluation that needs an answer of the authorizer; it starts again when the answer is there. */
class Undecided extends Error {
  readonly question: AccessQuestion;
  constructor(question: AccessQuestion) {
    super("not decided yet");
    this.question = question;
  }
}

/** What the authorizer said during one request, so that it is asked each question once. Expressions are synchronous, it is not. */
export class AccessAnswers {
  readonly #authorizer: Authorizer | undefined;
  readonly #meter: Meter;
  readonly #known = new Map<string, AccessAnswer>();

  /** Without an authorizer everything is allowed, as on a server without one. */
  constructor(authorizer: Authorizer | undefined, meter: Meter) {
    this.#authorizer = authorizer;
    this.#meter = meter;
  }

  readonly ask = (question: AccessQuestion): AccessAnswer => {
    this.#meter.spend(questionCost);
    const known = this.#known.get(JSON.stringify(question));
    if (known === undefined) throw new Undecided(question);
    return known;
  };

  async decide(question: AccessQuestion): Promise<void> {
    this.#known.set(JSON.stringify(question), await this.#answer(question));
  }

  async #answer(question: AccessQuestion): Promise<AccessAnswer> {
    if (this.#authorizer === undefined) return { allowed: true, reason: "", error: "" };
    try {
      const { decision, reason = "" } = await this.#authorizer.authorize(question);
      return { allowed: decision === "allow", reason, error: "" };
    } catch (error) {
      return { allowed: false, reason: "", error: error instanceof Error ? error.message : String(error) };
    }
  }
}

/** Values of object, oldObject, request and so on, as expressions see them. */
export type Inputs = { readonly [name: string]: unknown };

export interface EvaluationOptions {
  readonly meter: Meter;
  readonly answers: AccessAnswers;
  readonly variables: readonly CompiledVariable[];
  readonly budget: number;
}

/** Evaluates expressions of one policy on one request with one set of parameters. */
export class Evaluation {
  readonly #inputs: Inputs;
  readonly #meter: Meter;
  readonly #answers: AccessAnswers;
  readonly #values = new Map<string, unknown>();
  #left: number;
  #turnLeft = turnCost;
  #composedCost = 0;

  constructor(inputs: Inputs, { meter, answers, variables, budget }: EvaluationOptions) {
    this.#meter = meter;
    this.#answers = answers;
    this.#left = budget;
    const computed = variables.map(({ name, expression }) => [name, () => this.#variable(name, expression)] as const);
    this.#inputs = computed.length === 0 ? inputs : { ...inputs, variables: new VariablesValue(computed) };
  }

  /** Rejects with OutOfBudget when all is spent, and with EvaluationError when the expression fails. */
  async run(expression: CompiledExpression): Promise<unknown> {
    if (expression.program === undefined) throw new EvaluationError(`compilation error: ${expression.error}`);
    for (;;) {
      if (this.#turnLeft <= 0) {
        this.#turnLeft = turnCost;
        await nextTurn();
      }
      const outcome = this.#evaluate(expression.program);
      if (!("failure" in outcome)) return outcome.value;
      const { failure } = outcome;
      if (failure instanceof OutOfBudget) throw failure;
      if (failure instanceof Undecided) await this.#answers.decide(failure.question);
      else
        throw new EvaluationError(`expression '${expression.source}' resulted in error: ${wording(failure)}`, {
          cause: failure,
        });
    }
  }

  #evaluate(
    program: NonNullable<CompiledExpression["program"]>,
  ): { readonly value: unknown } | { readonly failure: unknown } {
    const meter = this.#meter;
    this.#composedCost = 0;
    meter.reset(costLimits.perExpression);
    let outcome: { readonly value: unknown } | { readonly failure: unknown };
    try {
      outcome = { value: program.run(this.#inputs) };
    } catch (failure) {
      outcome = { failure };
    }
    // A loop may have swallowed that there was nothing left.
    if (meter.left < 0 && !("failure" in outcome && outcome.failure instanceof BudgetExceeded)) {
      outcome = { failure: new Error("operation cancelled: actual cost limit exceeded") };
    }
    const cost = costLimits.perExpression - meter.left + this.#composedCost;
    this.#turnLeft -= cost;
    if ("failure" in outcome && outcome.failure instanceof Undecided) return outcome;
    this.#left -= cost;
    return this.#left < 0 ? { failure: new OutOfBudget() } : outcome;
  }

  /** Computed once, within whatever looks at it first, but with a limit of its own. */
  #variable(name: string, { program, error }: CompiledExpression): unknown {
    if (this.#values.has(name)) return this.#values.get(name);
    if (program === undefined)
      throw new Error(`composited variable ${JSON.stringify(name)} fails to compile: ${error}`);
    const meter = this.#meter;
    const outer = meter.left;
    meter.resume(costLimits.perExpression);
    try {
      const value = program.run(this.#inputs);
      if (meter.left < 0) throw new Error("operation cancelled: actual cost limit exceeded");
      this.#values.set(name, value);
      return value;
    } catch (failure) {
      if (failure instanceof Undecided) throw failure;
      throw new Error(`composited variable ${JSON.stringify(name)} fails to evaluate: ${wording(failure)}`, {
        cause: failure,
      });
    } finally {
      this.#composedCost += costLimits.perExpression - meter.left;
      meter.resume(outer);
    }
  }
}

/** The engine's words in those of cel-go. */
function wording(failure: unknown): string {
  const summary = typeof failure === "object" && failure !== null && "summary" in failure ? failure.summary : undefined;
  const raw = typeof summary === "string" ? summary : failure instanceof Error ? failure.message : String(failure);
  const text = raw.split("\n")[0] ?? "";
  const bounds = /index out of bounds, index (-?\d+)/.exec(text);
  if (bounds !== null) return `index out of bounds: ${bounds[1]}`;
  if (text.startsWith("no such overload") || text.startsWith("found no matching overload")) return "no such overload";
  return text.replace(/^No such key: /, "no such key: ");
}
