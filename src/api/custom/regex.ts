import { RE2JS, RE2JSException } from "re2js";

export type Pattern = (text: string) => boolean;

export class PatternError extends Error {
  override readonly name = "PatternError";
}

/** Patterns come from users, so none may be long: a program of RE2 grows with its repetitions. */
const maxLength = 10_000;

/** Compiles a pattern in RE2's syntax, which never backtracks. Throws PatternError, with Go's words, for one that is none. */
export function compileRegex(pattern: string): RE2JS {
  if (pattern.length > maxLength) throw new PatternError("error parsing regexp: expression too large");
  try {
    return RE2JS.compile(pattern);
  } catch (cause) {
    const message = cause instanceof RE2JSException || cause instanceof Error ? cause.message : String(cause);
    throw new PatternError(message, { cause });
  }
}

/** Whether the pattern is found anywhere in a text. */
export function compilePattern(pattern: string): Pattern {
  const regex = compileRegex(pattern);
  return (text) => regex.test(text);
}
