import type { Environment } from "@marcbachmann/cel-js";
import { compileRegex } from "../regex.js";
import { type AstNode, isAstNode, walkAst } from "./ast.js";
import { matchesFunction } from "./library.js";
import { optionalElement } from "./rewrite-literals.js";
import { celTypeName } from "./type-names.js";

/** Why an expression cannot be compiled, with the places in its text, as cel-go prints it. */
export class CompileError extends Error {
  override readonly name = "CompileError";
}

/** What is parsed in the place of a source, and where a place of it comes from. */
export interface Rewritten {
  readonly text: string;
  readonly originalOffset: (offset: number) => number;
}

type Parsed = ReturnType<Environment["parse"]>;
type Checked = ReturnType<Parsed["check"]>;

interface PackageError {
  readonly code?: string;
  readonly summary?: string;
  readonly message?: string;
  readonly range?: { readonly start: number };
  readonly node?: unknown;
}

interface Placed {
  readonly at: number;
  /** Asked for when all types are known. */
  readonly text: () => string;
}

/** Nobody reads more. */
const mostErrors = 100;

/** Finds what is wrong with one expression. */
export class CompileErrors {
  readonly #environment: Environment;
  readonly #source: string;
  readonly #rewritten: Rewritten;

  constructor(environment: Environment, source: string, rewritten: Rewritten) {
    this.#environment = environment;
    this.#source = source;
    this.#rewritten = rewritten;
  }

