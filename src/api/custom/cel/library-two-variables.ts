import type { AstNode, Context, Evaluator } from "./ast.js";
import type { Meter } from "./budget.js";
import type { Define } from "./library.js";
import { atOnce, ownContext, type SteppedMacro, type Steps } from "./steps.js";
import { loopCosts, mapCost } from "./tolls.js";

// The parts of the package's checker that a macro is handed, as far as they are used here.
interface CelType {
  readonly kind: string;
  readonly valueType?: CelType;
  readonly keyType?: CelType;
}

interface Checker {
  check(node: AstNode, context: Context): CelType;
  getType(name: string): CelType;
  createError(code: string, message: string, node: AstNode): Error;
  readonly registry: { getListType(type: CelType): CelType; getMapType(key: CelType, value: CelType): CelType };
}

interface Call {
  readonly args: readonly AstNode[];
  readonly receiver: AstNode;
}

type Entry = readonly [first: unknown, second: unknown];

/** One run of a macro. */
interface Run {
  readonly entries: readonly Entry[];
  /** Evaluates one of the macro's expressions, `last` or 0, on an entry. */
  readonly on: (index: number, entry: Entry) => Steps;
  readonly last: number;
  readonly pay: (cost: number) => void;
  /** After each entry. */
  readonly pause: () => Steps;
}

interface Shape {
  /** Its name, by which its cost is estimated. */
  readonly loop: string;
  /** Whether the first of two expressions says what is taken. */
  readonly filters: boolean;
  readonly resultOf: (checker: Checker, range: CelType, expression: CelType) => CelType;
  readonly combine: (run: Run) => Steps;
}

/** `all`, `exists`, `existsOne`, `transformList`, `transformMap` and `transformMapEntry` over index or key and value. */
export function registerTwoVariables(define: Define, meter: Meter): void {
  const bool = (checker: Checker): CelType => checker.getType("bool");
  const macro = (shape: Shape): ((call: Call) => object) => macroOf(shape, meter);
  define("list.all(ast, ast, ast): bool", macro({ ...test, loop: "all", resultOf: bool, combine: all }));
  define("list.exists(ast, ast, ast): bool", macro({ ...test, loop: "exists", resultOf: bool, combine: exists }));
  define(
    "list.existsOne(ast, ast, ast): bool",
    macro({ ...test, loop: "existsOne", resultOf: bool, combine: existsOne }),
  );
  define(
    "list.exists_one(ast, ast, ast): bool",
    macro({ ...test, loop: "existsOne", resultOf: bool, combine: existsOne }),
  );
  const list: Shape["resultOf"] = (checker, _, type) => checker.registry.getListType(type);
  const map: Shape["resultOf"] = (checker, range, type) => checker.registry.getMapType(keyOf(checker, range), type);
  for (const filters of [false, true]) {
    const more = filters ? ", ast" : "";
    const transform = (name: string, result: string, shape: Omit<Shape, "filters" | "loop">): void =>
      define(`list.${name}(ast, ast, ast${more}): ${result}`, macro({ filters, loop: name, ...shape }));
    transform("transformList", "list<dyn>", { resultOf: list, combine: (run) => listed(run, filters) });
    transform("transformMap", "map<dyn, dyn>", { resultOf: map, combine: (run) => mapped(run, filters, keep) });
    transform("transformMapEntry", "map<dyn, dyn>", {
      resultOf: (_, __, type) => type,
      combine: (run) => mapped(run, filters, spread),
    });
  }
}

const test = { filters: false };

/** Errors count only when nothing else decides. */
function* all(run: Run): Steps {
  return !(yield* decided(run, false, loopCosts.all));
}

function exists(run: Run): Steps {
  return decided(run, true, loopCosts.exists);
}

function* decided({ entries, on, pay, pause }: Run, by: boolean, cost: number): Steps {
  let failed: { readonly error: unknown } | undefined;
  for (const entry of entries) {
    pay(cost);
    try {
      if ((yield* on(0, entry)) === by) return true;
    } catch (error) {
      failed ??= { error };
    }
    yield* pause();
  }
  if (failed !== undefined) throw failed.error;
  return false;
}

