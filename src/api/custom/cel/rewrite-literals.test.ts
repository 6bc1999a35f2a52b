import { describe, expect, it } from "vitest";
import { rewriteMessageLiterals } from "./rewrite-literals.js";

describe("rewriteMessageLiterals", () => {
  const cases: readonly { readonly name: string; readonly source: string; readonly text: string }[] = [
    { name: "a literal", source: "Object{a: 1}", text: 'newMessage0({"a": 1})' },
    { name: "an empty one", source: "Object.spec { }", text: "newMessage0({})" },
    {
      name: "one in another",
      source: "Object{a: Object.a{b: 1}, c: 2}",
      text: 'newMessage0({"a": newMessage1({"b": 1}),"c": 2})',
    },
    {
      name: "those of a list",
      source: "[JSONPatch{op: 'add'}, JSONPatch{}]",
      text: "[newMessage0({\"op\": 'add'}), newMessage1({})]",
    },
    {
      name: "a map in one",
      source: "Object{a: {'b': 1, 'c': [2, 3]}}",
      text: "newMessage0({\"a\": {'b': 1, 'c': [2, 3]}})",
    },
    { name: "optional fields", source: "Object{?a: x.?b}", text: 'newMessage0({"a": x.?b})' },
    {
      name: "escaped and quoted field names",
      source: "Object{a__dash__b: 1, `c/d`: 2, __namespace__: 3}",
      text: 'newMessage0({"a-b": 1,"c/d": 2,"namespace": 3})',
    },
    {
      name: "conditions in one",
      source: "Object{a: x ? Object.a{} : y}",
      text: 'newMessage0({"a": x ? newMessage1({}) : y})',
    },
    {
      name: "none in text",
      source: "'Object{a: 1}' + r\"\\Object{\" + '''Object{'''",
      text: "'Object{a: 1}' + r\"\\Object{\" + '''Object{'''",
    },
    { name: "none behind a dot", source: "x.Object", text: "x.Object" },
    { name: "none of another name", source: "object{a: 1}", text: "object{a: 1}" },
    { name: "nothing where a bracket is missing", source: "Object{a: 1", text: "Object{a: 1" },
    { name: "nothing where a field has no value", source: "Object{a}", text: "Object{a}" },
  ];
  it.each(cases)("rewrites $name", ({ source, text }) => {
    expect(rewriteMessageLiterals(source).text).toBe(text);
  });

  it("knows where each place comes from", () => {
    const source = "Object{a: Object.a{b: nope}}";
    const { text, originalOffset } = rewriteMessageLiterals(source);
    expect(originalOffset(text.indexOf("nope"))).toBe(source.indexOf("nope"));
  });

  it("does not follow nesting without end", () => {
    const source = `${"Object{a: ".repeat(5000)}1${"}".repeat(5000)}`;
    expect(rewriteMessageLiterals(source).literals).toEqual([]);
  });
});
