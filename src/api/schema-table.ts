import { definitions } from "./gen/schemas.js";
import type { Schema, SchemaType } from "./schema.js";

const scalars: Readonly<Record<string, { readonly type: SchemaType; readonly format?: string }>> = {
  s: { type: "string" },
  b: { type: "boolean" },
  i: { type: "integer", format: "int64" },
  j: { type: "integer", format: "int32" },
  n: { type: "number", format: "double" },
  d: { type: "string", format: "date-time" },
  u: { type: "string", format: "microtime" },
  y: { type: "string", format: "byte" },
  q: { type: "quantity" },
  x: { type: "intOrString" },
  a: { type: "any", preserveUnknown: true } as { type: SchemaType },
};

const packages: readonly (readonly [prefix: string, full: string])[] = [
  ["meta.v1.", "io.k8s.apimachinery.pkg.apis.meta.v1."],
  ["apiextensions.v1.", "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."],
  ["apiregistration.v1.", "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1."],
];

/** `core.v1.Pod` -> `io.k8s.api.core.v1.Pod`, the name in OpenAPI. */
export function openApiName(definition: string): string {
  for (const [prefix, full] of packages) {
    if (definition.startsWith(prefix)) return full + definition.slice(prefix.length);
  }
  return `io.k8s.api.${definition}`;
}

/**
 * A definition of the generated table. Its fields are parsed when they are first looked at, because most programs touch few
 * of the kinds, and because definitions refer to themselves.
 */
class TableDefinition implements Schema {
  readonly type = "object";
  readonly name: string;
  readonly mapType?: "granular" | "atomic";
  readonly #fields: Readonly<Record<string, string>>;
  #properties: ReadonlyMap<string, Schema> | undefined;
  #required: readonly string[] | undefined;

  constructor(id: string, fields: Readonly<Record<string, string>>) {
    this.name = openApiName(id);
    this.#fields = fields;
    if (fields[""] === "map-type:atomic") this.mapType = "atomic";
  }

  get properties(): ReadonlyMap<string, Schema> {
    this.#properties ??= new Map(
      Object.entries(this.#fields)
        .filter(([name]) => name !== "")
        .map(([name, code]) => [name, parseField(code)]),
    );
    return this.#properties;
  }

  get required(): readonly string[] {
    this.#required ??= Object.entries(this.#fields)
      .filter(([name, code]) => name !== "" && code.includes("|*"))
      .map(([name]) => name);
    return this.#required;
  }
}

const resolved = new Map<string, Schema>();

/** The schema of a built-in definition by its short id, such as `core.v1.Pod`. Throws for one that is not in the table. */
export function builtinSchema(id: string): Schema {
  let schema = resolved.get(id);
  if (schema === undefined) {
    const fields = Object.hasOwn(definitions, id) ? definitions[id] : undefined;
    if (fields === undefined) throw new Error(`no built-in definition ${id}`);
    schema = new TableDefinition(id, fields);
    resolved.set(id, schema);
  }
  return schema;
}

/** The ids of all built-in definitions. */
export function builtinSchemaIds(): readonly string[] {
  return Object.keys(definitions);
}

/** One field: its shape, then what apply and strategic merge need to know. The grammar is written by scripts/generate/render.mjs. */
function parseField(code: string): Schema {
  const [shape = "", ...options] = code.split("|");
  const extras: { -readonly [K in keyof Schema]?: Schema[K] } = {};
  for (const option of options) {
    const [word, first = "", second] = option.split(":");
    if (word === "atomic" || word === "set") extras.listType = word;
    else if (word === "map") {
      extras.listType = "map";
      extras.listMapKeys = first.split(",");
    } else if (word === "map-type") extras.mapType = first as "atomic" | "granular";
    else if (word === "patch") {
      extras.patchStrategy = first.split("+") as ("merge" | "replace" | "retainKeys")[];
      if (second !== undefined) extras.patchMergeKey = second;
    } else if (word === "patch-key") extras.patchMergeKey = first;
    else if (word === "default") extras.default = JSON.parse(option.slice("default:".length));
  }
  return withExtras(parseShape(shape), extras);
}

function parseShape(shape: string): Schema {
  if (shape.startsWith("[]")) return { type: "array", items: parseShape(shape.slice(2)) };
  if (shape.startsWith("{}")) return { type: "object", additional: parseShape(shape.slice(2)) };
  if (shape.startsWith("#")) return builtinSchema(shape.slice(1));
  const scalar = scalars[shape];
  if (scalar === undefined) throw new Error(`unknown shape ${shape} in the schema table`);
  return scalar;
}

/** A field that refers to a definition and adds to it keeps looking through to the definition. */
function withExtras(schema: Schema, extras: Partial<Schema>): Schema {
  if (Object.keys(extras).length === 0) return schema;
  return schema instanceof TableDefinition
    ? Object.assign(
        Object.create(schema, {
          properties: { get: () => schema.properties },
          required: { get: () => schema.required },
        }),
        extras,
      )
    : { ...schema, ...extras };
}

/** Whether there is such a built-in kind, also one that is no resource, as DeleteOptions. */
export function isBuiltinKind(apiVersion: string, kind: string): boolean {
  const slash = apiVersion.indexOf("/");
  const group = slash < 0 ? "core" : apiVersion.slice(0, slash).split(".", 1)[0];
  const id = `${group}.${apiVersion.slice(slash + 1)}.${kind}`;
  const fields = Object.hasOwn(definitions, id) ? definitions[id] : undefined;
  return fields !== undefined && Object.hasOwn(fields, "kind") && Object.hasOwn(fields, "apiVersion");
}
