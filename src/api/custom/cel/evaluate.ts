import { Optional } from "@marcbachmann/cel-js";
import { duplicate, type FieldError, forbidden, invalid, required } from "../../field-error.js";
import { getOwn, isJsonObject } from "../../json-value.js";
import { correlatesFields, noOld, type Old, oldField, oldItems, unchanged } from "../correlate.js";
import { nowhere } from "../junctors.js";
import { BudgetExceeded } from "./budget.js";
import type { CompiledRule, CompiledRules, RuleNode } from "./rules.js";

/** What all rules of one object may cost together, and one rule alone; upstream's figures. */
export interface RuleBudget {
  readonly objectCost: number;
  readonly ruleCost: number;
}

export const defaultRuleBudget: RuleBudget = { objectCost: 10_000_000, ruleCost: 1_000_000 };

/** Where errors point to, as upstream writes map keys and fields of the root. */
const atRoot = "";

/** What rules may cost before others get their turn: some ten milliseconds. */
const sliceCost = 25_000;

/**
 * Judges an object by its rules. With an old object the rules that look at it run where both have the value, and a rule that does not
 * look at it is not held against a value that did not change. Yields between rules, whenever some time has passed; one rule alone is not
 * interrupted before its own limit.
 */
export function* evaluateRules(
  compiled: CompiledRules,
  object: unknown,
  old: Old,
  budget: RuleBudget = defaultRuleBudget,
): Generator<undefined, readonly FieldError[]> {
  if (compiled.root === undefined) return [];
  const evaluation = new Evaluation(compiled, budget);
  evaluation.plan(compiled.root, object, old, atRoot);
  try {
    yield* evaluation.run();
  } catch (error) {
    if (!(error instanceof BudgetExceeded)) throw error;
  }
  return evaluation.errors;
}

/** A value that has rules. */
interface Judged {
  readonly node: RuleNode;
  readonly value: unknown;
  readonly old: Old;
  readonly path: string;
}

class Evaluation {
  readonly errors: FieldError[] = [];
  readonly #compiled: CompiledRules;
  readonly #budget: RuleBudget;
  readonly #planned: Judged[] = [];
  #left: number;

  constructor(compiled: CompiledRules, budget: RuleBudget) {
    this.#compiled = compiled;
    this.#budget = budget;
    this.#left = budget.objectCost;
  }

  *run(): Generator<undefined, void> {
    let next = this.#left - sliceCost;
    for (const { node, value, old, path } of this.#planned) {
      for (const _ of this.#rules(node, value, old, path)) {
        if (this.#left > next) continue;
        next = this.#left - sliceCost;
        yield undefined;
      }
    }
  }

  plan(node: RuleNode, value: unknown, old: Old, path: string): void {
    if (value === null || value === undefined) return;
    if (node.rules.length > 0) this.#planned.push({ node, value, old, path });
    if (Array.isArray(value)) {
      const { items } = node;
      if (items === undefined) return;
      const oldOf = oldItems(node.schema, old);
      for (const [index, item] of value.entries()) this.plan(items, item, oldOf(item), `${path}[${index}]`);
      return;
    }
    if (!isJsonObject(value)) return;
    const correlates = correlatesFields(node.schema);
    for (const key of Object.keys(value)) {
      const property = node.properties.get(key);
      const inner = property ?? node.additional;
      if (inner === undefined) continue;
      const at = property === undefined ? `${path}[${key}]` : path === atRoot ? key : `${path}.${key}`;
      this.plan(inner, getOwn(value, key), correlates ? oldField(old, key) : noOld, at);
    }
  }

  /** Yields after each rule. */
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
      this.#run(compiled, { self, oldSelf }, node, path);
      yield undefined;
    }
  }

  #run(
    compiled: CompiledRule,
    { self, oldSelf }: { readonly self: unknown; readonly oldSelf: unknown },
    node: RuleNode,
    path: string,
  ): void {
    const { meter } = this.#compiled;
    const variables = { self, oldSelf: compiled.rule.optionalOldSelf === true ? Optional.of(oldSelf) : oldSelf };
    const budget = Math.min(this.#left, this.#budget.ruleCost);
    meter.reset(budget);
    let result: unknown;
    try {
      result = compiled.program.run(variables);
    } catch (error) {
      if (error instanceof BudgetExceeded || meter.left < 0) {
        this.#exceeded(compiled, node, path, error);
        throw error instanceof BudgetExceeded ? error : new BudgetExceeded("cost limit exceeded");
      }
      this.#add(node, path, evaluationMessage(error, compiled));
      return;
    } finally {
      this.#left -= budget - Math.max(0, meter.left);
    }
    if (result === true) return;
    this.errors.push(this.#failure(compiled, variables, node, path));
  }

  #exceeded(compiled: CompiledRule, node: RuleNode, path: string, error: unknown): void {
    const runsOut = this.#left <= this.#budget.ruleCost;
    this.#add(
      node,
      path,
      runsOut
        ? "validation failed due to running out of cost budget, no further validation rules will be run"
        : `'${error instanceof Error ? error.message : "cost limit exceeded"}': no further validation rules will be run due to call cost exceeds limit for rule: ${shown(compiled)}`,
    );
  }

  #add(node: RuleNode, path: string, detail: string): void {
    this.errors.push(invalid(path === atRoot ? nowhere : path, typeNameOf(node), detail));
  }

  #failure(
    compiled: CompiledRule,
    variables: { readonly self: unknown; readonly oldSelf: unknown },
    node: RuleNode,
    path: string,
  ): FieldError {
    const { rule, fieldPath } = compiled;
    const detail = this.#message(compiled, variables) ?? messageOf(compiled);
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
  #message(
    { message }: CompiledRule,
    variables: { readonly self: unknown; readonly oldSelf: unknown },
  ): string | undefined {
    if (message === undefined) return undefined;
    const { meter } = this.#compiled;
    const budget = Math.min(this.#left, this.#budget.ruleCost);
    meter.reset(budget);
    try {
      const text = message.run(variables);
      if (typeof text !== "string" || text.trim() === "" || /[\n\r]/.test(text.trim()) || text.length > 5120) {
        return undefined;
      }
      return text.trim();
    } catch {
      return undefined;
    } finally {
      this.#left -= budget - Math.max(0, meter.left);
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
