import type { AstNode } from "./budget.js";
import type { Define } from "./library.js";

// The parts of the package's checker and evaluator that a macro is handed, as far as they are used here.
interface CelType {
  readonly kind: string;
  readonly valueType?: CelType;
  readonly keyType?: CelType;
}

interface Context {
  forkWithVariable(name: string, type: CelType): Context;
  reuse(parent: Context): Context;
  setIterValue(value: unknown, evaluator: Evaluator): Context;
}

interface Checker {
  check(node: AstNode, context: Context): CelType;
  getType(name: string): CelType;
  createError(code: string, message: string, node: AstNode): Error;
  readonly registry: { getListType(type: CelType): CelType; getMapType(key: CelType, value: CelType): CelType };
}

interface Evaluator {
  run(node: AstNode, context: Context): unknown;
}

interface Call {
  readonly args: readonly AstNode[];
  readonly receiver: AstNode;
}

type Entry = readonly [first: unknown, second: unknown];
/** Evaluates the expressions of a macro on one entry. */
type OnEntry = (index: number, entry: Entry) => unknown;

interface Shape {
  /** Whether the first of two expressions says what is taken. */
  readonly filters: boolean;
  readonly resultOf: (checker: Checker, range: CelType, expression: CelType) => CelType;
  readonly combine: (entries: readonly Entry[], on: OnEntry, last: number) => unknown;
}

/** `all`, `exists`, `existsOne`, `transformList`, `transformMap` and `transformMapEntry` over index or key and value. */
export function registerTwoVariables(define: Define): void {
  const bool = (checker: Checker): CelType => checker.getType("bool");
  define("list.all(ast, ast, ast): bool", macro({ ...test, resultOf: bool, combine: all }));
  define("list.exists(ast, ast, ast): bool", macro({ ...test, resultOf: bool, combine: exists }));
  define("list.existsOne(ast, ast, ast): bool", macro({ ...test, resultOf: bool, combine: existsOne }));
  const list: Shape["resultOf"] = (checker, _, type) => checker.registry.getListType(type);
  const map: Shape["resultOf"] = (checker, range, type) => checker.registry.getMapType(keyOf(checker, range), type);
  for (const filters of [false, true]) {
    const more = filters ? ", ast" : "";
    const transform = (name: string, result: string, resultOf: Shape["resultOf"], combine: Shape["combine"]): void =>
      define(
        `list.${name}(ast, ast, ast${more}): ${result}`,
        macro({ filters, resultOf, combine: taking(filters, combine) }),
      );
    transform("transformList", "list<dyn>", list, (entries, on, last) => entries.map((entry) => on(last, entry)));
    transform(
      "transformMap",
      "map<dyn, dyn>",
      map,
      (entries, on, last) => new Map(entries.map((entry) => [entry[0], on(last, entry)])),
    );
    transform("transformMapEntry", "map<dyn, dyn>", (_, __, type) => type, joined);
  }
}

const test = { filters: false };

/** Errors count only when nothing else decides. */
function all(entries: readonly Entry[], on: OnEntry): boolean {
  return !decided(entries, on, false);
}

function exists(entries: readonly Entry[], on: OnEntry): boolean {
  return decided(entries, on, true);
}

function decided(entries: readonly Entry[], on: OnEntry, by: boolean): boolean {
  let failed: { readonly error: unknown } | undefined;
  for (const entry of entries) {
    try {
      if (on(0, entry) === by) return true;
    } catch (error) {
      failed ??= { error };
    }
  }
  if (failed !== undefined) throw failed.error;
  return false;
}

function existsOne(entries: readonly Entry[], on: OnEntry): boolean {
  return entries.filter((entry) => on(0, entry) === true).length === 1;
}

function taking(filters: boolean, combine: Shape["combine"]): Shape["combine"] {
  if (!filters) return combine;
  return (entries, on, last) =>
    combine(
      entries.filter((entry) => on(0, entry) === true),
      on,
      last,
    );
}

function joined(entries: readonly Entry[], on: OnEntry, last: number): Map<unknown, unknown> {
  const result = new Map<unknown, unknown>();
  for (const entry of entries) {
    for (const [key, value] of entriesOf(on(last, entry))) {
      if (result.has(key)) throw new Error(`insert failed: key '${String(key)}' already exists`);
      result.set(key, value);
    }
  }
  return result;
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

function macro({ filters, resultOf, combine }: Shape): (call: Call) => object {
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
    const evaluate = (evaluator: Evaluator, _: unknown, context: Context): unknown => {
      const entries = entriesOf(evaluator.run(receiver, context));
      const on: OnEntry = (index, [key, value]) => {
        const expression = expressions[index];
        if (outer === undefined || inner === undefined || expression === undefined) return undefined;
        const bound = outer.reuse(context).setIterValue(key, evaluator);
        return evaluator.run(expression, inner.reuse(bound).setIterValue(value, evaluator));
      };
      return combine(entries, on, expressions.length - 1);
    };
    return { args, receiver, typeCheck, evaluate, async: false };
  };
}

function nameOf(node: AstNode | undefined): string {
  if (node?.op === "id" && typeof node.args === "string") return node.args;
  throw new Error("the variables of a comprehension must be plain names");
}
