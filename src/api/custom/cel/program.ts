import { Environment } from "@marcbachmann/cel-js";
import { type AstNode, aroundEvaluation, type Context, type Evaluator, walkAst } from "./ast.js";
import type { Meter } from "./budget.js";
import { CompileError, CompileErrors, type Rewritten } from "./compile-errors.js";
import { replaceHas } from "./has.js";
import { matchesFunction, registerLibrary } from "./library.js";
import { rewriteOptionalElements } from "./rewrite-literals.js";
import { loopingNodes, Stepper, type Steps, turnCost } from "./steps.js";
import { instrument } from "./tolls.js";

export type Variables = { readonly [name: string]: unknown };

export interface Program {
  readonly usesOldSelf: boolean;
  /** Of the result: `bool`, `string`, `dyn`. */
  readonly type: string;
  readonly ast: unknown;
  /**
   * Evaluates with so much to spend; what is left is on the meter. Yields where it takes long, and others may then use the meter. Throws what the
   * expression throws, and BudgetExceeded. `turn` is what it may cost until it yields.
   */
  run(variables: Variables, budget: number, turn?: number): Steps;
}

/** Longer ones are refused before they are parsed. */
const maxLength = 65_536;

/** The language as Kubernetes has it, with nothing declared. What its functions cost is paid to `meter`. */
export function celEnvironment(meter: Meter): Environment {
  const environment = new Environment({
    enableOptionalTypes: true,
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: 20_000, maxDepth: 200 },
  });
  registerLibrary(environment, meter);
  return environment;
}

/** Throws CompileError. */
export function compileProgram(
  environment: Environment,
  source: string,
  meter: Meter,
  rewritten: Rewritten = rewriteOptionalElements(source),
): Program {
  if (source.length > maxLength) throw new CompileError("ERROR: <input>:-1:0: expression is too long");
  const errors = new CompileErrors(environment, source, rewritten);
  let program: ReturnType<Environment["parse"]>;
  try {
    program = environment.parse(rewritten.text);
  } catch (error) {
    throw errors.syntax(error);
  }
  let usesOldSelf = false;
  walkAst(program.ast, (node) => {
    if (node.op === "id" && node.args === "oldSelf") usesOldSelf = true;
    renameMatches(node);
    replaceHas(node);
  });
  const checked = errors.check(program);
  instrument(program.ast, meter);
  const evaluation = new ProgramEvaluation(program, meter);
  const run: Program["run"] = (variables, budget, turn = turnCost) => evaluation.run(variables, budget, turn);
  return { usesOldSelf, type: checked.type ?? "dyn", ast: program.ast, run };
}

interface Start {
  readonly evaluator: Evaluator;
  readonly context: Context;
}

/**
 * Evaluates at once what costs little, and that is nearly everything. What turns out to be more is begun again, being pure, in steps: that takes
 * longer in all, but lets others have their turn.
 */
class ProgramEvaluation {
  readonly #program: ReturnType<Environment["parse"]>;
  readonly #root: AstNode;
  readonly #meter: Meter;
  readonly #looping: ReadonlySet<unknown>;
  #asked = false;
  #start: Start | undefined;

  constructor(program: ReturnType<Environment["parse"]>, meter: Meter) {
    this.#program = program;
    this.#root = program.ast as unknown as AstNode;
    this.#meter = meter;
    this.#looping = loopingNodes(this.#root);
    if (this.#looping.size === 0) return;
    aroundEvaluation(this.#root, (inner) => (evaluator, node, context) => {
      if (!this.#asked) return inner.call(node, evaluator, node, context);
      this.#start = { evaluator, context };
      return undefined;
    });
  }

  *run(variables: Variables, budget: number, turn: number): Steps {
    const meter = this.#meter;
    const once = this.#looping.size === 0 || budget <= turn;
    meter.reset(once ? budget : turn);
    const outcome = this.#attempt(variables);
    if (meter.interruption !== undefined) throw meter.interruption;
    if (!once && meter.left >= 0) meter.reset(budget - turn + meter.left);
    else if (!once) return yield* this.#inSteps(variables, budget, turn);
    if ("error" in outcome) throw outcome.error;
    return outcome.value;
  }

  /** A loop may swallow that there was nothing left. */
  #attempt(variables: Variables): { readonly value: unknown } | { readonly error: unknown } {
    try {
      const value = this.#program(variables);
      return this.#meter.left < 0 ? { error: this.#meter.exceeded } : { value };
    } catch (error) {
      return { error: this.#meter.left < 0 ? this.#meter.exceeded : error };
    }
  }

  *#inSteps(variables: Variables, budget: number, turn: number): Steps {
    yield undefined;
    const { evaluator, context } = this.#begin(variables);
    this.#meter.reset(budget);
    return yield* new Stepper(this.#meter, this.#looping, turn).run(this.#root, evaluator, context);
  }

  /** What the package begins an evaluation with. */
  #begin(variables: Variables): Start {
    this.#asked = true;
    try {
      this.#program(variables);
    } finally {
      this.#asked = false;
    }
    if (this.#start === undefined) throw new Error("the evaluation did not begin");
    return this.#start;
  }
}

/** `matches` of the package backtracks; ours is RE2. */
function renameMatches(node: AstNode): void {
  if ((node.op !== "rcall" && node.op !== "call") || !Array.isArray(node.args) || node.args[0] !== "matches") return;
  node.args = [matchesFunction, ...node.args.slice(1)];
}
