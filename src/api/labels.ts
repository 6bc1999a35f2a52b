import type { LabelSelector } from "./gen/types.js";
import { SelectorLexer, type SelectorToken } from "./label-lexer.js";
import { validateLabelValue, validateQualifiedName } from "./names.js";

export type LabelOperator = "in" | "notin" | "=" | "==" | "!=" | "exists" | "!" | "gt" | "lt";

/** One term of a selector. `values` are sorted and without duplicates. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

export type Labels = { readonly [key: string]: string };

/** A compiled label selector. Immutable; cheap to test, which the dispatch of watch events and the scheduler do often. */
export interface Selector {
  /** Whether every requirement holds. Absent labels are no labels. */
  matches(labels: Labels | undefined): boolean;
  /** Matches everything, because it requires nothing. */
  readonly empty: boolean;
  /** Matches nothing: what an absent LabelSelector stands for. */
  readonly nothing: boolean;
  /** By key, ascending. */
  readonly requirements: readonly LabelRequirement[];
  /** Canonical text, which parses to an equal selector (but `""` for `nothing`). */
  toString(): string;
}

/** A selector that cannot be read; the message is upstream's. */
export class SelectorError extends Error {
  override readonly name = "SelectorError";
}

/** Bounds on text that strangers send: a selector is tested against every object of a list. */
export const selectorLimits: { readonly textLength: number; readonly requirements: number; readonly values: number } = {
  textLength: 256 * 1024,
  requirements: 1000,
  values: 20_000,
};

type Test = (labels: Labels) => boolean;

const noLabels: Labels = Object.freeze(Object.create(null));

class CompiledSelector implements Selector {
  readonly requirements: readonly LabelRequirement[];
  readonly empty: boolean;
  readonly nothing: boolean;
  readonly #tests: readonly Test[];
  #text: string | undefined;

  constructor(requirements: readonly LabelRequirement[], nothing = false) {
    this.requirements = [...requirements].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    this.nothing = nothing;
    this.empty = !nothing && requirements.length === 0;
    this.#tests = this.requirements.map(compile);
  }

  matches(labels: Labels | undefined): boolean {
    if (this.nothing) return false;
    const given = labels ?? noLabels;
    for (const test of this.#tests) if (!test(given)) return false;
    return true;
  }

  toString(): string {
    this.#text ??= this.requirements.map(requirementText).join(",");
    return this.#text;
  }
}

/** Matches every object. */
export const everything: Selector = new CompiledSelector([]);
/** Matches no object. */
export const nothing: Selector = new CompiledSelector([], true);

/**
 * Reads the text form: `a=b,c!=d,e in (f,g),h notin (i),j,!k,x>1`. Empty text selects everything.
 * Throws SelectorError for what is not in the grammar, bad keys or values, or beyond `selectorLimits`.
 */
export function parseLabelSelector(text: string): Selector {
  if (text.length > selectorLimits.textLength) {
    throw new SelectorError(`label selector is too long: may not be more than ${selectorLimits.textLength} bytes`);
  }
  const requirements = new LabelSelectorParser(text).parse();
  return requirements.length === 0 ? everything : new CompiledSelector(requirements);
}

/**
 * The selector of an API field. Absent selects nothing, empty selects everything. Throws SelectorError for an unknown
 * operator, bad key or value.
 */
export function selectorFromLabelSelector(selector: LabelSelector | null | undefined): Selector {
  if (selector === undefined || selector === null) return nothing;
  const requirements: LabelRequirement[] = [];
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    requirements.push(newRequirement(key, "=", [value]));
  }
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    const compiled = operatorsOfExpressions.get(operator);
    if (compiled === undefined) {
      throw new SelectorError(`${JSON.stringify(operator)} is not a valid label selector operator`);
    }
    requirements.push(newRequirement(key, compiled, values ?? []));
  }
  return requirements.length === 0 ? everything : new CompiledSelector(requirements);
}

/** Every label given has the value given. Keys and values are not checked; no labels select everything. */
export function selectorFromSet(labels: Labels | undefined): Selector {
  const requirements = Object.entries(labels ?? {}).map(
    ([key, value]): LabelRequirement => ({ key, operator: "=", values: [value] }),
  );
  return requirements.length === 0 ? everything : new CompiledSelector(requirements);
}

