import { Optional } from "@marcbachmann/cel-js";
import { type AstNode, type Context, type Evaluator, isAstNode } from "./ast.js";

interface FieldType {
  fieldLazy(object: unknown, key: unknown, node: AstNode, evaluator: Evaluator): unknown;
}

interface Reading extends Evaluator {
  debugType(value: unknown): FieldType;
}

interface Checker {
  check(node: AstNode, context: Context): unknown;
  getType(name: string): unknown;
  createError(code: string, message: string, node: AstNode): Error;
}

/** `has(a.b)` as a macro of a node. Where the package takes only a path of names, the operand before the last dot may be any expression. */
export interface Has {
  readonly tested: AstNode;
  readonly operand: AstNode;
  readonly typeCheck: (checker: Checker, macro: Has, context: Context) => unknown;
  readonly evaluate: (evaluator: Evaluator, macro: Has, context: Context) => boolean;
}

export function isHas(macro: unknown): macro is Has {
  return typeof macro === "object" && macro !== null && "tested" in macro;
}

/** Makes a call of `has` one that takes every operand. */
export function replaceHas(node: AstNode): void {
  if (node.op !== "call" || node.meta.macro === undefined || !Array.isArray(node.args) || node.args[0] !== "has")
    return;
  const [tested]: unknown[] = Array.isArray(node.args[1]) ? node.args[1] : [];
  if (!isAstNode(tested) || tested.op !== "." || !Array.isArray(tested.args) || !isAstNode(tested.args[0])) return;
  const has: Has = {
    tested,
    operand: tested.args[0],
    typeCheck,
    evaluate: (evaluator, macro, context) => isThere(evaluator, macro, evaluator.run(macro.operand, context)),
  };
  node.setMeta("macro", has);
}

function typeCheck(checker: Checker, { tested }: Has, context: Context): unknown {
  checker.check(tested, context);
  return checker.getType("bool");
}

/** Whether the tested field is in the value of the operand. */
export function isThere(evaluator: Evaluator, { tested }: Has, object: unknown): boolean {
  const [, field]: unknown[] = Array.isArray(tested.args) ? tested.args : [];
  const found = (evaluator as Reading).debugType(object).fieldLazy(object, field, tested, evaluator);
  return found instanceof Optional ? found.hasValue() : found !== undefined;
}
