import type { Environment } from "@marcbachmann/cel-js";
import type { CompiledExpression } from "../../../api/admission-cel/compiler.js";
import { declareRecord } from "../../../api/admission-cel/request-types.js";
import { isAstNode, walkAst } from "../../../api/custom/cel/ast.js";
import { Meter } from "../../../api/custom/cel/budget.js";
import { CompileError } from "../../../api/custom/cel/compile-errors.js";
import { dynamicValue } from "../../../api/custom/cel/dynamic.js";
import { celEnvironment, compileProgram } from "../../../api/custom/cel/program.js";
import { celTypeName } from "../../../api/custom/cel/type-names.js";
import type { UserInfo } from "../../../api/index.js";
import { AccessAnswers, costLimits, Evaluation } from "../../admission/policies/evaluation.js";

const userType = {
  name: "kubernetes.UserInfo",
  fields: { username: "string", uid: "string", groups: "list<string>", extra: "map<string, list<string>>" },
} as const;

export type Claims = { readonly [name: string]: unknown };

/** The language of authentication: expressions over `claims` and over `user`. */
export class AuthenticationExpressions {
  readonly #meter = new Meter();
  readonly #claims: Environment;
  readonly #user: Environment;
  readonly #userOf: (value: unknown) => unknown;

  constructor() {
    this.#claims = celEnvironment(this.#meter).registerVariable("claims", "map<string, dyn>");
    this.#user = celEnvironment(this.#meter);
    this.#userOf = declareRecord(this.#user, userType);
    this.#user.registerVariable("user", userType.name);
  }

  compile(source: string, over: "claims" | "user", returns?: "bool"): CompiledExpression {
    try {
      const program = compileProgram(over === "claims" ? this.#claims : this.#user, source, this.#meter);
      if (returns === undefined || celTypeName(program.type) === returns) return { source, program };
      return { source, error: `must evaluate to ${returns}` };
    } catch (error) {
      if (!(error instanceof CompileError)) throw error;
      return { source, error: `compilation failed: ${error.message}` };
    }
  }

  /** Evaluates expressions over the claims of one token. */
  overClaims(claims: Claims): Evaluation {
    return this.#evaluation({ claims: dynamicValue(claims) });
  }

  overUser({ username, uid = "", groups, extra = {} }: UserInfo): Evaluation {
    return this.#evaluation({ user: this.#userOf({ username, uid, groups, extra }) });
  }

  #evaluation(inputs: { readonly [name: string]: unknown }): Evaluation {
    const answers = new AccessAnswers(undefined, this.#meter);
    return new Evaluation(inputs, { meter: this.#meter, answers, variables: [], budget: costLimits.perPolicy });
  }
}

/** Whether an expression looks at a claim by its name: `claims.email`, `claims.?email`, `has(claims.email)`. */
export function usesClaim({ program }: CompiledExpression, claim: string): boolean {
  let found = false;
  const isName = (node: unknown): boolean =>
    node === claim || (isAstNode(node) && node.op === "value" && node.args === claim);
  walkAst(program?.ast, ({ op, args }) => {
    if ((op !== "." && op !== ".?") || !Array.isArray(args)) return;
    const [operand, name] = args;
    if (isAstNode(operand) && operand.op === "id" && operand.args === "claims" && isName(name)) found = true;
  });
  return found;
}
