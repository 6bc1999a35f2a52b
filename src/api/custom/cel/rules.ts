import type { Environment } from "@marcbachmann/cel-js";
import { type FieldError, internalError, invalid, notSupported, required } from "../../field-error.js";
import type { ValidationRule } from "../../gen/types.js";
import { correlatesFields } from "../correlate.js";
import { additionalOf, itemsOf, type JsonSchema, propertiesOf } from "../json-schema.js";
import { Meter } from "./budget.js";
import { CompileError } from "./compile-errors.js";
import { type Cardinality, cardinalityBelow, estimateCost, timesCardinality } from "./estimate.js";
import { celEnvironment, compileProgram, type Program } from "./program.js";
import { SchemaCosts } from "./schema-costs.js";
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
  /** Those of the errors for which a rule cannot be evaluated; the others say what it costs. */
  readonly broken: readonly FieldError[];
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
  if (!hasRules(schema)) return { root: undefined, meter, errors, broken: errors };
  const environment = celEnvironment(meter);
  const types = new CelTypes(environment, { unknown: "hidden" });
  // Declared before any environment is derived from this one, because that closes it.
  types.typeOf(schema, true);
  const costs = new SchemaCosts(errors);
  const compiler = new RuleCompiler(environment, types, { meter, errors, costs });
  const root = compiler.node(schema, path, true, { uncorrelated: undefined, cardinality: 1 });
  costs.check(path);
  const broken = errors.filter((error) => !costs.errors.has(error));
  return { root, meter, errors, broken };
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

const noType =
  "internal error: failed to construct type information for x-kubernetes-validations rules: unable to convert structural schema to CEL declarations";

interface Compilation {
  readonly meter: Meter;
  readonly errors: FieldError[];
  readonly costs: SchemaCosts;
}

class RuleCompiler {
  readonly #environment: Environment;
  readonly #types: CelTypes;
  readonly #compilation: Compilation;
  readonly #derived = new Map<string, Environment>();
  /** How many of the errors say that rules are not written as they must be. */
  #malformed = 0;

  constructor(environment: Environment, types: CelTypes, compilation: Compilation) {
    this.#environment = environment;
    this.#types = types;
    this.#compilation = compilation;
  }

  /** What is below comes first: where a rule there is malformed, those above are not compiled. */
  node(schema: JsonSchema, path: string, isRoot: boolean, place: Place): RuleNode | undefined {
    if (!hasRules(schema)) return undefined;
    const before = this.#malformed;
    const below = this.#below(schema, path, place);
    const type = this.#types.typeOf(schema, isRoot);
    const given = schema["x-kubernetes-validations"] ?? [];
    const pathOf = (index: number): string => `${path}.x-kubernetes-validations[${index}]`;
    const fieldPaths = given.map((rule, index) => this.#checkForm(rule, schema, pathOf(index)));
    const rules: CompiledRule[] = [];
    if (given.length > 0 && type.unknown) {
      this.#compilation.errors.push(internalError(`${path}.x-kubernetes-validations`, noType));
    } else if (this.#malformed === before) {
      for (const [index, rule] of given.entries()) {
        const fieldPath = fieldPaths[index] ?? "";
        const compiled = this.#rule(rule, type, { schema, path: pathOf(index), place, fieldPath });
        if (compiled !== undefined) rules.push(compiled);
      }
    }
    return { schema, type, rules, ...below };
  }

  #below(schema: JsonSchema, path: string, place: Place): Pick<RuleNode, "properties" | "additional" | "items"> {
    const { uncorrelated } = place;
    const additional = additionalOf(schema);
    const items = itemsOf(schema);
    const cardinality = cardinalityBelow(schema, place.cardinality);
    const inFields = correlatesFields(schema) ? uncorrelated : (uncorrelated ?? path);
    const inItems = schema["x-kubernetes-list-type"] === "map" ? uncorrelated : (uncorrelated ?? path);
    const properties = new Map<string, RuleNode>();
    for (const [name, property] of propertiesOf(schema)) {
      const at = { uncorrelated: inFields, cardinality: place.cardinality };
      const node = this.node(property, `${path}.properties[${name}]`, false, at);
      if (node !== undefined) properties.set(name, node);
    }
    return {
      properties,
      additional:
        additional &&
        this.node(additional, `${path}.additionalProperties`, false, { uncorrelated: inFields, cardinality }),
      items: items && this.node(items, `${path}.items`, false, { uncorrelated: inItems, cardinality }),
    };
  }

