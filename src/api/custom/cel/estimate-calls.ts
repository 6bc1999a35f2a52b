import { itemsOf } from "../json-schema.js";
import { type Estimate, fixed, type Size, sizeOf, sum, times, type Untyped } from "./estimates.js";

const perCharacter = 0.1;
const perRegexCharacter = 0.25;
const listCost = 10;

const nothing: Size = { min: 0, max: 0 };
const addressSize: Size = { min: 4, max: 16 };

/** To go through a value of that size. */
function traversal({ max }: Size, factor = perCharacter): number {
  return Math.ceil(times(max, factor));
}

function plus(a: Size, b: Size): Size {
  return { min: a.min + b.min, max: a.max + b.max };
}

/** What a call costs with its operands, and how big its result can be. The figures are upstream's. */
export function callEstimate(name: string, target: Estimate | undefined, args: readonly Estimate[]): Untyped {
  const operands = target === undefined ? args : [target, ...args];
  const sizes = operands.map(sizeOf);
  const { cost, ...result } = callOnly(name, operands, sizes);
  return { ...result, cost: cost + sum(operands) };
}

function callOnly(name: string, operands: readonly Estimate[], sizes: readonly Size[]): Untyped {
  const [first = nothing, second = nothing, third = nothing] = sizes;
  switch (name) {
    case "optionalElement":
      return { ...operands[0], cost: 0 };
    case "dyn":
      return { ...operands[0], cost: 1 };
    case "isSorted":
    case "sum":
    case "max":
    case "min":
    case "indexOf":
    case "lastIndexOf":
      return { cost: eachItem(operands[0], first) };
    case "startsWith":
    case "endsWith":
      return { cost: traversal(second) };
    case "lowerAscii":
    case "upperAscii":
    case "substring":
    case "trim":
      return { cost: traversal(first), size: first };
    case "format":
      return { cost: traversal(first), size: plus(first, second) };
    case "quote":
      return { cost: traversal(second), size: { min: second.min + 2, max: second.max * 2 + 2 } };
    case "bytes":
      return { cost: traversal(first), size: { min: first.min, max: first.max * 4 } };
    case "string":
      return stringEstimate(operands[0], first);
    case "matches":
    case "matchesRe2":
      return { cost: regexTraversal(first, second) };
    case "find":
    case "findAll":
      return { cost: regexTraversal(first, second), size: { min: 0, max: first.max } };
    case "replace":
      return { cost: traversal(first, 2 * perCharacter), size: replacedSize(first, second, third) };
    case "split":
      return { cost: traversal(first, 2 * perCharacter), size: { min: 0, max: first.max } };
    case "join":
      return joinEstimate(operands[0], first, second);
    default:
      return libraryOnly(name, operands, sizes);
  }
}

function libraryOnly(name: string, operands: readonly Estimate[], sizes: readonly Size[]): Untyped {
  const [first = nothing, second = nothing, third = nothing] = sizes;
  const isText = operands[0]?.type === "string";
  switch (name) {
    case "contains":
      return { cost: isText ? times(traversal(first), traversal(second)) : 1 + times(second.max, third.max) };
    case "intersects":
      return { cost: 1 + times(second.max, third.max) };
    case "equivalent":
      return { cost: 1 + 2 * times(second.max, third.max) };
    case "url":
    case "cidr":
    case "isIP":
    case "isCIDR":
    case "quantity":
    case "isQuantity":
    case "semver":
    case "isSemver":
      return { cost: traversal(first) };
    case "ip":
      return { cost: isText ? traversal(first) : 1 };
    case "isCanonical":
      return { cost: traversal(second, 2 * perCharacter) };
    case "validate":
      return { cost: traversal(second) };
    case "containsIP":
      return { cost: traversal(plus(addressSize, addressSize)) + textTraversal(operands[1], second) };
    case "containsCIDR":
      return {
        cost:
          traversal(plus(addressSize, addressSize)) + traversal(addressSize) + 1 + textTraversal(operands[1], second),
      };
    case "slice":
    case "reverse":
    case "flatten":
      return listOf(first, 1, operands[0]);
    case "range":
      return listOf(second, 1, undefined);
    case "distinct":
      return listOf(first, times(first.max, 2), operands[0]);
    case "sort":
      return listOf(
        first,
        times(first.max, 2 + (operands[0]?.type === "list<string>" ? perCharacter : 0)),
        operands[0],
      );
    default:
      return { cost: 1 };
  }
}

