import type { Environment } from "@marcbachmann/cel-js";
import { type FieldError, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type { ValidationRule } from "../../gen/types.js";
import { additionalOf, itemsOf, type JsonSchema, propertiesOf } from "../json-schema.js";
import { Meter } from "./budget.js";
import { type Cardinality, cardinalityBelow, costMessage, estimateCost, staticCostLimit } from "./estimate.js";
import { CompileError, celEnvironment, compileProgram, type Program } from "./program.js";
import { type CelType, CelTypes } from "./types.js";

export type Rule = Partial<ValidationRule>;

export interface CompiledRule {
  readonly rule: Rule;
  readonly program: Program;
  readonly message: Program | undefined;
  /** Below the value: `.spec.replicas`, as errors show it; empty when the rule names none. */
  readonly fieldPath: string;
}

/** The rules of one schema and of those below it. */
export interface RuleNode {
  readonly schema: JsonSchema;
  readonly type: CelType;
  readonly rules: readonly CompiledRule[];
  readonly properties: ReadonlyMap<string, RuleNode>;
  readonly additional: RuleNode | undefined;
  readonly items: RuleNode | undefined;
}

export interface CompiledRules {
  /** Undefined where there is no rule anywhere. */
  readonly root: RuleNode | undefined;
  readonly meter: Meter;
  /** What is wrong with the rules themselves. */
  readonly errors: readonly FieldError[];
}

const reasons: readonly string[] = [
  "FieldValueDuplicate",
  "FieldValueForbidden",
  "FieldValueInvalid",
  "FieldValueRequired",
];

/** Compiles all `x-kubernetes-validations` of a schema, whose own path is `path`. */
export function compileRules(schema: JsonSchema, path: string): CompiledRules {
  const meter = new Meter();
  const errors: FieldError[] = [];
  if (!hasRules(schema)) return { root: undefined, meter, errors };
  const environment = celEnvironment(meter);
  const types = new CelTypes(environment);
  // Declared before any environment is derived from this one, because that closes it.
  types.typeOf(schema, true);
  const root = new RuleCompiler(environment, types, meter, errors).node(schema, path, true, {
    uncorrelated: undefined,
    cardinality: 1,
  });
  return { root, meter, errors };
}

function hasRules(schema: JsonSchema): boolean {
  if ((schema["x-kubernetes-validations"]?.length ?? 0) > 0) return true;
  const items = itemsOf(schema);
  const additional = additionalOf(schema);
  if (items !== undefined && hasRules(items)) return true;
  if (additional !== undefined && hasRules(additional)) return true;
  for (const property of propertiesOf(schema).values()) if (hasRules(property)) return true;
  return false;
}

/** Where a schema is within the whole. */
interface Place {
  /** The path of the list above whose items cannot be found again in the old object. */
  readonly uncorrelated: string | undefined;
  readonly cardinality: Cardinality;
}

class RuleCompiler {
  readonly #environment: Environment;
  readonly #types: CelTypes;
  readonly #meter: Meter;
  readonly #errors: FieldError[];
  readonly #derived = new Map<string, Environment>();

  constructor(environment: Environment, types: CelTypes, meter: Meter, errors: FieldError[]) {
    this.#environment = environment;
    this.#types = types;
    this.#meter = meter;
    this.#errors = errors;
  }

  node(schema: JsonSchema, path: string, isRoot: boolean, place: Place): RuleNode | undefined {
    if (!hasRules(schema)) return undefined;
    const type = this.#types.typeOf(schema, isRoot);
    const rules: CompiledRule[] = [];
    schema["x-kubernetes-validations"]?.forEach((rule, index) => {
      const compiled = this.#rule(rule, type, schema, `${path}.x-kubernetes-validations[${index}]`, place);
      if (compiled !== undefined) rules.push(compiled);
    });
    const properties = new Map<string, RuleNode>();
    for (const [name, property] of propertiesOf(schema)) {
      const node = this.node(property, `${path}.properties[${name}]`, false, place);
      if (node !== undefined) properties.set(name, node);
    }
    const additional = additionalOf(schema);
    const items = itemsOf(schema);
    const { uncorrelated } = place;
    const cardinality = cardinalityBelow(schema, place.cardinality);
    const itemsUncorrelated = schema["x-kubernetes-list-type"] === "map" ? uncorrelated : (uncorrelated ?? path);
    return {
      schema,
      type,
      rules,
      properties,
      additional:
        additional && this.node(additional, `${path}.additionalProperties`, false, { uncorrelated, cardinality }),
      items: items && this.node(items, `${path}.items`, false, { uncorrelated: itemsUncorrelated, cardinality }),
    };
  }

  #rule(
    rule: Rule,
    type: CelType,
    schema: JsonSchema,
    path: string,
    { uncorrelated, cardinality }: Place,
  ): CompiledRule | undefined {
    const before = this.#errors.length;
    checkRuleFields(rule, path, this.#errors);
    const text = rule.rule ?? "";
    if (text.trim() === "") {
      this.#errors.push(required(`${path}.rule`, "rule is not specified"));
      return undefined;
    }
    const environment = this.#environmentFor(type, rule.optionalOldSelf === true);
    const program = this.#compile(environment, text, `${path}.rule`, rule, "compilation failed: ");
    if (program !== undefined && program.type !== "bool" && program.type !== "dyn") {
      this.#errors.push(invalid(`${path}.rule`, rule, "cel expression must evaluate to a bool"));
    }
    const cost = program === undefined ? 0 : estimateCost(program.ast, schema, cardinality);
    if (cost > staticCostLimit) this.#errors.push(forbidden(`${path}.rule`, costMessage(cost)));
    if (program?.usesOldSelf === true && uncorrelated !== undefined && rule.optionalOldSelf !== true) {
      const why = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelated}`;
      this.#errors.push(invalid(`${path}.rule`, text, why));
    }
    const message = this.#message(environment, rule, path);
    const fieldPath = checkFieldPath(rule.fieldPath, schema, `${path}.fieldPath`, this.#errors);
    if (program === undefined || this.#errors.length > before) return undefined;
    return { rule, program, message, fieldPath };
  }

  #message(environment: Environment, rule: Rule, path: string): Program | undefined {
    if (rule.messageExpression === undefined) return undefined;
    const at = `${path}.messageExpression`;
    if (rule.messageExpression.trim() === "") {
      this.#errors.push(required(at, "messageExpression is empty"));
      return undefined;
    }
    const prefix = "messageExpression compilation failed: ";
    const program = this.#compile(environment, rule.messageExpression, at, rule, prefix);
    if (program !== undefined && program.type !== "string" && program.type !== "dyn") {
      this.#errors.push(invalid(at, rule, "messageExpression must evaluate to a string"));
    }
    return program;
  }

  #compile(environment: Environment, source: string, path: string, rule: Rule, prefix: string): Program | undefined {
    try {
      return compileProgram(environment, source, this.#meter);
    } catch (error) {
      if (!(error instanceof CompileError)) throw error;
      this.#errors.push(invalid(path, rule, `${prefix}${error.message}`));
      return undefined;
    }
  }

  #environmentFor({ name }: CelType, optionalOld: boolean): Environment {
    const key = `${name} ${optionalOld}`;
    let derived = this.#derived.get(key);
    if (derived === undefined) {
      derived = this.#environment.clone();
      derived.registerVariable("self", name).registerVariable("oldSelf", optionalOld ? `optional<${name}>` : name);
      this.#derived.set(key, derived);
    }
    return derived;
  }
}

function checkRuleFields(rule: Rule, path: string, errors: FieldError[]): void {
  if (rule.message !== undefined) {
    if (rule.message.trim() === "")
      errors.push(invalid(`${path}.message`, rule.message, "message must be non-empty if specified"));
    else if (/[\n\r]/.test(rule.message.trim())) {
      errors.push(invalid(`${path}.message`, rule.message, "message must not contain line breaks"));
    }
  } else if (/[\n\r]/.test((rule.rule ?? "").trim())) {
    errors.push(required(`${path}.message`, "message must be specified if rule contains line breaks"));
  }
  if (rule.reason !== undefined && !reasons.includes(rule.reason)) {
    errors.push(notSupported(`${path}.reason`, rule.reason, reasons));
  }
}

/** Reads `.a.b['c']`, every step of which must be a property, or a key of a map in brackets. */
function checkFieldPath(text: string | undefined, schema: JsonSchema, path: string, errors: FieldError[]): string {
  if (text === undefined) return "";
  const wrong = (why: string): string => {
    errors.push(invalid(path, text, why));
    return "";
  };
  if (text.trim() === "") return wrong("fieldPath must be non-empty if specified");
  if (/[\n\r]/.test(text)) return wrong("fieldPath must not contain line breaks");
  let at: JsonSchema | undefined = schema;
  let rendered = "";
  let read = 0;
  for (const match of text.matchAll(/\.([A-Za-z_][\w-]*)|\['((?:[^'\\]|\\.)*)'\]/gy)) {
    read += match[0].length;
    const name = (match[1] ?? match[2] ?? "").replace(/\\(.)/g, "$1");
    const property: JsonSchema | undefined = at && propertiesOf(at).get(name);
    const additional: JsonSchema | undefined = at && additionalOf(at);
    if (property === undefined && additional === undefined) {
      return wrong(`fieldPath must be a valid path: does not refer to a valid field`);
    }
    rendered += property === undefined ? `[${name}]` : `.${name}`;
    at = property ?? additional;
  }
  return read === text.length ? rendered : wrong("fieldPath must be a valid path: unexpected syntax");
}
