import { type Environment, Optional } from "@marcbachmann/cel-js";
import type { Meter } from "./budget.js";
import { celEqual } from "./equal.js";
import type { Define } from "./library.js";
import { macroOf, type Run } from "./macro.js";
import { optionalElement } from "./rewrite-literals.js";
import type { Steps } from "./steps.js";
import { absent } from "./tolls.js";

type Optionals = readonly Optional[];

/** What the package lacks of optional values: equality, optMap, optFlatMap, ofNonZeroValue, unwrap, unwrapOpt, first and last. */
export function registerOptionals(define: Define, environment: Environment, meter: Meter): void {
  environment.registerOperator("optional<A> == optional<A>", celEqual);
  const mapping = { variables: 1, filters: false } as const;
  const map = macroOf(
    {
      ...mapping,
      loop: "optMap",
      resultOf: (checker, _, type) => checker.registry.getOptionalType(type),
      combine: (run) => mapped(run, (value) => Optional.of(value)),
    },
    meter,
  );
  define("optional.optMap(ast, ast): optional<dyn>", map);
  const flatMap = macroOf(
    {
      ...mapping,
      loop: "optFlatMap",
      resultOf: (checker, _, type) => (type.kind === "optional" ? type : checker.getType("optional<dyn>")),
      combine: (run) => mapped(run, (value) => value),
    },
    meter,
  );
  define("optional.optFlatMap(ast, ast): optional<dyn>", flatMap);
  define("OptionalNamespace.ofNonZeroValue(A): optional<A>", (_: unknown, value: unknown) =>
    isZero(value) ? Optional.none() : Optional.of(value),
  );
  const unwrap = (list: Optionals): readonly unknown[] =>
    list.flatMap((optional) => (optional.hasValue() ? [optional.value()] : []));
  define("OptionalNamespace.unwrap(list<optional<A>>): list<A>", (_: unknown, list: Optionals) => unwrap(list));
  define("list<optional<A>>.unwrapOpt(): list<A>", unwrap);
  define(`${optionalElement}(optional<A>): A`, (value: Optional) => (value.hasValue() ? value.value() : absent));
  define("list<A>.first(): optional<A>", (list: readonly unknown[]) => Optional.of(list[0]));
  define("list<A>.last(): optional<A>", (list: readonly unknown[]) => Optional.of(list.at(-1)));
}

function* mapped({ range, on, pay }: Run, make: (value: unknown) => unknown): Steps {
  if (!(range instanceof Optional)) throw new Error("no such overload");
  pay(1);
  return range.hasValue() ? make(yield* on(0, [undefined, range.value()])) : range;
}

function isZero(value: unknown): boolean {
  if (value === null || value === "" || value === 0 || value === 0n || value === false) return true;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  return value instanceof Map && value.size === 0;
}
