import type { AstNode, Context, Evaluator } from "./ast.js";
import type { Meter } from "./budget.js";
import { atOnce, ownContext, type SteppedMacro, type Steps } from "./steps.js";

// The parts of the package's checker that a macro is handed, as far as they are used here.
export interface CelType {
  readonly kind: string;
  readonly name: string;
  readonly valueType?: CelType;
  readonly keyType?: CelType;
}

export interface Checker {
  check(node: AstNode, context: Context): CelType;
  getType(name: string): CelType;
  createError(code: string, message: string, node: AstNode): Error;
  readonly registry: {
    getListType(type: CelType): CelType;
    getMapType(key: CelType, value: CelType): CelType;
    getOptionalType(type: CelType): CelType;
  };
}

interface Call {
  readonly args: readonly AstNode[];
  readonly receiver: AstNode;
}

export type Entry = readonly [first: unknown, second: unknown];

/** One run of a macro. */
export interface Run {
  readonly range: unknown;
  /** Evaluates one of the macro's expressions, by its index, on an entry. */
  readonly on: (index: number, entry: Entry) => Steps;
  readonly last: number;
  readonly pay: (cost: number) => void;
  /** After each entry. */
  readonly pause: () => Steps;
}

export interface Shape {
  /** Its name, by which its cost is estimated. */
  readonly loop: string;
  /** Whether it names index or key and value, or the value alone. */
  readonly variables: 1 | 2;
  /** Whether the first of two expressions says what is taken. */
  readonly filters: boolean;
  readonly resultOf: (checker: Checker, range: CelType, expression: CelType) => CelType;
  readonly combine: (run: Run) => Steps;
}

export function entriesOf(range: unknown): readonly Entry[] {
  if (Array.isArray(range)) return range.map((value, index) => [BigInt(index), value]);
  if (range instanceof Map) return [...range];
  if (typeof range === "object" && range !== null) return Object.entries(range);
  throw new Error("the range of a comprehension must be a list or a map");
}

export function keyOf(checker: Checker, range: CelType): CelType {
  if (range.kind === "list") return checker.getType("int");
  return range.keyType ?? checker.getType("dyn");
}

/** A macro that evaluates expressions with variables of their own. */
export function macroOf({ loop, variables, filters, resultOf, combine }: Shape, meter: Meter): (call: Call) => object {
  return ({ args, receiver }) => {
    const names = args.slice(0, variables).map(nameOf);
    const expressions = args.slice(variables);
    let outer: Context | undefined;
    let inner: Context | undefined;
    const typeCheck = (checker: Checker, _: unknown, context: Context): CelType => {
      const range = checker.check(receiver, context);
      const value = range.valueType ?? checker.getType("dyn");
      outer =
        variables === 1
          ? context.forkWithVariable("", value)
          : context.forkWithVariable(names[0] ?? "", keyOf(checker, range));
      inner = outer.forkWithVariable(names.at(-1) ?? "", value);
      const types: CelType[] = [];
      for (const expression of expressions) types.push(checker.check(expression, inner));
      const dyn = checker.getType("dyn");
      const result = resultOf(checker, range, types.at(-1) ?? dyn);
      const tested = filters || (result.kind === "bool" && variables === 2) ? types[0] : undefined;
      if (tested !== undefined && tested !== checker.getType("bool") && tested !== dyn) {
        throw checker.createError("predicate_type_mismatch", "predicate must return bool", receiver);
      }
      return result;
    };
    const steps: SteppedMacro["steps"] = function* (evaluator, context, run, pause) {
      const range = yield* run(receiver, context);
      if (outer === undefined || inner === undefined) return undefined;
      const keys = ownContext(outer, context);
      const values = ownContext(inner, keys);
      const on: Run["on"] = (index, [key, value]) => {
        if (variables === 2) keys.setIterValue(key, evaluator);
        values.setIterValue(value, evaluator);
        return run(expressions[index] as AstNode, values);
      };
      return yield* combine({ range, on, last: expressions.length - 1, pay: (cost) => meter.spend(cost), pause });
    };
    const evaluate = (evaluator: Evaluator, _: unknown, context: Context): unknown => {
      const run = (node: AstNode, at: Context): Steps => noSteps(() => evaluator.run(node, at));
      return atOnce(steps(evaluator, context, run, noPause));
    };
    return { loop, variables, args, receiver, typeCheck, evaluate, steps, async: false };
  };
}

const nothing: readonly undefined[] = [];

/** Steps of which there are none. */
function* noSteps(evaluate: () => unknown): Steps {
  yield* nothing;
  return evaluate();
}

function noPause(): Steps {
  return noSteps(() => undefined);
}

function nameOf(node: AstNode | undefined): string {
  if (node?.op === "id" && typeof node.args === "string") return node.args;
  throw new Error("the variables of a comprehension must be plain names");
}
