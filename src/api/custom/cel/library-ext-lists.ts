import type { Environment } from "@marcbachmann/cel-js";
import type { Meter } from "./budget.js";
import { selfComparison } from "./costs.js";
import { celEqual } from "./equal.js";
import type { Define } from "./library.js";
import { type Entry, entriesOf, macroOf, type Run } from "./macro.js";
import type { Steps } from "./steps.js";
import { listCost, loopCosts } from "./tolls.js";

type List = readonly unknown[];

const sortable: readonly string[] = [
  "int",
  "double",
  "string",
  "bool",
  "google.protobuf.Timestamp",
  "google.protobuf.Duration",
  "dyn",
];
const longestRange = 10_000_000n;

class ListsNamespace {}

/** slice, flatten, distinct, reverse, sort, sortBy and lists.range. */
export function registerExtendedLists(define: Define, environment: Environment, meter: Meter): void {
  environment.registerType("ListsNamespace", ListsNamespace);
  environment.registerConstant("lists", "ListsNamespace", new ListsNamespace());
  define("ListsNamespace.range(int): list<int>", (_: unknown, size: bigint) => range(size));
  define("list<A>.slice(int, int): list<A>", slice);
  define("list<list<A>>.flatten(): list<A>", (list: List) => list.flat());
  define("list.flatten(int): list", (list: List, depth: bigint) => {
    if (depth < 0n) throw new Error("level must be non-negative");
    return list.flat(Number(depth));
  });
  define("list<A>.reverse(): list<A>", (list: List) => list.toReversed());
  define("list<A>.distinct(): list<A>", (list: List) => distinct(list));
  for (const type of sortable) define(`list<${type}>.sort(): list<${type}>`, (list: List) => sorted(list, list));
  const sortBy = macroOf(
    {
      loop: "sortBy",
      variables: 1,
      filters: false,
      resultOf: (checker, type) => (type.kind === "list" ? type : checker.getType("list<dyn>")),
      combine: byKeys,
    },
    meter,
  );
  define("list.sortBy(ast, ast): list<dyn>", sortBy);
}

function range(size: bigint): List {
  if (size < 0n) throw new Error(`lists.range: size must be non-negative, got ${size}`);
  if (size > longestRange) throw new Error(`lists.range: size ${size} exceeds maximum allowed (${longestRange})`);
  return Array.from({ length: Number(size) }, (_, index) => BigInt(index));
}

function slice(list: List, start: bigint, end: bigint): List {
  const what = `cannot slice(${start}, ${end})`;
  if (start < 0n || end < 0n) throw new Error(`${what}, negative indexes not supported`);
  if (start > end) throw new Error(`${what}, start index must be less than or equal to end index`);
  if (BigInt(list.length) < end) throw new Error(`${what}, list is length ${list.length}`);
  return list.slice(Number(start), Number(end));
}

function distinct(list: List): List {
  const found: unknown[] = [];
  for (const item of list) if (!found.some((other) => celEqual(item, other))) found.push(item);
  return found;
}

function* byKeys({ range: list, on, pay, pause }: Run): Steps {
  const keys: unknown[] = [];
  const entries: readonly Entry[] = entriesOf(list);
  pay(listCost);
  for (const entry of entries) {
    keys.push(yield* on(0, entry));
    pay(loopCosts.push);
    yield* pause();
  }
  pay(selfComparison(keys));
  return sorted(
    entries.map(([, value]) => value),
    keys,
  );
}

/** The items in the order of their keys, which must be of one type that has an order. */
function sorted(list: List, keys: List): List {
  const [first] = keys.map(orderable);
  const indexes = keys.map((key, index) => {
    const value = orderable(key);
    if (typeof value !== typeof first) throw new Error("list elements must have the same type");
    return [value, index] as const;
  });
  indexes.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return indexes.map(([, index]) => list[index]);
}

/** What stands for a value where values are compared. */
function orderable(value: unknown): string | number | bigint | boolean {
  if (typeof value === "object" && value !== null) {
    const primitive: unknown = value instanceof Date ? value.getTime() : "seconds" in value ? durationOf(value) : value;
    if (typeof primitive === "number" || typeof primitive === "bigint") return primitive;
  }
  if (
    typeof value === "string" ||
    typeof value === "number" ||
    typeof value === "bigint" ||
    typeof value === "boolean"
  ) {
    return value;
  }
  throw new Error("list elements must be comparable");
}

function durationOf(value: { readonly seconds: unknown; readonly nanos?: unknown }): bigint {
  return BigInt(value.seconds as bigint) * 1_000_000_000n + BigInt((value.nanos as number | undefined) ?? 0);
}
