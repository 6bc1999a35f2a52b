/** How a node of a checked expression is evaluated. `evaluator` and `context` are the package's own. */
export type Evaluate = (this: unknown, evaluator: Evaluator, node: unknown, context: Context) => unknown;

/** The parts of the package's evaluator that are used here. */
export interface Evaluator {
  run(node: unknown, context: Context): unknown;
  debugRuntimeType(value: unknown): unknown;
  createError(code: string, message: string, node: unknown): Error;
}

/** Where the names of an expression get their values. Those of loops are kept by the expression and used again by every run of it. */
export interface Context {
  accuValue: unknown;
  /** Makes `reuse` give a new context. */
  async?: boolean;
  forkWithVariable(name: string, type: unknown): Context;
  reuse(parent: Context): Context;
  setIterValue(value: unknown, evaluator: Evaluator): Context;
}

/** A node of a parsed expression, as far as this folder goes into it. */
export interface AstNode {
  readonly op: string;
  args: unknown;
  readonly meta: { readonly alternate?: unknown; readonly macro?: unknown; readonly evaluate: Evaluate };
  evaluate: Evaluate;
  readonly start?: number;
  readonly end?: number;
  checkedType?: { readonly name: string } | undefined;
  /** After the check: what is done with the values of the operands. */
  handle?: (...values: never[]) => unknown;
  setMeta(key: string, value: unknown): void;
}

export function isAstNode(value: unknown): value is AstNode {
  return typeof value === "object" && value !== null && "op" in value && "args" in value && "meta" in value;
}

/** Calls `visit` with every node, each once, after those below it: also those that macros are made into. */
export function walkAst(root: unknown, visit: (node: AstNode) => void): void {
  const seen = new Set<unknown>();
  const enter = (value: unknown): void => {
    if (typeof value !== "object" || value === null || seen.has(value)) return;
    seen.add(value);
    for (const part of partsOf(value)) enter(part);
    if (isAstNode(value)) visit(value);
  };
  enter(root);
}

/** What is directly within a node or a part of one: nodes, lists and plain objects of nodes, and what is neither. */
export function partsOf(value: object): readonly unknown[] {
  if (isAstNode(value)) return [value.args, value.meta.alternate, value.meta.macro];
  if (Array.isArray(value)) return value;
  return Object.getPrototypeOf(value) === Object.prototype ? Object.values(value) : [];
}

/** A loop over one variable, which `all`, `exists`, `exists_one`, `map` and `filter` are made into. */
export interface Comprehension {
  readonly kind?: string;
  readonly errorsAreFatal: boolean;
  readonly iterable: AstNode;
  readonly iterVarName: string;
  readonly init: AstNode;
  readonly step: AstNode;
  readonly condition?: (accu: unknown) => boolean;
  readonly result: (accu: unknown) => unknown;
  readonly iterCtx: Context;
}

export function isComprehension(args: unknown): args is Comprehension {
  return typeof args === "object" && args !== null && "iterable" in args && "step" in args && "iterVarName" in args;
}

/** Puts something around the evaluation of a checked node, which would else choose by itself, when it first runs, how it is evaluated. */
export function aroundEvaluation(node: AstNode, wrap: (inner: Evaluate) => Evaluate): void {
  const { alternate, macro, evaluate } = node.meta;
  const { evaluate: own } = Object.hasOwn(node, "evaluate") ? node : { evaluate };
  let inner: Evaluate = own;
  if (own === evaluate && isAstNode(alternate)) inner = (evaluator, _, context) => evaluator.run(alternate, context);
  else if (own === evaluate && isMacro(macro)) {
    inner = (evaluator, _, context) => macro.evaluate.call(node, evaluator, macro, context);
  }
  node.evaluate = wrap(inner);
}

function isMacro(macro: unknown): macro is { readonly evaluate: Evaluate } {
  return typeof macro === "object" && macro !== null && "evaluate" in macro;
}
