import { expect, test } from "vitest";
import { expand } from "./expand.js";

const known = new Map([
  ["A", "1"],
  ["B", "$(A)"],
  ["EMPTY", ""],
]);

test.each([
  ["plain text stays", "plain", "plain"],
  ["a variable is replaced", "x$(A)y", "x1y"],
  ["twice", "$(A)$(A)", "11"],
  ["what it holds is not expanded again", "$(B)", "$(A)"],
  ["an empty one vanishes", "[$(EMPTY)]", "[]"],
  ["an unknown one stays", "$(NONE)", "$(NONE)"],
  ["an escape begins nothing", "$$(A)", "$(A)"],
  ["an escape before a variable", "$$$(A)", "$1"],
  ["an open bracket stays", "$(A", "$(A"],
  ["a dollar at the end stays", "cost: 5$", "cost: 5$"],
  ["a dollar before something else stays", "$A $", "$A $"],
])("%s", (_name, text, expected) => {
  expect(expand(text, (name) => known.get(name))).toBe(expected);
});
