import { additionalOf, itemsOf, type JsonSchema, propertiesOf } from "../json-schema.js";
import { type AstNode, isAstNode } from "./ast.js";
import { escapeFieldName } from "./names.js";

/** Upstream's limit for one rule, at the largest object that a request can bring. */
export const staticCostLimit = 10_000_000;
const maxRequestBytes = 3 * 1024 * 1024;

/** How many values with a schema an object can have at most, by where it is: undefined when a list or map above has no limit. */
export type Cardinality = number | undefined;

type Scope = ReadonlyMap<string, JsonSchema | undefined>;

/**
 * What a rule may cost at worst, by the limits that its schema sets. Never more than upstream would say, because a rule that upstream takes must
 * be taken here; the meter catches at run time what this does not see.
 */
export function estimateCost(root: unknown, self: JsonSchema, cardinality: Cardinality): number {
  const scope: Scope = new Map([
    ["self", self],
    ["oldSelf", self],
  ]);
  return costOf(root, scope) * (cardinality ?? mostOf(self));
}

/** As upstream words it. */
export function costMessage(cost: number): string {
  const factor = cost / staticCostLimit;
  const times = factor > 100 ? "more than 100x" : factor < 1.5 ? `${factor.toFixed(6)}x` : `${factor.toFixed(1)}x`;
  return `estimated rule cost exceeds budget by factor of ${times} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
}

/** The cardinality of what is below a list or map. */
export function cardinalityBelow(schema: JsonSchema, above: Cardinality): Cardinality {
  const limit = schema.type === "array" ? schema.maxItems : schema.maxProperties;
  return above === undefined || limit === undefined ? undefined : above * limit;
}

interface Comprehension {
  readonly iterable: unknown;
  readonly iterVarName: string;
  readonly step: unknown;
}

function costOf(value: unknown, scope: Scope): number {
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + costOf(item, scope), 0);
  if (!isAstNode(value)) return 0;
  const expanded = expansionOf(value);
  if (expanded !== undefined) return costOf(expanded, scope);
  if (value.op === "value" || value.op === "id") return 0;
  if (isComprehension(value.args)) {
    const { iterable, iterVarName, step } = value.args;
    const inner = new Map(scope).set(iterVarName, elementOf(resolve(iterable, scope)));
    return costOf(iterable, scope) + sizeOf(iterable, scope) * costOf(step, inner);
  }
  return (made.has(value.op) ? 0 : 1) + costOf(value.args, scope);
}

/** What loops are made of; a conditional counts as nothing, because it may be one of those. */
const made: ReadonlySet<string> = new Set(["?:", "accuValue", "accuInc", "accuPush"]);

/** What a macro call was made into: a loop. */
function expansionOf({ meta }: AstNode): unknown {
  if (meta.alternate !== undefined) return meta.alternate;
  const { macro } = meta;
  return typeof macro === "object" && macro !== null && "callAst" in macro ? macro.callAst : undefined;
}

function isComprehension(args: unknown): args is Comprehension {
  return typeof args === "object" && args !== null && "iterable" in args && "step" in args && "iterVarName" in args;
}

/** The most items that an expression can have; one where nobody can say. */
function sizeOf(node: unknown, scope: Scope): number {
  if (isAstNode(node)) {
    if (node.op === "list" && Array.isArray(node.args)) return node.args.length;
    const expanded = expansionOf(node);
    if (expanded !== undefined) return sizeOf(expanded, scope);
    if (isComprehension(node.args)) return sizeOf(node.args.iterable, scope);
  }
  const schema = resolve(node, scope);
  if (schema === undefined) return 1;
  const items = itemsOf(schema);
  if (items !== undefined) return schema.maxItems ?? mostOf(items);
  const values = additionalOf(schema);
  // The keys of a map take room too.
  return values === undefined ? 1 : (schema.maxProperties ?? Math.floor(maxRequestBytes / (smallest(values) + 4)));
}

function elementOf(schema: JsonSchema | undefined): JsonSchema | undefined {
  if (schema === undefined) return undefined;
  return itemsOf(schema) ?? (additionalOf(schema) === undefined ? undefined : { type: "string" });
}

/** The schema of what an expression leads to, by fields and indexes alone. */
function resolve(node: unknown, scope: Scope): JsonSchema | undefined {
  if (!isAstNode(node)) return undefined;
  if (node.op === "id") return scope.get(String(node.args));
  const [left, name] = operandsOf(node);
  const schema = left === undefined ? undefined : resolve(left, scope);
  if (schema === undefined) return undefined;
  if (node.op === "[]" || node.op === "[?]") return itemsOf(schema) ?? additionalOf(schema);
  if (node.op !== "." && node.op !== ".?") return undefined;
  for (const [key, property] of propertiesOf(schema)) if (escapeFieldName(key) === name) return property;
  return additionalOf(schema);
}

function operandsOf(node: AstNode): readonly unknown[] {
  return Array.isArray(node.args) ? node.args : [];
}

/** How many values of a schema fit into a request. */
function mostOf(schema: JsonSchema): number {
  return Math.floor(maxRequestBytes / (smallest(schema) + 1));
}

/** The fewest bytes of JSON that a value takes. */
function smallest(schema: JsonSchema): number {
  switch (schema.type) {
    case "string":
      return 2;
    case "boolean":
      return 4;
    case "object": {
      const properties = propertiesOf(schema);
      return (schema.required ?? []).reduce((size, name) => {
        const property = properties.get(name);
        return property === undefined || property.default !== undefined
          ? size
          : size + name.length + 3 + smallest(property);
      }, 2);
    }
    case "array":
      return 2;
    default:
      return 1;
  }
}
