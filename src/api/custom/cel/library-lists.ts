import type { Environment } from "@marcbachmann/cel-js";
import { celEqual } from "./equal.js";
import type { Define } from "./library.js";

type Ordered = number;

const numbers: readonly string[] = ["int", "double"];
const orderedTypes: readonly string[] = [
  "int",
  "double",
  "string",
  "bool",
  "google.protobuf.Timestamp",
  "google.protobuf.Duration",
];

class SetsNamespace {}

/** isSorted, sum, min, max, indexOf, lastIndexOf, and sets. */
export function registerLists(define: Define, environment: Environment): void {
  for (const type of orderedTypes) {
    define(`list<${type}>.isSorted(): bool`, (list: readonly Ordered[]) =>
      list.every((item, index) => index === 0 || (list[index - 1] as Ordered) <= item),
    );
    const min = (list: readonly Ordered[]): Ordered => extreme(list, "min", (a, b) => a < b);
    const max = (list: readonly Ordered[]): Ordered => extreme(list, "max", (a, b) => a > b);
    define(`list<${type}>.min(): ${type}`, min);
    define(`list<${type}>.max(): ${type}`, max);
  }
  for (const type of numbers) {
    define(`list<${type}>.sum(): ${type}`, (list: readonly (bigint | number)[]) => {
      let sum: bigint | number = type === "int" ? 0n : 0;
      // Lists have one type, which the checker knows and TypeScript does not.
      for (const item of list) sum = (sum as number) + (item as number);
      return sum;
    });
  }
  define("list<A>.indexOf(A): int", (list: readonly unknown[], value: unknown) =>
    BigInt(list.findIndex((item) => celEqual(item, value))),
  );
  define("list<A>.lastIndexOf(A): int", (list: readonly unknown[], value: unknown) =>
    BigInt(list.findLastIndex((item) => celEqual(item, value))),
  );
  environment.registerType("SetsNamespace", SetsNamespace);
  environment.registerConstant("sets", "SetsNamespace", new SetsNamespace());
  const has = (list: readonly unknown[], value: unknown): boolean => list.some((item) => celEqual(item, value));
  const contains = (list: readonly unknown[], other: readonly unknown[]): boolean =>
    other.every((value) => has(list, value));
  type Lists = (_: unknown, a: readonly unknown[], b: readonly unknown[]) => boolean;
  const defineSets = (name: string, handler: Lists): void =>
    define(`SetsNamespace.${name}(list<A>, list<A>): bool`, handler);
  defineSets("contains", (_, a, b) => contains(a, b));
  defineSets("equivalent", (_, a, b) => contains(a, b) && contains(b, a));
  defineSets("intersects", (_, a, b) => a.some((value) => has(b, value)));
}

function extreme(list: readonly Ordered[], name: string, better: (a: Ordered, b: Ordered) => boolean): Ordered {
  const [first, ...rest] = list;
  if (first === undefined) throw new Error(`${name} called on empty list`);
  return rest.reduce((found, item) => (better(item, found) ? item : found), first);
}
