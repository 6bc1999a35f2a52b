import { expect, test } from "vitest";
import { parseEnvFile } from "./env-file.js";

test.each([
  ["one and another", "A='1'\nB='two words'", { A: "1", B: "two words" }],
  ["the last one of a name", "A='1'\nA='2'\n", { A: "2" }],
  ["nothing is replaced between quotes", "A='$(B) \\n \"x\" # y'", { A: '$(B) \\n "x" # y' }],
  ["several lines", "A='1\n2'\nB=''\n", { A: "1\n2", B: "" }],
  ["comments and empty lines", "# A='0'\n\n  A='1' # one\n \t\n", { A: "1" }],
  ["names with dots", "a.b-c='1'", { "a.b-c": "1" }],
  ["an empty file", "", {}],
])("%s", (_, text, expected) => {
  expect(Object.fromEntries(parseEnvFile(text))).toEqual(expected);
});

test.each([
  ["no quotes", "A=1", 1],
  ["double quotes", "A='1'\nB=\"2\"", 2],
  ["an open quote", "A='1", 1],
  ["something behind", "\nA='1' B='2'", 2],
  ["no name", "='1'", 1],
  ["no value", "A", 1],
])("%s is an error", (_, text, line) => {
  expect(() => parseEnvFile(text)).toThrow(`line ${line} is not of the form NAME='value'`);
});
