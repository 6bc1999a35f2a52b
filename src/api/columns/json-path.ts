import { isObject } from "../describe/convert-metrics.js";

/** Finds values in an object; none where the path leads nowhere. */
export type JsonPath = (object: unknown) => readonly unknown[];

export class JsonPathError extends Error {
  override readonly name = "JsonPathError";
}

type Step =
  | { readonly type: "field"; readonly name: string }
  | { readonly type: "fields"; readonly names: readonly string[] }
  | { readonly type: "all" }
  | { readonly type: "descend" }
  | { readonly type: "slice"; readonly from?: number; readonly to?: number; readonly step?: number }
  | { readonly type: "index"; readonly index: number }
  | { readonly type: "filter"; readonly test: (item: unknown) => boolean };

/** The longest path that is parsed, and the most values that a search may visit: paths come from users. */
const maxLength = 4096;
const maxVisits = 100_000;

/**
 * Compiles a simple JSON path, as in `additionalPrinterColumns[].jsonPath`: `.spec.replicas`,
 * `.metadata.labels['a/b']`, `.status.conditions[?(@.type=="Ready")].status`, `.spec.ports[*].port`, `[-1]`, `[0:2]`,
 * `..name`. A leading `$` or the braces of kubectl are allowed. Throws JsonPathError for what is none.
 */
export function compileJsonPath(source: string): JsonPath {
  if (source.length > maxLength) throw new JsonPathError("the path is too long");
  const trimmed = source.trim();
  const text = trimmed.startsWith("{") && trimmed.endsWith("}") ? trimmed.slice(1, -1).trim() : trimmed;
  const steps = new Parser(text).parse();
  return (object) => evaluate(steps, object);
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): readonly Step[] {
    const steps: Step[] = [];
    if (this.#peek() === "$" || this.#peek() === "@") this.#at++;
    while (this.#at < this.#text.length) {
      if (this.#take("..")) {
        steps.push({ type: "descend" });
        if (this.#peek() !== "[") steps.push(this.#name());
      } else if (this.#take(".")) {
        if (this.#at < this.#text.length && this.#peek() !== "[") steps.push(this.#name());
      } else if (this.#take("[")) steps.push(this.#bracket());
      else if (steps.length === 0) steps.push(this.#name());
      else throw this.#wrong();
    }
    return steps;
  }

  #peek(): string {
    return this.#text.charAt(this.#at);
  }

  #take(expected: string): boolean {
    if (!this.#text.startsWith(expected, this.#at)) return false;
    this.#at += expected.length;
    return true;
  }

  #wrong(): JsonPathError {
    return new JsonPathError(`unexpected ${JSON.stringify(this.#peek() || "end")} at ${this.#at} of ${this.#text}`);
  }

  /** A field name after a dot; a backslash takes the next character as it is, so that names can have dots. */
  #name(): Step {
    if (this.#take("*")) return { type: "all" };
    let name = "";
    while (this.#at < this.#text.length && !/[.[\]\s(){}=<>!'"]/.test(this.#peek())) {
      if (this.#peek() === "\\") this.#at++;
      name += this.#peek();
      this.#at++;
    }
    if (name === "") throw this.#wrong();
    return { type: "field", name };
  }

  #bracket(): Step {
    const inner = this.#untilClosed();
    if (inner === "*") return { type: "all" };
    if (inner.startsWith("?(") && inner.endsWith(")")) return { type: "filter", test: filter(inner.slice(2, -1)) };
    if (/^-?\d+$/.test(inner)) return { type: "index", index: Number(inner) };
    const slice = /^(-?\d*):(-?\d*)(?::(\d+))?$/.exec(inner);
    if (slice !== null) {
      const [, from = "", to = "", step] = slice;
      return {
        type: "slice",
        ...(from === "" ? {} : { from: Number(from) }),
        ...(to === "" ? {} : { to: Number(to) }),
        ...(step === undefined ? {} : { step: Number(step) }),
      };
    }
    const names = [...inner.matchAll(/\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*(?:,|$)/gy)];
    if (names.length === 0 || names.reduce((length, [all]) => length + all.length, 0) !== inner.length) {
      throw new JsonPathError(`cannot read [${inner}] in ${this.#text}`);
    }
    return { type: "fields", names: names.map(([, a, b]) => (a ?? b ?? "").replace(/\\(.)/g, "$1")) };
  }

  #untilClosed(): string {
    const start = this.#at;
    let depth = 1;
    let quote = "";
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#peek();
      if (quote !== "") {
        if (char === "\\") this.#at++;
        else if (char === quote) quote = "";
      } else if (char === "'" || char === '"') quote = char;
      else if (char === "[") depth++;
      else if (char === "]" && --depth === 0) return this.#text.slice(start, this.#at++).trim();
    }
    throw new JsonPathError(`unclosed [ in ${this.#text}`);
  }
}

