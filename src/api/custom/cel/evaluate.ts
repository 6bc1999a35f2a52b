import { Optional } from "@marcbachmann/cel-js";
import { duplicate, type FieldError, forbidden, invalid, required } from "../../field-error.js";
import { getOwn, isJsonObject } from "../../json-value.js";
import { correlatesFields, noOld, type Old, oldField, oldItems, unchanged } from "../correlate.js";
import { nowhere } from "../junctors.js";
import { BudgetExceeded } from "./budget.js";
import type { Program, Variables } from "./program.js";
import type { CompiledRule, CompiledRules, RuleNode } from "./rules.js";
import { turnCost } from "./steps.js";

/** What all rules of one object may cost together, and one rule alone; upstream's figures. */
export interface RuleBudget {
  readonly objectCost: number;
  readonly ruleCost: number;
}

export const defaultRuleBudget: RuleBudget = { objectCost: 10_000_000, ruleCost: 1_000_000 };

/** Where errors point to, as upstream writes map keys and fields of the root. */
const atRoot = "";

/**
 * Judges an object by its rules. With an old object the rules that look at it run where both have the value, and a rule that does not
 * look at it is not held against a value that did not change. Yields whenever some time has passed.
 */
export function* evaluateRules(
  compiled: CompiledRules,
  object: unknown,
  old: Old,
  budget: RuleBudget = defaultRuleBudget,
): Generator<undefined, readonly FieldError[]> {
  if (compiled.root === undefined) return [];
  const evaluation = new Evaluation(compiled, budget);
  try {
    yield* evaluation.run(compiled.root, object, old, atRoot);
  } catch (error) {
    if (!(error instanceof BudgetExceeded)) throw error;
  }
  return evaluation.errors;
}

/** What it takes to come to a value, in cost of rules. */
const visitCost = 5;

class Evaluation {
  readonly errors: FieldError[] = [];
  readonly #compiled: CompiledRules;
  readonly #budget: RuleBudget;
  #left: number;
  /** What was left when others last had their turn, and how many values were judged since. */
  #turnLeft: number;
  #visited = 0;

  constructor(compiled: CompiledRules, budget: RuleBudget) {
    this.#compiled = compiled;
    this.#budget = budget;
    this.#left = budget.objectCost;
    this.#turnLeft = this.#left;
  }

  /** Judges a value and what is below it. */
  *run(node: RuleNode, value: unknown, old: Old, path: string): Generator<undefined, void> {
    if (value === null || value === undefined) return;
    if (node.rules.length > 0) yield* this.#rules(node, value, old, path);
    yield* this.#turn();
    if (Array.isArray(value)) {
      const { items } = node;
      if (items === undefined) return;
      const oldOf = oldItems(node.schema, old);
      for (const [index, item] of value.entries()) yield* this.run(items, item, oldOf(item), `${path}[${index}]`);
      return;
    }
    if (!isJsonObject(value)) return;
    const correlates = correlatesFields(node.schema);
    for (const key of Object.keys(value)) {
      const property = node.properties.get(key);
      const inner = property ?? node.additional;
      if (inner === undefined) continue;
      const at = property === undefined ? `${path}[${key}]` : path === atRoot ? key : `${path}.${key}`;
      yield* this.run(inner, getOwn(value, key), correlates ? oldField(old, key) : noOld, at);
    }
  }

  /** To go from value to value takes its time too. */
  *#turn(): Generator<undefined, void> {
    this.#visited++;
    if (this.#turnLeft - this.#left + this.#visited * visitCost < turnCost) return;
    yield undefined;
    this.#visited = 0;
    this.#turnLeft = this.#left;
  }

