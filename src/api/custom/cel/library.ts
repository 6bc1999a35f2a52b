import type { Environment } from "@marcbachmann/cel-js";
import { compileRegex, PatternError } from "../regex.js";
import { registerAddresses } from "./library-addresses.js";
import { registerFormats } from "./library-format.js";
import { registerLists } from "./library-lists.js";
import { registerQuantities } from "./library-quantities.js";

/** How `matches` is registered: the package's own uses a backtracking engine, so calls are renamed before they are checked. */
export const matchesFunction = "matchesRe2";

/** Adds a function by its signature. All are synchronous. */
export type Define = (signature: string, handler: (...values: never[]) => unknown) => void;

/** What Kubernetes adds to the language, and what the package lacks of it. */
export function registerLibrary(environment: Environment): void {
  const define: Define = (signature, handler) => {
    // The package's types do not know the third argument, which says that no result is a promise.
    const register = environment.registerFunction.bind(environment) as unknown as (
      signature: string,
      handler: unknown,
      options: { readonly async: boolean },
    ) => unknown;
    register(signature, handler, { async: false });
  };
  registerStrings(define);
  registerRegex(define);
  registerLists(define, environment);
  registerQuantities(define, environment);
  registerAddresses(define, environment);
  registerFormats(define, environment);
}

function registerStrings(define: Define): void {
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
  define("string.reverse(): string", (text: string) => [...text].reverse().join(""));
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

/** How many compiled patterns are kept: those of a few expressions, which loops ask for again and again. */
const maxPatterns = 100;

function registerRegex(define: Define): void {
  const known = new Map<string, ReturnType<typeof compileRegex>>();
  const regexOf = (pattern: string): ReturnType<typeof compileRegex> => {
    let regex = known.get(pattern);
    if (regex === undefined) {
      regex = compilePatternOf(pattern);
      if (known.size >= maxPatterns) known.clear();
      known.set(pattern, regex);
    }
    return regex;
  };
  const findAll = (text: string, pattern: string, limit: number): readonly string[] => {
    const matcher = regexOf(pattern).matcher(text);
    const found: string[] = [];
    while ((limit < 0 || found.length < limit) && matcher.find()) found.push(matcher.group() ?? "");
    return found;
  };
  const matches = (text: string, pattern: string): boolean => regexOf(pattern).matcher(text).find();
  define(`string.${matchesFunction}(string): bool`, matches);
  define(`${matchesFunction}(string, string): bool`, matches);
  define("string.find(string): string", (text: string, pattern: string) => findAll(text, pattern, 1)[0] ?? "");
  define("string.findAll(string): list<string>", (text: string, pattern: string) => findAll(text, pattern, -1));
  define("string.findAll(string, int): list<string>", (text: string, pattern: string, limit: bigint) =>
    findAll(text, pattern, Number(limit)),
  );
}

function compilePatternOf(pattern: string): ReturnType<typeof compileRegex> {
  try {
    return compileRegex(pattern);
  } catch (error) {
    if (error instanceof PatternError) throw new Error(error.message, { cause: error });
    throw error;
  }
}
