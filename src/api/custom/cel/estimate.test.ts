import { describe, expect, it } from "vitest";
import type { JsonSchema } from "../json-schema.js";
import { Meter } from "./budget.js";
import { estimateCost } from "./estimate.js";
import { celEnvironment, compileProgram } from "./program.js";
import { compileRules } from "./rules.js";
import { CelTypes } from "./types.js";

const text: JsonSchema = { type: "string" };
const list = (items: JsonSchema, more: JsonSchema = {}): JsonSchema => ({ type: "array", items, ...more });

function errorsOf(inner: JsonSchema, ...rules: readonly string[]): readonly string[] {
  const validations = rules.map((rule) => ({ rule }));
  const properties = { list: inner, a: { type: "integer" }, b: { type: "integer" } };
  const schema = { type: "object", properties, "x-kubernetes-validations": validations };
  return compileRules(schema, "s").errors.map(({ path, message }) => `${path}: ${message}`);
}

function costOf(self: JsonSchema, rule: string): number {
  const meter = new Meter();
  const environment = celEnvironment(meter);
  const { name } = new CelTypes(environment, { unknown: "hidden" }).typeOf(self);
  const { ast } = compileProgram(environment.registerVariable("self", name), rule, meter);
  return estimateCost(ast, self);
}

describe("what a rule may cost", () => {
  // Found with upstream's validator, v0.36.3: the most items with which it takes the rule.
  it.each([
    [16, 909_090],
    [63, 333_333],
    [253, 94_339],
    [1024, 24_154],
  ])("is what upstream says for texts of up to %d characters", (maxLength, maxItems) => {
    const rule = "self.list.all(x, x.contains('gpu'))";
    const of = (count: number): JsonSchema => list({ type: "string", maxLength }, { maxItems: count });
    expect(errorsOf(of(maxItems), rule)).toEqual([]);
    expect(errorsOf(of(maxItems + 1), rule)).toHaveLength(1);
  });

  it.each<[string, JsonSchema, string, number]>([
    ["numbers by what fits into a request", list({ type: "integer" }), "self.all(x, true)", 3 * 1_572_863 + 2],
    ["texts by what fits into a request", list(text), "self.all(x, true)", 3 * 1_048_575 + 2],
    [
      "maps by what fits into a request",
      { type: "object", additionalProperties: text },
      "self.all(k, true)",
      3 * 393_215 + 2,
    ],
    ["loops in loops", list(text, { maxItems: 10 }), "self.all(x, self.all(y, true))", 10 * (3 + 10 * 3 + 2) + 2],
    [
      "loops of two variables in loops",
      list(text, { maxItems: 10 }),
      "self.all(i, x, self.exists(j, y, true))",
      10 * (3 + 10 * 4 + 2) + 2,
    ],
    [
      "filters and then maps",
      list(text, { maxItems: 10 }),
      "self.filter(x, true).map(y, 1).size() == 1",
      1 + (1 + 10 + 130 + 1) + (10 + 120 + 1) + 1,
    ],
    [
      "the length of what a filter leaves",
      list({ type: "string", maxLength: 5 }, { maxItems: 10 }),
      "self.filter(x, true).all(y, y.contains('a'))",
      1 + 10 + 130 + 1 + 10 * (3 + 1 + 2) + 1,
    ],
    ["comparisons by the shorter", { type: "string", maxLength: 5 }, "self == 'abc'", 2],
    ["conditions by the dearer side", list(text, { maxItems: 10 }), "true ? self.all(x, true) : false", 32],
    ["presence by what is before the last dot", { type: "object", properties: { a: text } }, "has(self.a)", 1],
    ["enumerations by the longest", { type: "string", enum: ["a", "12345678901"] }, "self + 'x' == 'y'", 1 + 2 + 1],
  ])("counts %s", (_, schema, rule, cost) => {
    expect(costOf(schema, rule)).toBe(cost);
  });

  it("of numbers made into texts nobody can say, but of numbers that are formatted", () => {
    const message = (messageExpression: string): readonly string[] => {
      const properties = { a: { type: "integer" }, b: { type: "integer" } };
      const validations = [{ rule: "self.a <= self.b", messageExpression }];
      const schema = { type: "object", properties, "x-kubernetes-validations": validations };
      return compileRules(schema, "s").errors.map(({ path, message: found }) => `${path}: ${found}`);
    };
    expect(message("'a (%d) is above b (%d)'.format([self.a, self.b])")).toEqual([]);
    const advice =
      "exceeds budget by factor of more than 100x (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)";
    expect(message("'a (' + string(self.a) + ')'")).toEqual([
      `s.x-kubernetes-validations[0].messageExpression: Forbidden: estimated messageExpression cost ${advice}`,
      "s.x-kubernetes-validations[0].messageExpression: Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema",
      `s: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema ${advice}`,
    ]);
  });

  it("is limited for all rules of a definition together", () => {
    const rule = "self.list.all(x, x == 'a')";
    const errors = errorsOf(list(text), ...Array<string>(24).fill(rule));
    expect(errors).toHaveLength(5);
    expect(errors[0]).toContain("s.x-kubernetes-validations[0].rule: Forbidden: contributed to estimated rule cost");
    expect(errors[4]).toContain("entire OpenAPIv3 schema exceeds budget by factor of 1.258");
  });

  it("is multiplied by how often its schema occurs", () => {
    const rule = "self.all(a, a != '')";
    const inner = list(text, { maxItems: 1000, "x-kubernetes-validations": [{ rule }] });
    const errors = (outer: JsonSchema): readonly string[] =>
      compileRules({ type: "object", properties: { outer } }, "s").errors.map(({ path }) => path);
    expect(errors(list(inner))).toContain("s.properties[outer].items.x-kubernetes-validations[0].rule");
    expect(errors(list(inner, { maxItems: 10 }))).toEqual([]);
  });
});
