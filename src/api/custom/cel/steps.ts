import { Optional } from "@marcbachmann/cel-js";
import { type AstNode, type Comprehension, type Context, type Evaluator, isAstNode, partsOf, walkAst } from "./ast.js";
import { BudgetExceeded, type Meter } from "./budget.js";
import { isHas, isThere } from "./has.js";
import { costOfItem, costOfResult } from "./tolls.js";

/** What an evaluation may cost before others get their turn: some milliseconds. */
export const turnCost = 20_000;

/** Gives a value, and yields now and then on the way. */
export type Steps = Generator<undefined, unknown>;

/** The value, without a pause. */
export function atOnce(steps: Steps): unknown {
  for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return step.value;
}

/** A macro that is a loop, and can be left and entered again. */
export interface SteppedMacro {
  readonly steps: (
    evaluator: Evaluator,
    context: Context,
    run: (node: AstNode, context: Context) => Steps,
    pause: () => Steps,
  ) => Steps;
}

interface Checked extends AstNode {
  readonly left: AstNode;
  readonly right: AstNode;
  readonly condition: AstNode;
  readonly receiverWithArgs: readonly AstNode[];
}

/** `optional.or(...)` and `optional.orValue(...)`. */
interface OrMacro {
  readonly receiver: AstNode;
  readonly arg: AstNode;
  readonly onEmpty: unknown;
  readonly evaluate: (evaluator: unknown, macro: OrMacro, context: Context) => unknown;
}

/**
 * Evaluates a checked and instrumented expression so that it can be left in its loops, and gone on with after others used the meter. What is not
 * in a loop or around one is evaluated by the package, and so are all operators and calls once their operands are known.
 */
export class Stepper {
  readonly #meter: Meter;
  readonly #looping: ReadonlySet<unknown>;
  readonly #turn: number;
  /** When no more than this is left others get their turn. */
  #next = 0;

  constructor(meter: Meter, looping: ReadonlySet<unknown>, turn: number) {
    this.#meter = meter;
    this.#turn = turn;
    this.#looping = looping;
  }