function* existsOne({ entries, on, pay, pause }: Run): Steps {
  let found = 0;
  for (const entry of entries) {
    const holds = (yield* on(0, entry)) === true;
    pay(holds ? loopCosts.increment : loopCosts.keep);
    if (holds) found++;
    yield* pause();
  }
  return found === 1;
}

/** The entries that are taken, each with the value of the last expression. */
function* taken({ entries, on, last, pay, pause }: Run, filters: boolean, cost: number): Generator<undefined, Entry[]> {
  const results: Entry[] = [];
  for (const entry of entries) {
    const takes = !filters || (yield* on(0, entry)) === true;
    pay(takes ? cost : loopCosts.keep);
    if (takes) results.push([entry[0], yield* on(last, entry)]);
    yield* pause();
  }
  return results;
}

function* listed(run: Run, filters: boolean): Steps {
  const results = yield* taken(run, filters, loopCosts.push);
  return results.map(([, value]) => value);
}

function* mapped(run: Run, filters: boolean, entriesIn: (entry: Entry) => readonly Entry[]): Steps {
  run.pay(mapCost);
  const result = new Map<unknown, unknown>();
  for (const entry of yield* taken(run, filters, loopCosts.insert)) {
    for (const [key, value] of entriesIn(entry)) {
      if (result.has(key)) throw new Error(`insert failed: key '${String(key)}' already exists`);
      result.set(key, value);
    }
  }
  return result;
}

function keep(entry: Entry): readonly Entry[] {
  return [entry];
}

function spread([, value]: Entry): readonly Entry[] {
  return entriesOf(value);
}

function entriesOf(range: unknown): readonly Entry[] {
  if (Array.isArray(range)) return range.map((value, index) => [BigInt(index), value]);
  if (range instanceof Map) return [...range];
  if (typeof range === "object" && range !== null) return Object.entries(range);
  throw new Error("the range of a comprehension must be a list or a map");
}

function keyOf(checker: Checker, range: CelType): CelType {
  if (range.kind === "list") return checker.getType("int");
  return range.keyType ?? checker.getType("dyn");
}

function macroOf({ loop, filters, resultOf, combine }: Shape, meter: Meter): (call: Call) => object {
  return ({ args, receiver }) => {
    const [first, second, ...expressions] = args;
    const names = [first, second].map(nameOf);
    let outer: Context | undefined;
    let inner: Context | undefined;
    const typeCheck = (checker: Checker, _: unknown, context: Context): CelType => {
      const range = checker.check(receiver, context);
      const value = range.valueType ?? checker.getType("dyn");
      outer = context.forkWithVariable(names[0] ?? "", keyOf(checker, range));
      inner = outer.forkWithVariable(names[1] ?? "", value);
      const types: CelType[] = [];
      for (const expression of expressions) types.push(checker.check(expression, inner));
      const dyn = checker.getType("dyn");
      const result = resultOf(checker, range, types.at(-1) ?? dyn);
      const tested = filters || result.kind === "bool" ? types[0] : undefined;
      if (tested !== undefined && tested !== checker.getType("bool") && tested !== dyn) {
        throw checker.createError("predicate_type_mismatch", "predicate must return bool", receiver);
      }
      return result;
    };
    const steps: SteppedMacro["steps"] = function* (evaluator, context, run, pause) {
      const entries = entriesOf(yield* run(receiver, context));
      if (outer === undefined || inner === undefined) return undefined;
      const keys = ownContext(outer, context);
      const values = ownContext(inner, keys);
      const on: Run["on"] = (index, [key, value]) => {
        keys.setIterValue(key, evaluator);
        values.setIterValue(value, evaluator);
        return run(expressions[index] as AstNode, values);
      };
      return yield* combine({ entries, on, last: expressions.length - 1, pay: (cost) => meter.spend(cost), pause });
    };
    const evaluate = (evaluator: Evaluator, _: unknown, context: Context): unknown => {
      const run = (node: AstNode, at: Context): Steps => noSteps(() => evaluator.run(node, at));
      return atOnce(steps(evaluator, context, run, noPause));
    };
    return { loop, args, receiver, typeCheck, evaluate, steps, async: false };
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