  /** Gives the rule's field path as errors show it. */
  #checkForm(rule: Rule, schema: JsonSchema, path: string): string {
    const { errors } = this.#compilation;
    const before = errors.length;
    checkRuleFields(rule, path, errors);
    const fieldPath = checkFieldPath(rule.fieldPath ?? "", schema, `${path}.fieldPath`, errors);
    this.#malformed += errors.length - before;
    return fieldPath;
  }

  #rule(
    rule: Rule,
    type: CelType,
    at: { readonly schema: JsonSchema; readonly path: string; readonly place: Place; readonly fieldPath: string },
  ): CompiledRule | undefined {
    const { errors, costs } = this.#compilation;
    const { schema, path, place, fieldPath } = at;
    const before = errors.length;
    const text = rule.rule ?? "";
    const environment = this.#environmentFor(type, rule.optionalOldSelf === true);
    const program = this.#program(environment, text, "", (detail) =>
      errors.push(invalid(`${path}.rule`, rule, detail)),
    );
    const isBool = program?.type === "bool" || program?.type === "dyn";
    if (program !== undefined && !isBool) {
      errors.push(invalid(`${path}.rule`, rule, "cel expression must evaluate to a bool"));
    }
    if (program !== undefined && isBool) {
      const cost = timesCardinality(estimateCost(program.ast, schema), schema, place.cardinality);
      costs.add(`${path}.rule`, "estimated rule cost", cost);
    }
    const message = program && isBool ? this.#message(environment, rule, schema, path) : undefined;
    checkOldSelf(rule, program?.usesOldSelf === true, { path, uncorrelated: place.uncorrelated, errors });
    const broken = errors.slice(before).some((error) => !costs.errors.has(error));
    return program === undefined || broken ? undefined : { rule, program, message, fieldPath };
  }

  #message(environment: Environment, rule: Rule, schema: JsonSchema, path: string): Program | undefined {
    const { messageExpression } = rule;
    if (!messageExpression) return undefined;
    const { errors, costs } = this.#compilation;
    const at = `${path}.messageExpression`;
    const wrong = (detail: string): number => errors.push(invalid(at, rule, detail));
    const program = this.#program(environment, messageExpression, "messageExpression ", wrong);
    if (program === undefined) return undefined;
    if (program.type !== "string" && program.type !== "dyn") {
      wrong("messageExpression must evaluate to a string");
      return undefined;
    }
    costs.add(at, "estimated messageExpression cost", estimateCost(program.ast, schema));
    return program;
  }

  #program(
    environment: Environment,
    source: string,
    what: string,
    wrong: (detail: string) => void,
  ): Program | undefined {
    try {
      return compileProgram(environment, source, this.#compilation.meter);
    } catch (error) {
      if (!(error instanceof CompileError)) throw error;
      wrong(`${what}compilation failed: ${error.message}`);
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

function checkOldSelf(
  { rule, optionalOldSelf }: Rule,
  used: boolean,
  { path, uncorrelated, errors }: { path: string; uncorrelated: string | undefined; errors: FieldError[] },
): void {
  if (!used) {
    if (optionalOldSelf === undefined) return;
    errors.push(invalid(`${path}.optionalOldSelf`, optionalOldSelf, "may not be set if oldSelf is not used in rule"));
  } else if (uncorrelated !== undefined) {
    const why = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelated}`;
    errors.push(invalid(`${path}.rule`, rule, why));
  }
}

const lineBreak = /[\n\r]/;

function checkRuleFields(given: Rule, path: string, errors: FieldError[]): void {
  const { rule = "", message = "", messageExpression = "", reason } = given;
  if (rule.trim() === "") errors.push(required(`${path}.rule`, "rule is not specified"));
  else if (message !== "" && message.trim() === "") {
    errors.push(invalid(`${path}.message`, message, "message must be non-empty if specified"));
  } else if (lineBreak.test(message.trim())) {
    errors.push(invalid(`${path}.message`, message, "message must not contain line breaks"));
  } else if (lineBreak.test(rule.trim()) && message.trim() === "") {
    errors.push(required(`${path}.message`, "message must be specified if rule contains line breaks"));
  }
  if (messageExpression !== "" && messageExpression.trim() === "") {
    errors.push(required(`${path}.messageExpression`, "messageExpression must be non-empty if specified"));
  }
  if (reason !== undefined && !reasons.includes(reason)) {
    errors.push(notSupported(`${path}.reason`, reason, reasons));
  }
}

/** Reads `.a.b['c']`, every step of which must be a property, or a key of a map in brackets. */
function checkFieldPath(text: string, schema: JsonSchema, path: string, errors: FieldError[]): string {
  if (text === "") return "";
  if (text.trim() === "") errors.push(invalid(path, text, "fieldPath must be non-empty if specified"));
  if (lineBreak.test(text)) errors.push(invalid(path, text, "fieldPath must not contain line breaks"));
  const rendered = renderedPath(text, schema);
  if (rendered === undefined) errors.push(invalid(path, text, "fieldPath must be a valid path"));
  return rendered ?? "";
}

function renderedPath(text: string, schema: JsonSchema): string | undefined {
  let at: JsonSchema | undefined = schema;
  let rendered = "";
  let read = 0;
  for (const match of text.matchAll(/\.([A-Za-z_][\w-]*)|\['((?:[^'\\]|\\.)*)'\]/gy)) {
    read += match[0].length;
    const name = (match[1] ?? match[2] ?? "").replace(/\\(.)/g, "$1");
    const property: JsonSchema | undefined = at && propertiesOf(at).get(name);
    const additional: JsonSchema | undefined = at && additionalOf(at);
    if (property === undefined && additional === undefined) return undefined;
    rendered += property === undefined ? `[${name}]` : `.${name}`;
    at = property ?? additional;
  }
  return read === text.length ? rendered : undefined;
}
