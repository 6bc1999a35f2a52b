import type { Meter } from "./budget.js";
import type { Define } from "./library.js";
import { type CelType, type Checker, type Entry, entriesOf, keyOf, macroOf, type Run, type Shape } from "./macro.js";
import type { Steps } from "./steps.js";
import { listCost, loopCosts, mapCost } from "./tolls.js";

/** `all`, `exists`, `existsOne`, `transformList`, `transformMap` and `transformMapEntry` over index or key and value. */
export function registerTwoVariables(define: Define, meter: Meter): void {
  const bool = (checker: Checker): CelType => checker.getType("bool");
  const macro = (shape: Omit<Shape, "variables">): ReturnType<typeof macroOf> =>
    macroOf({ ...shape, variables: 2 }, meter);
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
    const transform = (name: string, result: string, shape: Omit<Shape, "filters" | "loop" | "variables">): void =>
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

function* decided({ range, on, pay, pause }: Run, by: boolean, cost: number): Steps {
  let failed: { readonly error: unknown } | undefined;
  for (const entry of entriesOf(range)) {
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

function* existsOne({ range, on, pay, pause }: Run): Steps {
  let found = 0;
  for (const entry of entriesOf(range)) {
    const holds = (yield* on(0, entry)) === true;
    pay(holds ? loopCosts.increment : loopCosts.keep);
    if (holds) found++;
    yield* pause();
  }
  return found === 1;
}

/** The entries that are taken, each with the value of the last expression. */
function* taken({ range, on, last, pay, pause }: Run, filters: boolean, cost: number): Generator<undefined, Entry[]> {
  const results: Entry[] = [];
  for (const entry of entriesOf(range)) {
    const takes = !filters || (yield* on(0, entry)) === true;
    pay(takes ? cost : loopCosts.keep);
    if (takes) results.push([entry[0], yield* on(last, entry)]);
    yield* pause();
  }
  return results;
}

function* listed(run: Run, filters: boolean): Steps {
  run.pay(listCost);
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
