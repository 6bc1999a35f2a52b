import { Environment } from "@marcbachmann/cel-js";
import { type AstNode, instrument, isAstNode, type Meter, walkAst } from "./budget.js";
import { matchesFunction, registerLibrary } from "./library.js";

export type Variables = { readonly [name: string]: unknown };

export interface Program {
  readonly usesOldSelf: boolean;
  /** Of the result: `bool`, `string`, `dyn`. */
  readonly type: string;
  readonly ast: unknown;
  /** Throws what the expression throws, and BudgetExceeded. */
  run(variables: Variables): unknown;
}

/** Why an expression cannot be compiled, with the place in its text, as cel-go prints it. */
export class CompileError extends Error {
  override readonly name = "CompileError";
}

/** Longer ones are refused before they are parsed. */
const maxLength = 65_536;

/** The language as Kubernetes has it, with nothing declared. What its functions cost is paid to `meter`. */
export function celEnvironment(meter: Meter): Environment {
  const environment = new Environment({
    enableOptionalTypes: true,
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: 20_000, maxDepth: 200 },
  });
  registerLibrary(environment, meter);
  return environment;
}

/** What is parsed in the place of a source, and where a place of it comes from. */
export interface Rewritten {
  readonly text: string;
  readonly originalOffset: (offset: number) => number;
}

/** Throws CompileError. */
export function compileProgram(
  environment: Environment,
  source: string,
  meter: Meter,
  rewritten: Rewritten = { text: source, originalOffset: (offset) => offset },
): Program {
  if (source.length > maxLength) throw new CompileError("ERROR: <input>:-1:0: expression is too long");
  const { originalOffset } = rewritten;
  let program: ReturnType<Environment["parse"]>;
  try {
    program = environment.parse(rewritten.text);
  } catch (error) {
    throw compileError(source, error, "Syntax error: ", originalOffset);
  }
  let usesOldSelf = false;
  walkAst(program.ast, (node) => {
    if (node.op === "id" && node.args === "oldSelf") usesOldSelf = true;
    renameMatches(node);
  });
  const checked = program.check();
  if (!checked.valid) throw compileError(source, checked.error, "", originalOffset);
  instrument(program.ast, meter);
  return { usesOldSelf, type: checked.type ?? "dyn", ast: program.ast, run: (variables) => program(variables) };
}

/** `matches` of the package backtracks; ours is RE2. */
function renameMatches(node: AstNode): void {
  if ((node.op !== "rcall" && node.op !== "call") || !Array.isArray(node.args) || node.args[0] !== "matches") return;
  node.args = [matchesFunction, ...node.args.slice(1)];
}

interface PackageError {
  readonly code?: string;
  readonly summary?: string;
  readonly message?: string;
  readonly range?: { readonly start: number };
  readonly node?: unknown;
}

function compileError(
  source: string,
  cause: unknown,
  prefix: string,
  originalOffset: Rewritten["originalOffset"],
): CompileError {
  const error: PackageError = typeof cause === "object" && cause !== null ? cause : {};
  const found = Math.min(originalOffset(error.range?.start ?? 0), source.length);
  // cel-go points to the dot before a field, not to its name.
  const at = error.code === "no_such_key" && source[found - 1] === "." ? found - 1 : found;
  const before = source.slice(0, at).split("\n");
  const line = source.split("\n")[before.length - 1] ?? "";
  const column = before.at(-1)?.length ?? 0;
  const text = `${prefix}${wording(error)}`;
  return new CompileError(
    `ERROR: <input>:${before.length}:${column + 1}: ${text}\n | ${line}\n | ${".".repeat(column)}^`,
    { cause },
  );
}

/** The package's words in those of cel-go, where clients may look for them. */
function wording({ code, summary, message, node }: PackageError): string {
  const text = (summary ?? message ?? "").replaceAll(matchesFunction, "matches").replace(/\bobject_\d+\b/g, "object");
  if (code === "unknown_variable") {
    return `undeclared reference to '${text.replace("Unknown variable: ", "")}' (in container '')`;
  }
  if (code === "no_such_key") return `undefined field '${text.replace("No such key: ", "")}'`;
  const operator = /^no such overload: (.+) ([^ ]+) (.+)$/.exec(text);
  if (code === "no_such_overload" && operator !== null) {
    return `found no matching overload for '_${operator[2]}_' applied to '(${operator[1]}, ${operator[3]})'`;
  }
  if (code === "no_matching_overload") return callWording(text, node);
  return text;
}

function callWording(text: string, node: unknown): string {
  const call = /^found no matching overload for '(?:(.+)\.)?([A-Za-z_]+)\((.*)\)'$/.exec(text);
  if (call === null || !isAstNode(node)) return text;
  const [, receiver, name, args = ""] = call;
  const applied = receiver === undefined ? `(${args})` : `${receiver}.(${args})`;
  return `found no matching overload for '${name}' applied to '${applied}'`;
}
