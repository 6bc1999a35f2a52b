import { setImmediate as nextTurn } from "node:timers/promises";
import type { AccessAnswer, AccessQuestion } from "../../../api/admission-cel/authorizer-library.js";
import { type CompiledExpression, type CompiledVariable, VariablesValue } from "../../../api/admission-cel/compiler.js";
import { BudgetExceeded, type Meter } from "../../../api/custom/cel/budget.js";
import type { Program } from "../../../api/custom/cel/program.js";
import { turnCost } from "../../../api/custom/cel/steps.js";
import type { Authorizer } from "../../authz/authorizer.js";

/** Upstream's figures: what one expression may cost, all of one policy together, and the match conditions of one. */
export const costLimits: {
  readonly perExpression: number;
  readonly perPolicy: number;
  readonly matchConditions: number;
} = { perExpression: 1_000_000, perPolicy: 10_000_000, matchConditions: 2_500_000 };

/** What a question to the authorizer costs. */
const questionCost = 350_000;

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
class Undecided extends BudgetExceeded {
  readonly question: AccessQuestion;
  constructor(question: AccessQuestion) {
    super("not decided yet");
    this.question = question;
  }
}

/** Ends an evaluation that needs a variable; it starts again when its value is there. */
class NotComputed extends BudgetExceeded {
  readonly variable: CompiledVariable;
  constructor(variable: CompiledVariable) {
    super("not computed yet");
    this.variable = variable;
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
    if (known === undefined) this.#meter.interrupt(new Undecided(question));
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
  readonly #values = new Map<string, Outcome>();
  #left: number;
  #turnLeft = turnCost;

  constructor(inputs: Inputs, { meter, answers, variables, budget }: EvaluationOptions) {
    this.#meter = meter;
    this.#answers = answers;
    this.#left = budget;
    const computed = variables.map((variable) => [variable.name, () => this.#variable(variable)] as const);
    this.#inputs = computed.length === 0 ? inputs : { ...inputs, variables: new VariablesValue(computed) };
  }

  /** Rejects with OutOfBudget when all is spent, and with EvaluationError when the expression fails. */
  async run(expression: CompiledExpression): Promise<unknown> {
    if (expression.program === undefined) throw new EvaluationError(`compilation error: ${expression.error}`);
    const outcome = await this.#evaluate(expression.program);
    if (this.#left < 0) throw new OutOfBudget();
    if (!("failure" in outcome)) return outcome.value;
    throw new EvaluationError(`expression '${expression.source}' resulted in error: ${wording(outcome.failure)}`, {
      cause: outcome.failure,
    });
  }

  /** Evaluates until nothing is missing. What was begun in vain costs nothing. */
  async #evaluate(program: Program): Promise<Outcome> {
    for (;;) {
      const { outcome, cost } = await this.#attempt(program);
      if (!("failure" in outcome)) return this.#paid(outcome, cost);
      const { failure } = outcome;
      if (failure instanceof Undecided) await this.#answers.decide(failure.question);
      else if (failure instanceof NotComputed) await this.#compute(failure.variable);
      else return this.#paid(outcome, cost);
      if (this.#left < 0) return outcome;
    }
  }

  #paid(outcome: Outcome, cost: number): Outcome {
    this.#left -= cost;
    return outcome;
  }

  async #attempt(program: Program): Promise<{ readonly outcome: Outcome; readonly cost: number }> {
    const steps = program.run(this.#inputs, costLimits.perExpression);
    let outcome: Outcome | undefined;
    while (outcome === undefined) {
      if (this.#turnLeft <= 0) await this.#turn();
      try {
        const step = steps.next();
        if (step.done === true) outcome = { value: step.value };
        else await this.#turn();
      } catch (failure) {
        outcome = { failure };
      }
    }
    const cost = costLimits.perExpression - this.#meter.left;
    if (this.#meter.interruption === undefined) this.#turnLeft -= cost;
    return { outcome, cost };
  }

  async #turn(): Promise<void> {
    await nextTurn();
    this.#turnLeft = turnCost;
  }

  #variable(variable: CompiledVariable): unknown {
    const known = this.#values.get(variable.name);
    if (known === undefined) this.#meter.interrupt(new NotComputed(variable));
    if ("failure" in known) throw known.failure;
    return known.value;
  }

  /** Once, with a limit of its own. */
  async #compute({ name, expression: { program, error } }: CompiledVariable): Promise<void> {
    this.#values.set(name, await this.#computed(name, program, error));
  }

  async #computed(name: string, program: Program | undefined, error: string | undefined): Promise<Outcome> {
    const quoted = JSON.stringify(name);
    if (program === undefined)
      return { failure: new Error(`composited variable ${quoted} fails to compile: ${error}`) };
    const outcome = await this.#evaluate(program);
    if (!("failure" in outcome)) return outcome;
    const { failure } = outcome;
    const message = `composited variable ${quoted} fails to evaluate: ${wording(failure)}`;
    return { failure: new Error(message, { cause: failure }) };
  }
}

type Outcome = { readonly value: unknown } | { readonly failure: unknown };

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