/** A selector of its parts, checked as `parseLabelSelector` does. Throws SelectorError. */
export function selectorFromRequirements(requirements: readonly LabelRequirement[]): Selector {
  return new CompiledSelector(requirements.map(({ key, operator, values }) => newRequirement(key, operator, values)));
}

const operatorsOfExpressions: ReadonlyMap<string, LabelOperator> = new Map([
  ["In", "in"],
  ["NotIn", "notin"],
  ["Exists", "exists"],
  ["DoesNotExist", "!"],
]);

function newRequirement(key: string, operator: LabelOperator, given: readonly string[]): LabelRequirement {
  const errors: string[] = [];
  const keyErrors = validateQualifiedName(key);
  if (keyErrors.length > 0) errors.push(`key: Invalid value: ${JSON.stringify(key)}: ${keyErrors.join("; ")}`);
  const values = given.length < 2 ? given : [...new Set(given)].sort();
  const complaint = countComplaint(operator, values.length);
  if (complaint !== undefined) errors.push(`values: Invalid value: ${JSON.stringify(values)}: ${complaint}`);
  values.forEach((value, index) => {
    if ((operator === "gt" || operator === "lt") && parseInteger(value) === undefined) {
      const why = "for 'Gt', 'Lt' operators, the value must be an integer";
      errors.push(`values[${index}]: Invalid value: ${JSON.stringify(value)}: ${why}`);
    }
  });
  values.forEach((value, index) => {
    const valueErrors = validateLabelValue(value);
    if (valueErrors.length > 0) {
      errors.push(`values[${index}][${key}]: Invalid value: ${JSON.stringify(value)}: ${valueErrors.join("; ")}`);
    }
  });
  if (errors.length > 0) throw new SelectorError(errors.length === 1 ? errors[0] : `[${errors.join(", ")}]`);
  return { key, operator, values };
}

function countComplaint(operator: LabelOperator, count: number): string | undefined {
  switch (operator) {
    case "in":
    case "notin":
      return count === 0 ? "for 'in', 'notin' operators, values set can't be empty" : undefined;
    case "=":
    case "==":
    case "!=":
      return count !== 1 ? "exact-match compatibility requires one single value" : undefined;
    case "exists":
    case "!":
      return count !== 0 ? "values set must be empty for exists and does not exist" : undefined;
    case "gt":
    case "lt":
      return count !== 1 ? "for 'Gt', 'Lt' operators, exactly one value is required" : undefined;
  }
}

// An inherited property is never a string, so that asking for strings is enough.
function compile({ key, operator, values }: LabelRequirement): Test {
  const [only = ""] = values;
  switch (operator) {
    case "=":
    case "==":
      return (labels) => labels[key] === only;
    case "!=":
      return (labels) => labels[key] !== only;
    case "in":
    case "notin": {
      const set = new Set(values);
      const wanted = operator === "in";
      return (labels) => {
        const value: unknown = labels[key];
        return (typeof value === "string" && set.has(value)) === wanted;
      };
    }
    case "exists":
      return (labels) => typeof labels[key] === "string";
    case "!":
      return (labels) => typeof labels[key] !== "string";
    case "gt":
    case "lt": {
      const bound = parseInteger(only) ?? 0n;
      const greater = operator === "gt";
      return (labels) => {
        const text: unknown = labels[key];
        const value = typeof text === "string" ? parseInteger(text) : undefined;
        return value !== undefined && (greater ? value > bound : value < bound);
      };
    }
  }
}