  *run(root: AstNode, evaluator: Evaluator, context: Context): Steps {
    this.#next = this.#meter.left - this.#turn;
    const value = yield* this.#node(root, evaluator, context);
    // What did not count where the error was may have to be asked for all the same.
    if (this.#meter.interruption !== undefined) throw this.#meter.interruption;
    return value;
  }

  *#node(node: AstNode, evaluator: Evaluator, context: Context): Steps {
    if (!this.#looping.has(node)) return evaluator.run(node, context);
    const { alternate, macro } = node.meta;
    if (isAstNode(alternate)) return yield* this.#node(alternate, evaluator, context);
    if (macro !== undefined) return yield* this.#macro(macro, evaluator, context);
    const checked = node as Checked;
    switch (node.op) {
      case ".":
      case ".?": {
        const value = yield* this.#node(checked.left, evaluator, context);
        return handled(node, value, checked.right, node, evaluator);
      }
      case "!_":
      case "-_":
        return handled(node, yield* this.#node(node.args as AstNode, evaluator, context), node, evaluator);
      case "call": {
        const [, args] = node.args as readonly [string, readonly AstNode[]];
        return handled(node, yield* this.#all(args, evaluator, context), node, evaluator);
      }
      case "rcall":
        return handled(node, yield* this.#all(checked.receiverWithArgs, evaluator, context), evaluator, node);
      case "list":
      case "map":
        return yield* this.#literal(node, evaluator, context);
      case "?:": {
        const condition = yield* this.#node(checked.condition, evaluator, context);
        if (typeof condition !== "boolean") return handled(node, condition, evaluator, node, context);
        return yield* this.#node(condition ? checked.left : checked.right, evaluator, context);
      }
      case "||":
      case "&&":
        return yield* this.#logical(checked, node.op === "||", evaluator, context);
      case "comprehension":
        return yield* this.#loop(node, evaluator, context);
      case "accuPush": {
        const item = yield* this.#node(node.args as AstNode, evaluator, context);
        return this.#given(node, [[node.args, item]], evaluator, context);
      }
      default: {
        const left = yield* this.#node(checked.left, evaluator, context);
        return handled(node, left, yield* this.#node(checked.right, evaluator, context), node, evaluator);
      }
    }
  }

  /** From the last to the first, as the package does. */
  *#all(nodes: readonly AstNode[], evaluator: Evaluator, context: Context): Generator<undefined, unknown[]> {
    const values: unknown[] = new Array(nodes.length);
    for (let index = nodes.length - 1; index >= 0; index--) {
      const node = nodes[index];
      if (node !== undefined) values[index] = yield* this.#node(node, evaluator, context);
    }
    return values;
  }

  *#literal(node: AstNode, evaluator: Evaluator, context: Context): Steps {
    const nodes = (node.args as readonly (AstNode | readonly AstNode[])[]).flat();
    const ordered = node.op === "map" ? nodes : [...nodes].reverse();
    const values: (readonly [AstNode, unknown])[] = [];
    for (const part of ordered) values.push([part, yield* this.#node(part, evaluator, context)]);
    return this.#given(node, values, evaluator, context);
  }

  /** Evaluates a node some of whose parts have been. */
  #given(
    node: AstNode,
    values: readonly (readonly [unknown, unknown])[],
    evaluator: Evaluator,
    context: Context,
  ): unknown {
    const known = new Map(values);
    const run = (part: unknown): unknown => known.get(part);
    return node.evaluate(
      { run, debugRuntimeType: (value) => evaluator.debugRuntimeType(value), createError: evaluator.createError },
      node,
      context,
    );
  }

  *#macro(macro: unknown, evaluator: Evaluator, context: Context): Steps {
    if (isHas(macro)) return isThere(evaluator, macro, yield* this.#node(macro.operand, evaluator, context));
    if (isOr(macro)) {
      const value = yield* this.#node(macro.receiver, evaluator, context);
      const empty = value instanceof Optional && !value.hasValue();
      const other = empty ? yield* this.#node(macro.arg, evaluator, context) : undefined;
      return macro.evaluate({ run: (node: unknown) => (node === macro.receiver ? value : other) }, macro, context);
    }
    const run = (node: AstNode, inner: Context): Steps => this.#node(node, evaluator, inner);
    return yield* (macro as SteppedMacro).steps(evaluator, context, run, () => this.#pause());
  }

  /** What fails does not count where the other side decides. */
  *#logical({ left, right }: Checked, decides: boolean, evaluator: Evaluator, context: Context): Steps {
    let first: unknown;
    let failure: unknown;
    try {
      first = yield* this.#node(left, evaluator, context);
      if (typeof first !== "boolean") failure = notBool(evaluator, first, left);
    } catch (error) {
      if (error instanceof BudgetExceeded) throw error;
      failure = error;
    }
    if (first === decides) return decides;
    const second = yield* this.#node(right, evaluator, context);
    if (second === decides) return decides;
    if (typeof second !== "boolean") throw notBool(evaluator, second, failure === undefined ? right : left);
    if (failure !== undefined) throw failure;
    return !decides;
  }

  *#loop(node: AstNode, evaluator: Evaluator, context: Context): Steps {
    const loop = node.args as Comprehension;
    this.#meter.spend(costOfResult(loop));
    const range = yield* this.#node(loop.iterable, evaluator, context);
    if (typeof range !== "object" || range === null) return handled(node, range, loop, evaluator, context);
    const items = Array.isArray(range) ? range : range instanceof Map ? [...range.keys()] : Object.keys(range);
    const own = ownContext(loop.iterCtx, context);
    own.accuValue = evaluator.run(loop.init, own);
    const cost = this.#looping.has(loop.step) ? costOfItem(loop) : 0;
    let accu = own.accuValue;
    let failure: { readonly error: unknown } | undefined;
    for (const item of items) {
      if (loop.condition !== undefined && !loop.condition(accu)) break;
      own.setIterValue(item, evaluator);
      try {
        if (cost > 0) this.#meter.spend(cost);
        accu = yield* this.#node(loop.step, evaluator, own);
      } catch (error) {
        if (loop.errorsAreFatal || error instanceof BudgetExceeded) throw error;
        failure ??= { error };
      }
      yield* this.#pause();
    }
    if (failure !== undefined && loop.condition?.(accu) !== false) throw failure.error;
    return loop.result(accu);
  }

  *#pause(): Steps {
    const { left, interruption } = this.#meter;
    if (interruption !== undefined) throw interruption;
    if (left > this.#next) return;
    yield undefined;
    this.#meter.reset(left);
    this.#next = left - this.#turn;
  }
}

function handled(node: AstNode, ...values: unknown[]): unknown {
  const handle = node.handle as ((...values: unknown[]) => unknown) | undefined;
  return handle?.(...values);
}

function notBool(evaluator: Evaluator, value: unknown, node: AstNode): Error {
  const type = evaluator.debugRuntimeType(value);
  return evaluator.createError(
    "invalid_logical_operand",
    `Logical operator requires bool operands, got '${type}'`,
    node,
  );
}

function isOr(macro: unknown): macro is OrMacro {
  return typeof macro === "object" && macro !== null && "onEmpty" in macro;
}

/** A context that nobody else uses, however often the loop begins before this run of it ends. */
export function ownContext(shared: Context, parent: Context): Context {
  shared.async = true;
  try {
    return shared.reuse(parent);
  } finally {
    shared.async = false;
  }
}

/** The nodes of an expression that are loops or have some within. */
export function loopingNodes(root: unknown): ReadonlySet<unknown> {
  const looping = new Set<unknown>();
  const contains = (value: unknown): boolean =>
    isAstNode(value)
      ? looping.has(value)
      : typeof value === "object" && value !== null && ("steps" in value || partsOf(value).some(contains));
  walkAst(root, (node) => {
    if (node.op === "comprehension" || partsOf(node).some(contains)) looping.add(node);
  });
  return looping;
}