/** `@.type=="Ready"`, `@.port > 80`, `@.name`. */
function filter(source: string): (item: unknown) => boolean {
  const found = findOperator(source);
  if (found === undefined) {
    const exists = operand(source);
    return (item) => exists(item).length > 0;
  }
  const { operator, at } = found;
  const left = source.slice(0, at);
  const right = source.slice(at + operator.length);
  const a = operand(left);
  const b = operand(right);
  return (item) => {
    const x = a(item)[0];
    const y = b(item)[0];
    return x !== undefined && y !== undefined && compare(x, operator, y);
  };
}

const operators = ["==", "!=", "<=", ">=", "<", ">"];

/** The first comparison outside of quotes and brackets. */
function findOperator(source: string): { readonly operator: string; readonly at: number } | undefined {
  let quote = "";
  let depth = 0;
  for (let at = 0; at < source.length; at++) {
    const char = source.charAt(at);
    if (quote !== "") {
      if (char === quote) quote = "";
    } else if (char === "'" || char === '"') quote = char;
    else if (char === "[") depth++;
    else if (char === "]") depth--;
    else if (depth === 0) {
      const operator = operators.find((candidate) => source.startsWith(candidate, at));
      if (operator !== undefined) return { operator, at };
    }
  }
  return undefined;
}

function operand(source: string): JsonPath {
  const text = source.trim();
  if (text.startsWith("@") || text.startsWith("$")) return compileJsonPath(text);
  const quoted = /^(?:'([^']*)'|"([^"]*)")$/.exec(text);
  if (quoted !== null) return () => [quoted[1] ?? quoted[2]];
  if (text === "true" || text === "false") return () => [text === "true"];
  if (text !== "" && Number.isFinite(Number(text))) return () => [Number(text)];
  throw new JsonPathError(`cannot read ${text}`);
}

function compare(a: unknown, operator: string, b: unknown): boolean {
  if (operator === "==") return a === b;
  if (operator === "!=") return a !== b;
  if (!(typeof a === "number" && typeof b === "number") && !(typeof a === "string" && typeof b === "string")) {
    return false;
  }
  if (operator === "<") return a < b;
  if (operator === "<=") return a <= b;
  return operator === ">" ? a > b : a >= b;
}

function evaluate(steps: readonly Step[], object: unknown): readonly unknown[] {
  let values: readonly unknown[] = [object];
  for (const step of steps) values = values.slice(0, maxVisits).flatMap((value) => apply(step, value));
  return values;
}

function apply(step: Step, value: unknown): readonly unknown[] {
  switch (step.type) {
    case "field":
      return fieldOf(value, step.name);
    case "fields":
      return step.names.flatMap((name) => fieldOf(value, name));
    case "all":
      return childrenOf(value);
    case "descend":
      return descendants(value);
    case "index":
      return Array.isArray(value) ? value.slice(step.index, step.index === -1 ? undefined : step.index + 1) : [];
    case "slice":
      if (!Array.isArray(value)) return [];
      return value.slice(step.from, step.to).filter((_, index) => index % (step.step || 1) === 0);
    case "filter":
      return (Array.isArray(value) ? value : []).filter(step.test);
  }
}

function fieldOf(value: unknown, name: string): readonly unknown[] {
  return isObject(value) && Object.hasOwn(value, name) ? [value[name]] : [];
}

function childrenOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return isObject(value) ? Object.values(value) : [];
}

function descendants(value: unknown): readonly unknown[] {
  const found: unknown[] = [value];
  // A loop and no recursion: objects may be deep.
  for (let at = 0; at < found.length && found.length < maxVisits; at++) found.push(...childrenOf(found[at]));
  return found;
}
