import { describe, expect, it } from "vitest";
import {
  everything,
  nothing,
  parseLabelSelector,
  SelectorError,
  selectorFromLabelSelector,
  selectorFromSet,
  selectorLimits,
} from "./labels.js";

describe("parseLabelSelector", () => {
  it.each([
    { text: "", canonical: "" },
    { text: "a=b", canonical: "a=b" },
    { text: "b==c , a != d", canonical: "a!=d,b==c" },
    { text: "x in (b, a,a),y notin (c)", canonical: "x in (a,b),y notin (c)" },
    { text: "!k,j", canonical: "j,!k" },
    { text: "x>1,y<2", canonical: "x>1,y<2" },
    { text: "a=", canonical: "a=" },
    { text: "x in (,)", canonical: "x in ()" },
    { text: "x in (a,,b)", canonical: "x in (,a,b)" },
    { text: "in in (in)", canonical: "in in (in)" },
    { text: "notin=in", canonical: "notin=in" },
    { text: "example.com/k=v", canonical: "example.com/k=v" },
  ])("reads $text", ({ text, canonical }) => {
    expect(parseLabelSelector(text).toString()).toBe(canonical);
  });

  it.each([
    { text: "a=b,", message: "found '', expected: identifier after ','" },
    { text: "a=b c", message: "found 'c', expected: ',' or 'end of string'" },
    { text: "=b", message: "found '=', expected: !, identifier, or 'end of string'" },
    { text: "a ! b", message: "unable to parse requirement: found '!', expected: in, notin, =, ==, !=, gt, lt" },
    { text: "a in b", message: "unable to parse requirement: found 'b' expected: '('" },
    { text: "a in (b c)", message: "unable to parse requirement: found 'c', expected: ',' or ')'" },
    {
      text: "a in ()",
      message:
        "unable to parse requirement: values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty",
    },
    {
      text: "a>x",
      message:
        "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
    },
    {
      text: "-a=b",
      message:
        "unable to parse requirement: <nil>: Invalid value: \"-a\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
    },
    {
      text: "a=-b",
      message:
        "unable to parse requirement: values[0][a]: Invalid value: \"-b\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    },
  ])("refuses $text", ({ text, message }) => {
    expect(() => parseLabelSelector(text)).toThrow(new SelectorError(message));
  });

  it.each([
    { name: "long text", text: "a".repeat(selectorLimits.textLength + 1) },
    { name: "many requirements", text: Array.from({ length: 1002 }, () => "a").join(",") },
    { name: "many values", text: `a in (${Array.from({ length: 20_001 }, () => "b").join(",")})` },
  ])("bounds $name", ({ text }) => {
    expect(() => parseLabelSelector(text)).toThrow(SelectorError);
  });

  it.each([
    { text: "a=b", yes: [{ a: "b" }], no: [{ a: "c" }, {}] },
    { text: "a!=b", yes: [{ a: "c" }, {}], no: [{ a: "b" }] },
    { text: "a in (b,c)", yes: [{ a: "c" }], no: [{ a: "d" }, {}] },
    { text: "a notin (b,c)", yes: [{ a: "d" }, {}], no: [{ a: "c" }] },
    { text: "a", yes: [{ a: "" }], no: [{}] },
    { text: "!a", yes: [{}], no: [{ a: "" }] },
    { text: "a>5", yes: [{ a: "6" }], no: [{ a: "5" }, { a: "x" }, {}] },
    { text: "a<5", yes: [{ a: "4" }], no: [{ a: "5" }, {}] },
    { text: "constructor", yes: [{ constructor: "x" } as object as { constructor: string }], no: [{}] },
    { text: "toString notin (a)", yes: [{}], no: [{ toString: "a" } as object as { toString: string }] },
  ])("$text matches what it says", ({ text, yes, no }) => {
    const selector = parseLabelSelector(text);
    for (const labels of yes) expect(selector.matches(labels as unknown as Record<string, string>)).toBe(true);
    for (const labels of no) expect(selector.matches(labels as unknown as Record<string, string>)).toBe(false);
  });
});

describe("selectors of API fields", () => {
  it("selects nothing when absent and everything when empty", () => {
    expect(selectorFromLabelSelector(undefined)).toBe(nothing);
    expect(selectorFromLabelSelector({})).toBe(everything);
    expect(nothing.matches({})).toBe(false);
    expect(everything.matches(undefined)).toBe(true);
  });

  it("joins labels and expressions", () => {
    const selector = selectorFromLabelSelector({
      matchLabels: { b: "1" },
      matchExpressions: [
        { key: "a", operator: "NotIn", values: ["y", "x"] },
        { key: "c", operator: "DoesNotExist" },
      ],
    });
    expect(selector.toString()).toBe("a notin (x,y),b=1,!c");
    expect(selector.matches({ b: "1" })).toBe(true);
    expect(selector.matches({ b: "1", c: "" })).toBe(false);
  });

  it("names an unknown operator", () => {
    expect(() => selectorFromLabelSelector({ matchExpressions: [{ key: "a", operator: "in" }] })).toThrow(
      '"in" is not a valid label selector operator',
    );
  });

  it("takes a set as it is", () => {
    expect(selectorFromSet({ b: "2", a: "1" }).toString()).toBe("a=1,b=2");
    expect(selectorFromSet(undefined).empty).toBe(true);
  });
});