  *#rules(node: RuleNode, value: unknown, old: Old, path: string): Generator<undefined, void> {
    const same = unchanged(value, old);
    let self: unknown;
    let oldSelf: unknown;
    for (const compiled of node.rules) {
      const optional = compiled.rule.optionalOldSelf === true;
      const transition = compiled.program.usesOldSelf;
      if (transition && old === noOld && !optional) continue;
      if (!transition && same) continue;
      self ??= node.type.convert(value);
      oldSelf ??= old === noOld ? undefined : node.type.convert(old);
      yield* this.#run(compiled, { self, oldSelf }, node, path);
      yield* this.#turn();
    }
  }

  *#run(
    compiled: CompiledRule,
    { self, oldSelf }: { readonly self: unknown; readonly oldSelf: unknown },
    node: RuleNode,
    path: string,
  ): Generator<undefined, void> {
    const variables = { self, oldSelf: compiled.rule.optionalOldSelf === true ? Optional.of(oldSelf) : oldSelf };
    // Else it is the rule's own limit that it came to.
    const runsOut = this.#left <= this.#budget.ruleCost;
    let result: unknown;
    try {
      result = yield* this.#value(compiled.program, variables);
    } catch (error) {
      if (error instanceof BudgetExceeded) {
        this.#exceeded(compiled, { node, path }, runsOut ? undefined : error);
        throw error;
      }
      this.#add(node, path, evaluationMessage(error, compiled));
      return;
    }
    if (result === true) return;
    this.errors.push(yield* this.#failure(compiled, variables, node, path));
  }

  /** Pays for what it evaluates. */
  *#value(program: Program, variables: Variables): Generator<undefined, unknown> {
    const { meter } = this.#compiled;
    const budget = Math.min(this.#left, this.#budget.ruleCost);
    try {
      return yield* program.run(variables, budget);
    } finally {
      this.#left -= budget - Math.max(0, meter.left);
    }
  }

  #exceeded(
    compiled: CompiledRule,
    at: { readonly node: RuleNode; readonly path: string },
    error: BudgetExceeded | undefined,
  ): void {
    const detail =
      error === undefined
        ? "validation failed due to running out of cost budget, no further validation rules will be run"
        : `'${error.message}': no further validation rules will be run due to call cost exceeds limit for rule: ${shown(compiled)}`;
    this.#add(at.node, at.path, detail);
  }

  #add(node: RuleNode, path: string, detail: string): void {
    this.errors.push(invalid(path === atRoot ? nowhere : path, typeNameOf(node), detail));
  }

  *#failure(
    compiled: CompiledRule,
    variables: Variables,
    node: RuleNode,
    path: string,
  ): Generator<undefined, FieldError> {
    const { rule, fieldPath } = compiled;
    const detail = (yield* this.#message(compiled, variables)) ?? messageOf(compiled);
    const joined = path === atRoot ? fieldPath.replace(/^\./, "") : `${path}${fieldPath}`;
    const at = joined === "" ? nowhere : joined;
    switch (rule.reason) {
      case "FieldValueRequired":
        return required(at, detail);
      case "FieldValueForbidden":
        return forbidden(at, detail);
      case "FieldValueDuplicate":
        return duplicate(at, typeNameOf(node));
      default:
        return invalid(at, typeNameOf(node), detail);
    }
  }

  /** What the rule's own expression makes of the failure; undefined when that fails too, and the fixed message must do. */
  *#message({ message }: CompiledRule, variables: Variables): Generator<undefined, string | undefined> {
    if (message === undefined) return undefined;
    try {
      const text = yield* this.#value(message, variables);
      if (typeof text !== "string" || text.trim() === "" || /[\n\r]/.test(text.trim()) || text.length > 5120) {
        return undefined;
      }
      return text.trim();
    } catch {
      return undefined;
    }
  }
}

function typeNameOf({ schema }: RuleNode): string {
  return schema.type ?? "object";
}

function shown({ rule }: CompiledRule): string {
  return (rule.message || rule.rule || "").trim();
}

function messageOf({ rule }: CompiledRule): string {
  const message = (rule.message ?? "").trim();
  return message === "" ? `failed rule: ${(rule.rule ?? "").trim()}` : message;
}

function evaluationMessage(error: unknown, compiled: CompiledRule): string {
  const summary = typeof error === "object" && error !== null && "summary" in error ? error.summary : undefined;
  const raw = typeof summary === "string" ? summary : error instanceof Error ? error.message : String(error);
  const text = raw.split("\n")[0] ?? "";
  if (text.startsWith("no such overload")) {
    return `'${text}': call arguments did not match a supported operator, function or macro signature for rule: ${shown(compiled)}`;
  }
  const bounds = /index out of bounds, index (-?\d+)/.exec(text);
  const worded =
    bounds === null ? text.replace(/^No such key: /, "no such key: ") : `index out of bounds: ${bounds[1]}`;
  return `${worded} evaluating rule: ${shown(compiled)}`;
}
