import type { Environment } from "@marcbachmann/cel-js";
import { compileRegex, PatternError } from "../regex.js";
import type { Meter } from "./budget.js";
import { registerAddresses } from "./library-addresses.js";
import { registerExtendedLists } from "./library-ext-lists.js";
import { registerFormats } from "./library-format.js";
import { registerLists } from "./library-lists.js";
import { registerOptionals } from "./library-optionals.js";
import { registerQuantities } from "./library-quantities.js";
import { registerSemver } from "./library-semver.js";
import { registerTwoVariables } from "./library-two-variables.js";

/** How `matches` is registered: the package's own uses a backtracking engine, so calls are renamed before they are checked. */
export const matchesFunction = "matchesRe2";

/** Adds a function by its signature. All are synchronous. What a call costs is in costs.ts, by the function's name. */
export type Define = (signature: string, handler: (...values: never[]) => unknown) => void;

/** What Kubernetes adds to the language, and what the package lacks of it. Calls pay to `meter`. */
export function registerLibrary(environment: Environment, meter: Meter): void {
  const define = definer(environment);
  registerStrings(define, environment);
  registerRegex(define, meter);
  registerLists(define, environment);
  registerExtendedLists(define, environment, meter);
  registerOptionals(define, environment, meter);
  registerQuantities(define, environment);
  registerSemver(define, environment);
  registerTwoVariables(define, meter);
  registerAddresses(define, environment);
  registerFormats(define, environment);
}

/** Adds synchronous functions to an environment. */
export function definer(environment: Environment): Define {
  // The package's types do not know the third argument, which says that no result is a promise.
  const register = environment.registerFunction.bind(environment) as unknown as (
    signature: string,
    handler: unknown,
    options: { readonly async: boolean },
  ) => unknown;
  return (signature, handler) => {
    register(signature, handler, { async: false });
  };
}

function registerStrings(define: Define, environment: Environment): void {
  define("string.charAt(int): string", (text: string, index: bigint) => {
    const runes = [...text];
    const at = Number(index);
    if (at < 0 || at > runes.length) throw new Error(`index out of range: ${index}`);
    return runes[at] ?? "";
  });
  define("string.replace(string, string): string", (text: string, from: string, to: string) =>
    replace(text, from, to, -1),
  );
  define("string.replace(string, string, int): string", (text: string, from: string, to: string, limit: bigint) =>
    replace(text, from, to, Number(limit)),
  );
  environment.registerType("StringsNamespace", StringsNamespace);
  environment.registerConstant("strings", "StringsNamespace", new StringsNamespace());
  define("StringsNamespace.quote(string): string", (_: unknown, text: string) => quoted(text));
}

class StringsNamespace {}

const escapes: ReadonlyMap<string, string> = new Map([
  ["\u0007", "\\a"],
  ["\b", "\\b"],
  ["\f", "\\f"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\v", "\\v"],
  ["\\", "\\\\"],
  ['"', '\\"'],
]);

function quoted(text: string): string {
  return `"${[...text].map((character) => escapes.get(character) ?? character).join("")}"`;
}

/** The longest text that one call may make. */
const maxText = 10_000_000;

function replace(text: string, from: string, to: string, limit: number): string {
  const parts = text.split(from);
  const count = limit < 0 ? parts.length - 1 : Math.min(limit, parts.length - 1);
  if (text.length + count * to.length > maxText) throw new Error("the text is too long");
  return (
    parts.slice(0, count + 1).join(to) +
    parts
      .slice(count + 1)
      .map((part) => from + part)
      .join("")
  );
}

type Regex = ReturnType<typeof compileRegex>;

/** How many compiled patterns one schema keeps: most rules have one that never changes. */
const maxPatterns = 64;

/** What it costs to compile a pattern that was not there before, which takes far longer than to use it. */
const compileCost = 200;

function registerRegex(define: Define, meter: Meter): void {
  const known = new Map<string, Regex>();
  const regexOf = (pattern: string): Regex => {
    const regex = known.get(pattern) ?? compiled(pattern, meter);
    if (known.size >= maxPatterns) known.clear();
    known.set(pattern, regex);
    return regex;
  };
  const matches = (text: string, pattern: string): boolean => regexOf(pattern).test(text);
  const findAll = (text: string, pattern: string, limit: number): readonly string[] => {
    const matcher = regexOf(pattern).matcher(text);
    const found: string[] = [];
    while ((limit < 0 || found.length < limit) && matcher.find()) found.push(matcher.group() ?? "");
    return found;
  };
  const find = (text: string, pattern: string): string => findAll(text, pattern, 1)[0] ?? "";
  const all = (text: string, pattern: string): readonly string[] => findAll(text, pattern, -1);
  const some = (text: string, pattern: string, limit: bigint): readonly string[] =>
    findAll(text, pattern, Number(limit));
  define(`string.${matchesFunction}(string): bool`, matches);
  define(`${matchesFunction}(string, string): bool`, matches);
  define("string.find(string): string", find);
  define("string.findAll(string): list<string>", all);
  define("string.findAll(string, int): list<string>", some);
}

function compiled(pattern: string, meter: Meter): Regex {
  meter.spend(compileCost + pattern.length);
  try {
    return compileRegex(pattern);
  } catch (error) {
    if (error instanceof PatternError) throw new Error(error.message, { cause: error });
    throw error;
  }
}
