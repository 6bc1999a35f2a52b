import { additionalOf, itemsOf, type JsonSchema, propertiesOf } from "../json-schema.js";
import { type AstNode, type Comprehension, isAstNode, isComprehension } from "./ast.js";
import { callEstimate, operatorEstimate } from "./estimate-calls.js";
import { type Estimate, fixed, type Size, sizeOf, sum, times, type Untyped } from "./estimates.js";
import { isHas } from "./has.js";
import { escapeFieldName } from "./names.js";
import { mostOf } from "./sizes.js";
import { costOfItem, costOfResult, listCost, loopCosts, mapCost } from "./tolls.js";

/** How many values with a schema an object can have at most, by where it is: undefined when a list or map above has no limit. */
export type Cardinality = number | undefined;

type Scope = ReadonlyMap<string, Estimate>;

const one: Size = fixed(1);

/** What one evaluation may cost at worst, by the limits that its schema sets. */
export function estimateCost(root: unknown, self: JsonSchema): number {
  const value: Estimate = { cost: 1, schema: self, type: "" };
  return estimate(
    root,
    new Map([
      ["self", value],
      ["oldSelf", value],
    ]),
  ).cost;
}

/** The cost of a rule for all values with its schema. */
export function timesCardinality(cost: number, schema: JsonSchema, cardinality: Cardinality): number {
  return times(cost, cardinality ?? mostOf(schema));
}

/** The cardinality of what is below a list or map. */
export function cardinalityBelow(schema: JsonSchema, above: Cardinality): Cardinality {
  const limit = schema.type === "array" ? schema.maxItems : schema.maxProperties;
  return above === undefined || limit === undefined ? undefined : above * Math.max(0, limit);
}

function estimate(value: unknown, scope: Scope): Estimate {
  if (!isAstNode(value)) return { cost: 0, type: "" };
  const { alternate, macro } = value.meta;
  if (alternate !== undefined) return estimate(alternate, scope);
  if (macro !== undefined) return { ...estimateMacro(macro, scope), type: typeOf(value) };
  return { type: typeOf(value), ...estimateNode(value, scope) };
}

function typeOf(node: AstNode): string {
  return node.checkedType?.name ?? "";
}

function estimateNode(node: AstNode, scope: Scope): Untyped {
  const { op, args } = node;
  const operands = Array.isArray(args) ? args : [args];
  const of = (index: number): Estimate => estimate(operands[index], scope);
  switch (op) {
    case "value":
      return { cost: 0, size: literalSize(args) };
    case "id": {
      const { type: _, ...known } = scope.get(String(args)) ?? { type: "" };
      return { ...known, cost: 1 };
    }
    case ".":
    case ".?":
      return accessed(of(0), fieldOf(of(0).schema, String(operands[1])), 0);
    case "[]":
    case "[?]": {
      const from = of(0);
      const { schema } = from;
      return accessed(from, schema && (itemsOf(schema) ?? additionalOf(schema)), of(1).cost);
    }
    case "list": {
      const items = operands.map((item) => estimate(item, scope));
      return { cost: listCost + sum(items), size: fixed(items.length), item: union(items) };
    }
    case "map": {
      const entries = operands.map((entry: unknown) => (Array.isArray(entry) ? entry : []));
      const keys = entries.map(([key]) => estimate(key, scope));
      const values = entries.map(([, inner]) => estimate(inner, scope));
      return { cost: mapCost + sum(keys) + sum(values), size: fixed(entries.length), item: union(values) };
    }
    case "?:": {
      const [first, second] = [of(1), of(2)];
      return { ...union([first, second]), cost: of(0).cost + Math.max(first.cost, second.cost) };
    }
    case "comprehension":
      return isComprehension(args) ? loopEstimate(args, scope) : { cost: 0 };
    case "call":
      return callEstimate(String(operands[0]), undefined, all(operands[1], scope));
    case "rcall":
      return callEstimate(String(operands[0]), of(1), all(operands[2], scope));
    default:
      return operatorEstimate(
        op,
        operands.map((operand) => estimate(operand, scope)),
      );
  }
}

function accessed(from: Estimate, schema: JsonSchema | undefined, more: number): Untyped {
  return schema === undefined ? { ...from.item, cost: from.cost + 1 + more } : { cost: from.cost + 1 + more, schema };
}

function all(nodes: unknown, scope: Scope): readonly Estimate[] {
  return Array.isArray(nodes) ? nodes.map((node) => estimate(node, scope)) : [];
}

function literalSize(value: unknown): Size | undefined {
  if (typeof value === "string" || value instanceof Uint8Array) return fixed(value.length);
  return typeof value === "object" && value !== null ? undefined : one;
}

/** What can be said of a value that is one of these. */
function union(values: readonly Estimate[]): Estimate {
  const [first] = values;
  const sizes = values.map(sizeOf);
  const items = values.flatMap(({ item, schema }) => item ?? (schema && itemOf(schema)) ?? []);
  return {
    cost: 0,
    size: { min: Math.min(...sizes.map(({ min }) => min)), max: Math.max(0, ...sizes.map(({ max }) => max)) },
    item: items.length === 0 ? undefined : union(items),
    type: first?.type ?? "",
  };
}

