import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../internal/random.js";
import { Meter } from "./budget.js";
import { dynamicValue } from "./dynamic.js";
import { celEnvironment, compileProgram, type Program } from "./program.js";
import { atOnce, type Steps } from "./steps.js";

const meter = new Meter();
const environment = celEnvironment(meter)
  .registerVariable("n", "int")
  .registerVariable("numbers", "list<int>")
  .registerVariable("words", "list<string>")
  .registerVariable("labels", "map<string, string>")
  .registerVariable("any", "dyn");

const variables = {
  n: 2n,
  numbers: [3n, 1n, 2n],
  words: ["a", "", "ccc"],
  labels: new Map([
    ["a", "1"],
    ["b", "a"],
  ]),
  any: dynamicValue({ list: [1, "two", { three: 3 }], text: "x" }),
};

const budget = 100_000;

const compile = (source: string): Program => compileProgram(environment, source, meter);

/** What comes out of an evaluation, and what it cost, unless it failed on the way. */
function outcome(steps: Steps): unknown {
  try {
    return { result: atOnce(steps), cost: budget - meter.left };
  } catch (error) {
    return { failure: error instanceof Error ? error.message.split("\n")[0] : error };
  }
}

const inOneGo = (program: Program): unknown => outcome(program.run(variables, budget, budget));
const inSteps = (program: Program): unknown => outcome(program.run(variables, budget, 0));

describe("an evaluation in steps", () => {
  it.each([
    "numbers.all(x, x > 0)",
    "numbers.all(x, words.exists(w, w.size() == x))",
    "numbers.exists(x, 1 / (x - 1) > 100)",
    "numbers.exists(x, 1 / (x - 1) == 1)",
    "numbers.exists_one(x, x == n) ? numbers.map(x, x * 2).sum() : -1",
    "numbers.map(x, x > 1, numbers.filter(y, y < x)).size()",
    "[1 + n, numbers.map(x, x)[0]] + numbers.filter(x, true)",
    "{'a': numbers.map(x, string(x)).join(','), words.filter(w, w != '')[0] + 'b': 'z'}",
    "labels.all(k, v, k != v && words.exists(w, w == k) || v == 'a')",
    "labels.transformMap(k, v, words.exists(w, w == k), v + '!')",
    "numbers.transformList(i, x, numbers.all(y, y >= i) ? x : -x)",
    "any.list.exists(x, x == 'two') && any.list.all(x, x > 1)",
    "any.list[?numbers.filter(x, x == 1)[0]].orValue(words.map(w, w)[1])",
    "has(any.list.filter(x, type(x) == map)[0].three)",
    "has(any.list.filter(x, true)[?7].three) || numbers.map(x, has(any.?nope.text))[0]",
    "!(numbers.all(x, x > 1) || any.text)",
    "any.text.all(x, true)",
    "numbers.map(x, words[x])",
    "[?numbers.map(x, x)[?7], n, ?numbers.filter(x, x > 1)[?0]].size()",
    "-numbers.map(x, x)[1] in numbers.map(x, -x)",
  ])("comes to what it comes to in one: %s", (source) => {
    const program = compile(source);
    expect(inSteps(program)).toEqual(inOneGo(program));
    expect(program.run(variables, budget, 0).next().done).toBe(false);
  });

  it("comes to what it comes to in one, whatever the expression", () => {
    const seed = Date.now() % 1_000_000;
    const random = seededRandom(seed);
    const pick = <T>(...choices: readonly T[]): T => choices[Math.floor(random.next() * choices.length)] as T;
    const number = (depth: number, names: readonly string[]): string => {
      if (depth <= 0) return pick("n", "0", "1", "numbers[1]", "numbers[7]", ...names);
      const inner = (): string => number(depth - 1, names);
      return pick(
        () => `(${inner()} ${pick("+", "-", "*", "/", "%")} ${inner()})`,
        () => `${list(depth - 1, names)}.size()`,
        () => `${list(depth - 1, names)}[${inner()}]`,
        () => `(${truth(depth - 1, names)} ? ${inner()} : ${inner()})`,
        () => `${list(depth - 1, names)}[?${inner()}].orValue(${inner()})`,
      )();
    };
    const list = (depth: number, names: readonly string[]): string => {
      if (depth <= 0) return pick("numbers", "[n, 5]", "any.list", "any.none");
      const name = `v${depth}`;
      const more = [...names, name];
      const range = list(depth - 1, names);
      return pick(
        () => `${range}.map(${name}, ${number(depth - 1, more)})`,
        () => `${range}.map(${name}, ${truth(depth - 1, more)}, ${number(depth - 1, more)})`,
        () => `${range}.filter(${name}, ${truth(depth - 1, more)})`,
        () => `${range}.transformList(i${depth}, ${name}, ${number(depth - 1, [...more, `i${depth}`])})`,
        () => `[${number(depth - 1, names)}, ${number(depth - 1, names)}]`,
      )();
    };
    const truth = (depth: number, names: readonly string[]): string => {
      if (depth <= 0) return pick("true", "n > 1", "words[0] == 'a'", "any.text", "has(any.list)");
      const name = `t${depth}`;
      const inner = (): string => truth(depth - 1, names);
      const range = list(depth - 1, names);
      return pick(
        () => `(${inner()} ${pick("&&", "||")} ${inner()})`,
        () => `!${inner()}`,
        () => `${range}.${pick("all", "exists", "exists_one")}(${name}, ${truth(depth - 1, [...names, name])})`,
        () => `${range}.${pick("all", "exists", "existsOne")}(i, ${name}, ${truth(depth - 1, [...names, name, "i"])})`,
        () => `${number(depth - 1, names)} ${pick("==", "<", ">=")} ${number(depth - 1, names)}`,
        () => `${number(depth - 1, names)} in ${range}`,
      )();
    };
    let stepped = 0;
    for (let round = 0; round < 2000; round++) {
      const source = pick(truth, number, list)(4, []);
      let program: Program;
      try {
        program = compile(source);
      } catch {
        continue;
      }
      expect(inSteps(program), `seed ${seed}: ${source}`).toEqual(inOneGo(program));
      stepped++;
    }
    expect(stepped).toBeGreaterThan(500);
  });

  it("is not disturbed by another one of the same expression", () => {
    const program = compile("numbers.all(x, words.exists(w, w.size() == x || any.list.exists(y, y == n)))");
    const alone = inSteps(program);
    const other = program.run({ ...variables, n: 7n, numbers: [1n, 5n, 9n, 11n] }, budget, 0);
    const steps = program.run(variables, budget, 0);
    let result: unknown;
    for (let step = steps.next(); result === undefined; step = steps.next()) {
      if (step.done === true) result = { result: step.value, cost: budget - meter.left };
      other.next();
      expect(outcome(program.run(variables, budget, budget))).toEqual(alone);
    }
    expect(result).toEqual(alone);
  });

  it("ends at its limit", () => {
    const program = compile("[1, 2].map(x, numbers.map(y, numbers.map(z, 1)))");
    expect(() => atOnce(program.run(variables, 300, 0))).toThrow("actual cost limit exceeded");
    expect(() => atOnce(program.run(variables, 300, 300))).toThrow("actual cost limit exceeded");
  });
});
