import type { Environment } from "@marcbachmann/cel-js";
import { CompileError } from "../custom/cel/compile-errors.js";
import { compileProgram, type Program } from "../custom/cel/program.js";
import { type MessageLiteral, rewriteMessageLiterals } from "../custom/cel/rewrite-literals.js";
import { celTypeName } from "../custom/cel/type-names.js";
import { type AdmissionEnvironments, registerEscapeKey } from "./environments.js";
import { checkLiteral, registerMessages } from "./messages.js";

/** An expression, or why it cannot be compiled. */
export type CompiledExpression =
  | { readonly source: string; readonly program: Program; readonly error?: undefined }
  | { readonly source: string; readonly program?: undefined; readonly error: string };

export interface CompiledVariable {
  readonly name: string;
  readonly expression: CompiledExpression;
}

export interface CompileOptions {
  readonly authorizer: boolean;
  /** Types as cel-go names them; absent: any. */
  readonly returns?: readonly string[];
  /** Whether it may use `variables`. Absent: yes. */
  readonly composed?: boolean;
}

/** What `variables` is in expressions: computed when first looked at. */
export class VariablesValue {
  constructor(values: Iterable<readonly [name: string, compute: () => unknown]>) {
    for (const [name, compute] of values) Object.defineProperty(this, name, { get: compute, enumerable: true });
  }
}

const variablesType = "kubernetes.variables";

/** Compiles the expressions of one policy. Variables are added in order, and are seen by what is compiled after them. */
export class PolicyCompiler {
  readonly variables: CompiledVariable[] = [];
  readonly #environments: AdmissionEnvironments;
  readonly #params: boolean;
  readonly #types = new Map<string, string>();
  readonly #derived = new Map<string, Environment>();

  constructor(environments: AdmissionEnvironments, options: { readonly params: boolean }) {
    this.#environments = environments;
    this.#params = options.params;
  }

  addVariable(name: string, source: string): CompiledExpression {
    const expression = this.compile(source, { authorizer: true });
    this.#types.set(name, expression.program === undefined ? "dyn" : declarable(expression.program.type));
    this.variables.push({ name, expression });
    this.#derived.clear();
    return expression;
  }

  compile(source: string, options: CompileOptions): CompiledExpression {
    return this.#compile(source, this.#environment(options), options);
  }

  /** An expression that makes an apply configuration or JSON patches. */
  compileMutation(source: string, returns: "Object" | "list(JSONPatch)"): CompiledExpression {
    const options = { authorizer: true, returns: [returns] };
    const rewritten = rewriteMessageLiterals(source);
    const environment = this.#environment(options).clone();
    registerEscapeKey(environment);
    registerMessages(environment, rewritten.literals, ["Object", "JSONPatch"]);
    const wrong = firstWrong(rewritten.literals);
    if (wrong !== undefined) return { source, error: `compilation failed: ERROR: <input>:1:1: ${wrong}` };
    return this.#compile(source, environment, options, rewritten);
  }

  #compile(
    source: string,
    environment: Environment,
    { returns }: CompileOptions,
    rewritten?: Parameters<typeof compileProgram>[3],
  ): CompiledExpression {
    try {
      const program = compileProgram(environment, source, this.#environments.meter, rewritten);
      const type = celTypeName(program.type);
      if (returns === undefined || returns.includes(type)) return { source, program };
      const wanted = returns.length === 1 ? returns[0] : `one of [${returns.join(" ")}]`;
      return { source, error: `must evaluate to ${wanted} but got ${type}` };
    } catch (error) {
      if (!(error instanceof CompileError)) throw error;
      return { source, error: `compilation failed: ${error.message}` };
    }
  }

  #environment({ authorizer, composed = true }: CompileOptions): Environment {
    const key = `${authorizer} ${composed}`;
    let environment = this.#derived.get(key);
    if (environment === undefined) {
      environment = this.#environments.derive({ params: this.#params, authorizer });
      if (composed && this.#types.size > 0) {
        environment.registerType(variablesType, { ctor: VariablesValue, fields: Object.fromEntries(this.#types) });
        environment.registerVariable("variables", variablesType);
      }
      this.#derived.set(key, environment);
    }
    return environment;
  }
}

function firstWrong(literals: readonly MessageLiteral[]): string | undefined {
  for (const literal of literals) {
    const wrong = checkLiteral(literal);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

/** Types with open parameters, those of an empty list, cannot be those of a field. */
function declarable(type: string): string {
  return type.replace(/\b[A-Z]\b/g, "dyn");
}