  /** The error of a text that cannot be parsed. */
  syntax(cause: unknown): CompileError {
    const error: PackageError = typeof cause === "object" && cause !== null ? cause : {};
    const text = `Syntax error: ${syntaxWording(error)}`;
    return new CompileError(this.#shown({ at: error.range?.start ?? 0, text: () => text }), { cause });
  }

  /** Throws CompileError with all that the checker finds. */
  check(program: Parsed): Checked {
    const found: Placed[] = [];
    const [alien] = aliens(program.ast);
    if (alien !== undefined) {
      throw new CompileError(this.#shown({ at: placeOf(alien, this.#rewritten.text), text: () => undeclared("cel") }));
    }
    let checked = program.check();
    while (!checked.valid && found.length < mostErrors) {
      const node = this.#add(checked.error, program.ast, found);
      // What is wrong is taken for something of which nobody knows the type, so that the rest can be checked too.
      if (node === undefined) break;
      Object.defineProperty(node, "checkedType", { value: this.#dyn(), writable: true, configurable: true });
      checked = program.check();
    }
    if (found.length === 0) mixedLiterals(program.ast, found);
    if (found.length === 0) wrongLiterals(program.ast, found);
    if (found.length === 0) return checked;
    const shown = found.toSorted((a, b) => a.at - b.at).map((error) => this.#shown(error));
    throw new CompileError(shown.join("\n"), { cause: checked.error });
  }

  /** Gives the node to blame; undefined when nobody knows. */
  #add(error: unknown, root: unknown, found: Placed[]): AstNode | undefined {
    const known: PackageError = typeof error === "object" && error !== null ? error : {};
    const { node, code } = known;
    if (!isAstNode(node)) {
      found.push({ at: known.range?.start ?? 0, text: () => known.summary ?? known.message ?? "" });
      return undefined;
    }
    if (code === "invalid_condition_type") {
      // It is the conditional that does not fit, and its other operands are not checked yet.
      const conditional = conditionalOf(node, root);
      const type = typesOf([node]);
      const text = (): string => noOverload("_?_:_", `(${type}, ${typesOf(operandsOf(conditional).slice(1))})`);
      found.push({ at: placeOf(conditional, this.#rewritten.text), text });
    } else if (!isForeign(node)) {
      const text = this.#wording(known, node);
      found.push({ at: placeOf(node, this.#rewritten.text), text: () => text });
    }
    return node;
  }

  #dyn(): unknown {
    const program = this.#environment.parse("dyn(0)");
    program.check();
    return (program.ast as { readonly checkedType?: unknown }).checkedType;
  }

  /** The package's words in those of cel-go, where clients may look for them. */
  #wording({ code, summary = "" }: PackageError, node: AstNode): string {
    const quoted = summary.replace(/^[^:]*: /, "");
    switch (code) {
      case "unknown_variable":
        return undeclared(quoted);
      case "no_such_key":
        return `undefined field '${quoted}'`;
      case "cannot_index_type":
        return `type '${typesOf([operandsOf(node)[0]])}' does not support field selection`;
      case "invalid_comprehension_range":
        return `expression of type '${typesOf([node])}' cannot be range of a comprehension (must be list, map, or dynamic)`;
      case "invalid_macro_argument":
        return "invalid argument to has() macro";
      case "no_such_overload":
      case "no_matching_overload":
      case "invalid_logical_operand":
      case "incompatible_ternary_branches":
        return this.#overload(node);
      default:
        return summary.replace(/\bobject_\d+\b/g, "object");
    }
  }

  #overload(node: AstNode): string {
    const operands = operandsOf(node);
    const name = String(operands[0]);
    if (node.op === "call" || node.op === "rcall") {
      if (!this.#isFunction(name)) return undeclared(name);
      const args = typesOf(operands.at(-1));
      if (name === optionalElement) return `expected type 'optional_type(${args})' but found '${args}'`;
      const applied = node.op === "call" ? `(${args})` : `${typesOf([operands[1]])}.(${args})`;
      return noOverload(name === matchesFunction ? "matches" : name, applied);
    }
    return noOverload(operatorNames.get(node.op) ?? `_${node.op}_`, `(${typesOf(operands)})`);
  }

  #isFunction(name: string): boolean {
    return this.#environment.getDefinitions().functions.some((known) => known.name === name);
  }

  #shown({ at, text }: Placed): string {
    const source = this.#source;
    const found = Math.min(this.#rewritten.originalOffset(at), source.length);
    const before = source.slice(0, found).split("\n");
    const line = source.split("\n")[before.length - 1] ?? "";
    const column = before.at(-1)?.length ?? 0;
    return `ERROR: <input>:${before.length}:${column + 1}: ${text()}\n | ${line}\n | ${".".repeat(column)}^`;
  }
}

/** What the package knows and nobody else: the macro `cel.bind`. */
function aliens(root: unknown): readonly AstNode[] {
  const found: AstNode[] = [];
  walkAst(root, (node) => {
    if (node.op === "id" && node.args === "cel") found.push(node);
  });
  return found;
}

/** Functions of the authorizer, which all expressions know, but only some have the variable for. */
const authorizerFunctions: ReadonlySet<string> = new Set([
  "path",
  "group",
  "serviceAccount",
  "resource",
  "subresource",
  "namespace",
  "name",
  "fieldSelector",
  "labelSelector",
  "check",
  "allowed",
  "reason",
  "errored",
  "error",
]);

function isForeign(node: AstNode): boolean {
  const [name, receiver] = operandsOf(node);
  if (node.op !== "rcall" || !authorizerFunctions.has(String(name))) return false;
  return isAstNode(receiver) && receiver.checkedType?.name === "dyn";
}

const operatorNames: ReadonlyMap<string, string> = new Map([
  ["in", "@in"],
  ["?:", "_?_:_"],
  ["!_", "!_"],
  ["-_", "-_"],
  ["[]", "_[_]"],
]);

function undeclared(name: string): string {
  return `undeclared reference to '${name}' (in container '')`;
}

function noOverload(name: string, applied: string): string {
  return `found no matching overload for '${name}' applied to '${applied}'`;
}

const primary =
  "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

function syntaxWording({ code, summary = "", message = "" }: PackageError): string {
  if (code === "unexpected_token" && summary.endsWith(": EOF")) return `mismatched input '<EOF>' expecting ${primary}`;
  const [, character] = /^Unexpected character: '(.*)'$/s.exec(summary) ?? [];
  if (code === "unexpected_character" && character !== undefined) {
    return `extraneous input '${character}' expecting <EOF>`;
  }
  return summary === "" ? message : summary;
}

function conditionalOf(condition: AstNode, root: unknown): AstNode {
  let conditional = condition;
  walkAst(root, (other) => {
    if (other.op === "?:" && operandsOf(other)[0] === condition) conditional = other;
  });
  return conditional;
}

function operandsOf({ args }: AstNode): readonly unknown[] {
  return Array.isArray(args) ? args : [args];
}

function typesOf(nodes: unknown): string {
  const types = Array.isArray(nodes)
    ? nodes.filter(isAstNode).map(({ checkedType }) => checkedType?.name ?? "dyn")
    : [];
  return types.map((type) => celTypeName(type.replace(/\bobject_\d+\b/g, "object"))).join(", ");
}

/** Where cel-go says that a node is: an operator, the dot before a field, the parenthesis of a call. */
function placeOf(node: AstNode, text: string): number {
  const [first, second] = operandsOf(node);
  const after = isAstNode(first) ? (first.end ?? 0) : 0;
  switch (node.op) {
    case "call":
      return found(text, "(", node.start ?? 0);
    case "rcall":
      return found(text, "(", isAstNode(second) ? found(text, String(first), second.end ?? 0) : 0);
    case ".":
    case ".?":
      return found(text, ".", after);
    case "[]":
    case "[?]":
      return found(text, "[", after);
    case "?:":
      return found(text, "?", after);
    case "value":
    case "id":
    case "list":
    case "map":
    case "!_":
    case "-_":
      return node.start ?? 0;
    default:
      return isAstNode(first) ? found(text, node.op, after) : (node.start ?? 0);
  }
}

function found(text: string, part: string, from: number): number {
  const at = text.indexOf(part === matchesFunction ? "matches" : part, from);
  return at < 0 ? from : at;
}

interface ElementType {
  readonly name: string;
  readonly hasDynType?: boolean;
  readonly hasPlaceholderType?: boolean;
}

/** All items of a list, and all keys and all values of a map, that an expression writes down must have one type. */
function mixedLiterals(root: unknown, errors: Placed[]): void {
  const check = (nodes: readonly unknown[]): void => {
    let expected: ElementType | undefined;
    for (const node of nodes) {
      const type: ElementType | undefined = isAstNode(node) ? node.checkedType : undefined;
      if (!isAstNode(node) || type === undefined || type.hasPlaceholderType === true) continue;
      // Beside something of which nobody knows the type everything may stand.
      if (type.hasDynType === true) return;
      expected ??= type;
      if (expected === type || type.name === "null" || expected.name === "null") continue;
      const text = `expected type '${celTypeName(expected.name)}' but found '${celTypeName(type.name)}'`;
      errors.push({ at: node.start ?? 0, text: () => text });
    }
  };
  // What a message is made of: a map for us, fields of their own types for everybody else.
  const messages = new Set<unknown>();
  walkAst(root, ({ op, args }) => {
    if (op !== "call" || !Array.isArray(args) || !/^newMessage\d+$/.test(String(args[0]))) return;
    for (const argument of args[1]) messages.add(argument);
  });
  walkAst(root, (node) => {
    const { op, args } = node;
    if (messages.has(node)) return;
    if (op === "list" && Array.isArray(args)) check(args);
    if (op !== "map" || !Array.isArray(args)) return;
    for (const side of [0, 1]) check(args.map((entry: unknown) => (Array.isArray(entry) ? entry[side] : undefined)));
  });
}

const duration = /^[-+]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)$/;
const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** By the function: whether it takes a text that stands in the expression. */
const takes: ReadonlyMap<string, (text: string) => boolean> = new Map([
  ["duration", (text: string) => duration.test(text)],
  ["timestamp", (text: string) => timestamp.test(text) && !Number.isNaN(Date.parse(text))],
  [matchesFunction, isPattern],
]);

function isPattern(text: string): boolean {
  try {
    compileRegex(text);
    return true;
  } catch {
    return false;
  }
}

/** Durations, times and patterns that an expression writes down and that are none. */
function wrongLiterals(root: unknown, errors: Placed[]): void {
  walkAst(root, ({ op, args }) => {
    if ((op !== "call" && op !== "rcall") || !Array.isArray(args)) return;
    const [name, ...rest] = args;
    const literal: unknown = rest.at(-1)?.at(-1);
    if (!isAstNode(literal) || literal.op !== "value" || typeof literal.args !== "string") return;
    if (takes.get(name)?.(literal.args) !== false) return;
    const text = `invalid ${name === matchesFunction ? "matches" : name} argument`;
    errors.push({ at: literal.start ?? 0, text: () => text });
  });
}