function itemOf(schema: JsonSchema): Estimate | undefined {
  const inner = itemsOf(schema) ?? additionalOf(schema);
  return inner && { cost: 1, schema: inner, type: "" };
}

/** The schema of a field, by its name as expressions write it. */
function fieldOf(schema: JsonSchema | undefined, name: string): JsonSchema | undefined {
  if (schema === undefined) return undefined;
  for (const [key, property] of propertiesOf(schema)) if (escapeFieldName(key) === name) return property;
  return additionalOf(schema);
}

/** What a loop has as its variables: the item of a list or the key of a map, and with two the index or key and the item or value. */
function variablesOf(range: Estimate, two: boolean): readonly Estimate[] {
  const { schema } = range;
  const isMap = range.type.startsWith("map") || (schema !== undefined && itemsOf(schema) === undefined);
  const item = (schema && itemOf(schema)) ?? range.item ?? { cost: 1, type: "" };
  // The keys of a map in the object have no size for upstream.
  const key: Estimate = isMap ? { cost: 1, size: schema && fixed(0), type: "string" } : { cost: 1, type: "int" };
  if (two) return [key, item];
  return [isMap ? key : item];
}

function loopEstimate(loop: Comprehension, scope: Scope): Untyped {
  const range = estimate(loop.iterable, scope);
  const [variable] = variablesOf(range, false);
  const inner = new Map(scope);
  if (variable !== undefined) inner.set(loop.iterVarName, variable);
  const init = estimate(loop.init, scope);
  const step = estimate(loop.step, inner);
  const size = sizeOf(range);
  const cost = range.cost + init.cost + times(size.max, step.cost + costOfItem(loop)) + costOfResult(loop);
  return loop.init.op === "list" ? { cost, size: { min: 0, max: size.max }, item: step.item } : { cost, size: one };
}

interface LoopMacro {
  readonly variables: number;
  readonly args: readonly AstNode[];
  readonly receiver: AstNode;
  readonly loop: string;
}

function estimateMacro(macro: unknown, scope: Scope): Untyped {
  if (isHas(macro)) return { cost: estimate(macro.operand, scope).cost, size: one };
  if (typeof macro !== "object" || macro === null) return { cost: 1 };
  if ("loop" in macro) return loopMacroEstimate(macro as LoopMacro, scope);
  // `or`, `orValue` and their kind: a call of which one side may not be evaluated.
  const sides = Object.values(macro).filter(isAstNode);
  const [receiver, arg] = ["receiver", "arg"].map((name) => estimate((macro as Record<string, unknown>)[name], scope));
  if (receiver === undefined || arg === undefined || sides.length === 0) return { cost: 1 };
  return { ...union([receiver, arg]), cost: 1 + receiver.cost + arg.cost };
}

function loopMacroEstimate({ args, receiver, loop, variables }: LoopMacro, scope: Scope): Untyped {
  const range = estimate(receiver, scope);
  const inner = new Map(scope);
  const names = args.slice(0, variables);
  const values = variablesOf(range, variables === 2);
  for (const [index, value] of values.entries()) inner.set(String(names[index]?.args), value);
  const expressions = args.slice(variables);
  const parts = expressions.map((expression) => estimate(expression, inner));
  const { max } = sizeOf(range);
  switch (loop) {
    case "all":
      return { cost: range.cost + times(max, sum(parts) + loopCosts.all) + 1, size: one };
    case "exists":
      return { cost: range.cost + times(max, sum(parts) + loopCosts.exists) + 1, size: one };
    case "existsOne":
    case "exists_one":
      return { cost: range.cost + times(max, sum(parts) + loopCosts.increment) + 2, size: one };
    case "optMap":
    case "optFlatMap":
      return { cost: range.cost + sum(parts) + 1, size: parts[0] && sizeOf(parts[0]) };
    case "sortBy":
      return { ...sortedBy(range, parts), size: sizeOf(range) };
    case "transformList":
      return made(range, sum(parts) + loopCosts.push, listCost, parts.at(-1));
    default:
      return made(range, sum(parts) + loopCosts.insert, mapCost, parts.at(-1));
  }
}

/** With a comparison of every key with every other one. */
function sortedBy(range: Estimate, keys: readonly Estimate[]): Untyped {
  const { max } = sizeOf(range);
  const perPair = keys[0]?.type === "string" ? 2.1 : 2;
  const perItem = sum(keys) + loopCosts.push + times(max, perPair);
  return { cost: range.cost + 2 * listCost + Math.ceil(times(max, perItem)) + 2, item: range.item };
}

function made(range: Estimate, perItem: number, base: number, item: Estimate | undefined): Untyped {
  const { max } = sizeOf(range);
  return { cost: range.cost + base + times(max, perItem) + 1, size: { min: 0, max }, item };
}
