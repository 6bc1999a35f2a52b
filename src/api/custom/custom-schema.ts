import { type FieldError, invalid } from "../field-error.js";
import { getOwn, isJsonObject } from "../json-value.js";
import type { JsonObject } from "../object.js";
import type { Schema } from "../schema.js";
import { defaultRuleBudget, evaluateRules, type RuleBudget } from "./cel/evaluate.js";
import { type CompiledRules, compileRules } from "./cel/rules.js";
import { noOld } from "./correlate.js";
import { applyDefaults, hasDefaults } from "./defaults.js";
import { compileEmbeddedCheck, type EmbeddedCheck } from "./embedded.js";
import { type JsonSchema, rootSchema } from "./json-schema.js";
import { nowhere } from "./junctors.js";
import { compileListCheck, type ListCheck } from "./list-types.js";
import { PutOff } from "./put-off.js";
import { type Check, compileCheck } from "./validator.js";

/** After these nobody can say whether the rules make sense. */
const blocking: ReadonlySet<string> = new Set([
  "FieldValueRequired",
  "FieldValueTooLong",
  "FieldValueTooMany",
  "FieldValueTypeInvalid",
]);

/** One version's schema of a custom resource, compiled: its structure, its defaults and all that validates it. Pure and reusable. */
export class CustomSchema {
  readonly structure: Schema;
  readonly hasDefaults: boolean;
  readonly #check: Check;
  readonly #lists: ListCheck | undefined;
  readonly #embedded: EmbeddedCheck | undefined;
  readonly #given: JsonSchema;
  readonly #budget: RuleBudget;
  /** Compiled when an object is first judged: a server may have hundreds of schemas and write to few of them. */
  #rules: CompiledRules | undefined;

  /** The schema must be structural, see `structuralErrors`. Throws PatternError for a pattern that is none. */
  constructor(schema: JsonSchema | undefined, budget: RuleBudget = defaultRuleBudget) {
    const given = schema ?? { type: "object", "x-kubernetes-preserve-unknown-fields": true };
    this.structure = rootSchema(given);
    this.hasDefaults = hasDefaults(this.structure);
    this.#check = compileCheck(given);
    this.#lists = compileListCheck(given);
    this.#embedded = compileEmbeddedCheck(given);
    this.#given = given;
    this.#budget = budget;
  }

  /** The object with all that is missing and has a default; itself when there is nothing. */
  withDefaults(object: JsonObject): JsonObject {
    if (!this.hasDefaults) return object;
    const result = applyDefaults(this.structure, object);
    return isJsonObject(result) ? result : object;
  }

  /** What is wrong with an object; with `old`, what has become wrong since (ratcheting). */
  validate(object: JsonObject, old?: JsonObject): readonly FieldError[] {
    const judging = this.validateInSlices(object, old);
    for (let step = judging.next(); ; step = judging.next()) if (step.done === true) return step.value;
  }

  /** The same, but yields now and then, so that big objects and expensive rules need not hold up everything else. */
  *validateInSlices(object: JsonObject, old?: JsonObject): Generator<undefined, readonly FieldError[]> {
    const before = old ?? noOld;
    const errors: FieldError[] = [];
    const putOff = new PutOff();
    this.#check(object, { path: "", errors, old: before, putOff });
    yield* putOff.finish();
    this.#embedded?.(object, "", errors);
    if (this.#lists !== undefined && !(yield* hadDuplicates(this.#lists, old))) yield* this.#lists(object, "", errors);
    this.#rules ??= compileRules(this.#given, "spec.validation.openAPIV3Schema");
    const rules = this.#rules;
    if (rules.root === undefined) return errors;
    if (errors.some(({ reason }) => blocking.has(reason))) {
      errors.push(invalid(nowhere, undefined, rulesNotChecked));
      return errors;
    }
    // Only of definitions that another server let in: what cannot be checked is not let through.
    for (const { message } of rules.broken) errors.push(invalid(nowhere, "object", `rule compile error: ${message}`));
    errors.push(...(yield* evaluateRules(rules, object, before, this.#budget)));
    return errors;
  }
}

function* hadDuplicates(check: ListCheck, old: JsonObject | undefined): Generator<undefined, boolean> {
  if (old === undefined) return false;
  const errors: FieldError[] = [];
  yield* check(old, "", errors);
  return errors.length > 0;
}

const rulesNotChecked =
  "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";

/** The value at a plain dotted path such as `.spec.replicas`; undefined where it leads nowhere. */
export function valueAtPath(object: JsonObject, path: string): unknown {
  let value: unknown = object;
  for (const field of path.replace(/^\./, "").split(".")) {
    if (!isJsonObject(value)) return undefined;
    value = getOwn(value, field);
  }
  return value;
}
