import { type AstNode, aroundEvaluation, type Comprehension, isAstNode, isComprehension, walkAst } from "./ast.js";
import type { Meter } from "./budget.js";
import { callCost, comparisonCost, concatenationCost, membershipCost } from "./costs.js";
import { isHas } from "./has.js";
import { optionalElement } from "./rewrite-literals.js";

/** What a list or a map that an expression writes down costs. */
export const listCost = 10;
export const mapCost = 30;
/** What a loop pays for each item beside what its own expression costs. */
export const loopCosts = { all: 3, exists: 4, push: 12, increment: 2, keep: 1, insert: 3 } as const;

const comparisons: ReadonlySet<string> = new Set(["==", "!=", "<", "<=", ">", ">="]);
const accesses: ReadonlySet<string> = new Set([".", ".?", "[]", "[?]"]);

/** Makes every node of a checked expression pay for its evaluation. The figures are those of upstream's cost tracker. */
export function instrument(root: unknown, meter: Meter): void {
  walkAst(root, (node) => {
    if (node.op === "comprehension" && isComprehension(node.args)) payForItems(node.args, meter);
    const cost = costOf(node);
    if (cost > 0) {
      aroundEvaluation(node, (inner) => (evaluator, ast, context) => {
        meter.spend(cost);
        return inner.call(node, evaluator, ast, context);
      });
    }
    payForOperands(node, meter);
    leaveOutAbsent(node);
  });
}

/** What stands in a list or map for an optional value that has none, until it is left out. */
export const absent: unique symbol = Symbol("absent");

function leaveOutAbsent(node: AstNode): void {
  if ((node.op !== "list" && node.op !== "map") || !Array.isArray(node.args)) return;
  const isOptional = (part: unknown): boolean =>
    isAstNode(part) && part.op === "call" && Array.isArray(part.args) && part.args[0] === optionalElement;
  if (!node.args.flat().some(isOptional)) return;
  aroundEvaluation(node, (inner) => (evaluator, ast, context) => {
    const made = inner.call(node, evaluator, ast, context);
    if (Array.isArray(made)) return made.filter((item) => item !== absent);
    return Object.fromEntries(Object.entries(made ?? {}).filter(([, value]) => value !== absent));
  });
}

/** What a node costs whatever its operands are. */
function costOf({ op, args, meta }: AstNode): number {
  if (meta.alternate !== undefined || isHas(meta.macro)) return 0;
  switch (op) {
    case "id":
      return 1;
    case "list":
      return listCost;
    case "map":
      return mapCost;
    case "comprehension":
      return isComprehension(args) ? costOfResult(args) : 0;
    case "accuPush":
      return loopCosts.push;
    case "accuInc":
      return loopCosts.increment;
    case "accuValue":
      return loopCosts.keep;
    default:
      return 0;
  }
}

/** What a loop pays for an item beside what its step pays. */
export function costOfItem({ kind, errorsAreFatal, init }: Comprehension): number {
  if (kind !== "quantifier" || errorsAreFatal) return 0;
  return init.args === true ? loopCosts.all : loopCosts.exists;
}

/** What a loop pays when it is over. */
export function costOfResult({ kind, errorsAreFatal }: Comprehension): number {
  return kind === "quantifier" && errorsAreFatal ? 2 : 1;
}

function payForItems(loop: Comprehension, meter: Meter): void {
  const cost = costOfItem(loop);
  if (cost === 0) return;
  const { step } = loop;
  aroundEvaluation(step, (inner) => (evaluator, ast, context) => {
    meter.spend(cost);
    return inner.call(step, evaluator, ast, context);
  });
}

type Handle = (...values: unknown[]) => unknown;

/** What depends on the operands is paid when they are there. */
function payForOperands(node: AstNode, meter: Meter): void {
  const cost = operandCost(node, meter);
  const inner = node.handle as Handle | undefined;
  if (cost === undefined || inner === undefined) return;
  const paying: Handle = (...values) => {
    meter.spend(cost(values[0], values[1]));
    return inner(...values);
  };
  node.handle = paying;
}

function operandCost(node: AstNode, meter: Meter): ((first: unknown, second: unknown) => number) | undefined {
  const { op } = node;
  if (op === "call" || op === "rcall") {
    const name = Array.isArray(node.args) ? String(node.args[0]) : "";
    return (values) => callCost(name, Array.isArray(values) ? values : []);
  }
  if (comparisons.has(op)) return (a, b) => comparisonCost(a, b, meter.left);
  if (op === "in") return (_, range) => membershipCost(range);
  if (op === "+") return concatenationCost;
  if (accesses.has(op) || op === "!_" || op === "-_" || op === "-" || op === "*" || op === "/" || op === "%")
    return () => 1;
  return undefined;
}