function parseInteger(text: string): bigint | undefined {
  if (!/^[+-]?[0-9]{1,30}$/.test(text)) return undefined;
  const value = text.startsWith("+") ? BigInt(text.slice(1)) : BigInt(text);
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

function requirementText({ key, operator, values }: LabelRequirement): string {
  switch (operator) {
    case "exists":
      return key;
    case "!":
      return `!${key}`;
    case "in":
    case "notin":
      return `${key} ${operator} (${values.join(",")})`;
    case "gt":
      return `${key}>${values[0] ?? ""}`;
    case "lt":
      return `${key}<${values[0] ?? ""}`;
    default:
      return `${key}${operator}${values[0] ?? ""}`;
  }
}

/** Recursive descent over the tokens; the words `in` and `notin` are identifiers where a value may stand. */
class LabelSelectorParser {
  readonly #lexer: SelectorLexer;
  #valueCount = 0;

  constructor(text: string) {
    this.#lexer = new SelectorLexer(text);
  }

  parse(): LabelRequirement[] {
    const requirements: LabelRequirement[] = [];
    for (;;) {
      const next = this.#lexer.peek("values");
      if (next.type === "end") return requirements;
      if (next.type !== "identifier" && next.type !== "!") {
        throw new SelectorError(`found '${next.text}', expected: !, identifier, or 'end of string'`);
      }
      try {
        requirements.push(this.#requirement());
      } catch (error) {
        if (!(error instanceof SelectorError)) throw error;
        throw new SelectorError(`unable to parse requirement: ${error.message}`, { cause: error });
      }
      if (requirements.length > selectorLimits.requirements) {
        throw new SelectorError(`label selector has too many requirements: at most ${selectorLimits.requirements}`);
      }
      const separator = this.#lexer.next("values");
      if (separator.type === "end") return requirements;
      if (separator.type !== ",")
        throw new SelectorError(`found '${separator.text}', expected: ',' or 'end of string'`);
      const after = this.#lexer.peek("values");
      if (after.type !== "identifier" && after.type !== "!") {
        throw new SelectorError(`found '${after.text}', expected: identifier after ','`);
      }
    }
  }

  #requirement(): LabelRequirement {
    let token = this.#lexer.next("values");
    const negated = token.type === "!";
    if (negated) token = this.#lexer.next("values");
    if (token.type !== "identifier") throw new SelectorError(`found '${token.text}', expected: identifier`);
    const key = token.text;
    const errors = validateQualifiedName(key);
    // The nil path is upstream's.
    if (errors.length > 0) {
      throw new SelectorError(`<nil>: Invalid value: ${JSON.stringify(key)}: ${errors.join("; ")}`);
    }
    if (negated) return newRequirement(key, "!", []);
    const following = this.#lexer.peek("values");
    if (following.type === "end" || following.type === ",") return newRequirement(key, "exists", []);
    const operator = this.#operator();
    const values = operator === "in" || operator === "notin" ? this.#valueSet() : [this.#exactValue()];
    return newRequirement(key, operator, values);
  }

  #operator(): LabelOperator {
    const token = this.#lexer.next("operators");
    const operator = operatorTokens.get(token.type);
    if (operator === undefined) {
      throw new SelectorError(`found '${token.text}', expected: in, notin, =, ==, !=, gt, lt`);
    }
    return operator;
  }

  #exactValue(): string {
    const next = this.#lexer.peek("values");
    if (next.type === "end" || next.type === ",") return "";
    const token = this.#lexer.next("values");
    if (token.type !== "identifier") throw new SelectorError(`found '${token.text}', expected: identifier`);
    return token.text;
  }

  #valueSet(): readonly string[] {
    const open = this.#lexer.next("values");
    if (open.type !== "(") throw new SelectorError(`found '${open.text}' expected: '('`);
    const first = this.#lexer.peek("values");
    if (first.type === ")") {
      this.#lexer.next("values");
      return [];
    }
    if (first.type !== "identifier" && first.type !== ",") {
      throw new SelectorError(`found '${first.text}', expected: ',', ')' or identifier`);
    }
    const values = this.#identifiers();
    const close = this.#lexer.next("values");
    if (close.type !== ")") throw new SelectorError(`found '${first.text}', expected: ')'`);
    return values;
  }

  // An empty place between commas is the empty value.
  #identifiers(): string[] {
    const values: string[] = [];
    for (;;) {
      const token = this.#lexer.next("values");
      if (++this.#valueCount > selectorLimits.values) {
        throw new SelectorError(`label selector has too many values: at most ${selectorLimits.values}`);
      }
      if (token.type === "identifier") {
        values.push(token.text);
        const next = this.#lexer.peek("values");
        if (next.type === ")") return values;
        if (next.type !== ",") throw new SelectorError(`found '${next.text}', expected: ',' or ')'`);
      } else if (token.type === ",") {
        if (values.length === 0) values.push("");
        const next = this.#lexer.peek("values");
        if (next.type === ")") {
          values.push("");
          return values;
        }
        if (next.type === ",") {
          this.#lexer.next("values");
          values.push("");
        }
      } else {
        throw new SelectorError(`found '${token.text}', expected: ',', or identifier`);
      }
    }
  }
}

const operatorTokens: ReadonlyMap<SelectorToken["type"], LabelOperator> = new Map([
  ["in", "in"],
  ["notin", "notin"],
  ["=", "="],
  ["==", "=="],
  ["!=", "!="],
  [">", "gt"],
  ["<", "lt"],
]);
