/** Ends an evaluation. One per meter and without work to make, because loops may catch it once for every item that is left. */
export class BudgetExceeded extends Error {
  override readonly name = "BudgetExceeded";
}

/**
 * Counts what evaluations cost, in steps of the expression (as upstream does: an access or a call is one, a text a tenth of its length).
 * Evaluations are synchronous, so one meter serves all expressions of a schema in turn.
 */
export class Meter {
  readonly #exceeded = new BudgetExceeded("operation cancelled: actual cost limit exceeded");
  readonly #interrupted = new BudgetExceeded("operation interrupted");
  readonly #now: (() => number) | undefined;
  #left = 0;
  #started = 0;
  /** When `left` is below this it is time to look at the clock. */
  #look = Number.NEGATIVE_INFINITY;

  /** With a clock, in milliseconds, an evaluation also ends when it has taken too long for everybody else. */
  constructor(now?: () => number) {
    this.#now = now;
  }

  get left(): number {
    return this.#left;
  }

  /** Begins an evaluation. */
  reset(budget: number): void {
    if (this.#now !== undefined) this.#started = this.#now();
    this.resume(budget);
  }

  /** Goes on within an evaluation with another budget. */
  resume(budget: number): void {
    this.#left = budget;
    if (this.#now !== undefined) this.#look = budget - lookEvery;
  }

  /** Throws BudgetExceeded when there is nothing left. */
  spend(cost: number): void {
    this.#left -= cost;
    if (this.#left < 0) throw this.#exceeded;
    if (this.#left < this.#look) this.#lookAtClock();
  }

  #lookAtClock(): void {
    this.#look = this.#left - lookEvery;
    if (this.#now === undefined || this.#now() - this.#started <= maxMs) return;
    this.#left = -1;
    throw this.#interrupted;
  }
}

/** How long one evaluation may keep everything else waiting. */
const maxMs = 50;
/** In cost: well below a millisecond of work. */
const lookEvery = 1000;

type Evaluate = (this: unknown, evaluator: unknown, node: unknown, context: unknown) => unknown;

/** A node of a parsed expression, as far as this file goes into it. */
export interface AstNode {
  readonly op: string;
  args: unknown;
  readonly meta: { readonly alternate?: unknown; readonly macro?: unknown };
  evaluate: Evaluate;
}

export function isAstNode(value: unknown): value is AstNode {
  return typeof value === "object" && value !== null && "op" in value && "args" in value && "meta" in value;
}

/** Calls `visit` with every node, each once: also those that macros are made into. */
export function walkAst(root: unknown, visit: (node: AstNode) => void): void {
  const seen = new Set<unknown>();
  const open: unknown[] = [root];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== "object" || value === null || seen.has(value)) continue;
    seen.add(value);
    if (isAstNode(value)) {
      visit(value);
      open.push(value.args, value.meta.alternate, value.meta.macro);
    } else if (Array.isArray(value)) open.push(...value);
    else if (isPlain(value)) open.push(...Object.values(value));
  }
}

function isPlain(value: object): boolean {
  return Object.getPrototypeOf(value) === Object.prototype;
}

const free: ReadonlySet<string> = new Set(["value", "id", "accuValue"]);
const comparing: ReadonlySet<string> = new Set(["==", "!=", "in"]);

/** Makes every node of a checked expression pay for its evaluation. */
export function instrument(root: unknown, meter: Meter): void {
  const compared = new Set<unknown>();
  walkAst(root, (node) => {
    if (comparing.has(node.op) && Array.isArray(node.args)) for (const operand of node.args) compared.add(operand);
  });
  walkAst(root, (node) => {
    // The node replaces its own method when it first runs; what it puts there is kept below the meter.
    let inner: Evaluate = node.evaluate;
    const cost = free.has(node.op) ? 0 : 1;
    const whole = compared.has(node);
    const builds = node.op === "+" || node.op === "call" || node.op === "rcall";
    const metered: Evaluate = (evaluator, ast, context) => {
      meter.spend(cost);
      const result = inner.call(node, evaluator, ast, context);
      if (typeof result === "string") meter.spend(result.length / 10);
      else if (whole) meter.spend(sizeOf(result, meter));
      else if (builds && Array.isArray(result)) meter.spend(result.length);
      return result;
    };
    Object.defineProperty(node, "evaluate", {
      get: () => metered,
      set: (next: Evaluate) => {
        inner = next;
      },
      configurable: true,
    });
  });
}

/** How many values a comparison may have to look at. Pays as it goes, so that the count itself is bounded. */
function sizeOf(value: unknown, meter: Meter): number {
  let size = 0;
  const open: unknown[] = [value];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next === "string") size += next.length / 10;
    else if (typeof next === "object" && next !== null) {
      const inner = next instanceof Map ? [...next.values()] : Array.isArray(next) ? next : Object.values(next);
      size += inner.length;
      for (const item of inner) open.push(item);
    }
    if (size > meter.left) return size;
  }
  return size;
}