/** A call that makes a list of that size, with so much work for each item. */
function listOf(size: Size, perItem: number, of: Estimate | undefined): Untyped {
  return { cost: Math.ceil(times(size.max, perItem)) + 1 + listCost, size: { min: 0, max: size.max }, item: of?.item };
}

/** One for every item, and a tenth of each character where they are texts. Of a text only the latter. */
function eachItem(list: Estimate | undefined, size: Size): number {
  if (list === undefined || list.type === "string") return traversal(size);
  const isText = /^list<(string|bytes)>$/.test(list.type);
  return times(size.max, isText ? 1 + traversal(itemSize(list)) : 1);
}

/** How big the items of a list are. */
function itemSize({ item, schema, type }: Estimate): Size {
  if (item !== undefined) return sizeOf(item);
  const inner = schema && itemsOf(schema);
  return sizeOf(inner === undefined ? { cost: 0, type } : { cost: 0, schema: inner, type: "" });
}

function stringEstimate(of: Estimate | undefined, size: Size): Untyped {
  if (of?.type === "bytes") return { cost: traversal(size), size };
  return of?.type === "string" ? { cost: 1, size } : { cost: 1 };
}

function regexTraversal(text: Size, pattern: Size): number {
  return times(traversal(plus(text, fixed(1))), traversal(pattern, perRegexCharacter));
}

function replacedSize(text: Size, from: Size, to: Size): Size {
  if (from.min === 0) return { min: 0, max: times(text.max + 1, to.max) + text.max };
  if (to.max <= from.min) return { min: 0, max: text.max };
  return { min: 0, max: times(Math.ceil(text.max / from.min), to.max) };
}

function joinEstimate(list: Estimate | undefined, size: Size, separator: Size): Untyped {
  const items = list === undefined ? 0 : times(size.max, itemSize(list).max);
  const result = { min: 0, max: items + times(separator.max, Math.max(0, size.max - 1)) };
  return { cost: traversal(result), size: result };
}

function textTraversal(operand: Estimate | undefined, size: Size): number {
  return operand?.type === "string" ? traversal(size) : 0;
}

const comparisons: ReadonlySet<string> = new Set(["==", "!="]);
const orders: ReadonlySet<string> = new Set(["<", "<=", ">", ">="]);

/** What an operator costs with its operands. */
export function operatorEstimate(op: string, operands: readonly Estimate[]): Untyped {
  const [left, right] = operands;
  const cost = sum(operands);
  if (op === "&&" || op === "||") return { cost, size: fixed(1) };
  if (op === "accuPush") return { cost: cost + 12, item: left };
  if (op === "accuInc") return { cost: 2 };
  if (op === "accuValue") return { cost: 1 };
  if (left === undefined || right === undefined) return { cost: cost + 1 };
  const sizes = [sizeOf(left), sizeOf(right)] as const;
  const isText = left.type === "string" || left.type === "bytes";
  if (comparisons.has(op) || (orders.has(op) && isText)) {
    return { cost: cost + traversal(fixed(Math.min(sizes[0].max, sizes[1].max))) };
  }
  if (op === "in" && (right.type.startsWith("list") || right.schema?.type === "array")) {
    return { cost: cost + sizes[1].max };
  }
  if (op !== "+") return { cost: cost + 1 };
  const size = plus(...sizes);
  if (isText) return { cost: cost + traversal(size), size };
  return left.type.startsWith("list") ? { cost: cost + 1, size, item: left.item ?? right.item } : { cost: cost + 1 };
}
