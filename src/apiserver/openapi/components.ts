import type { Schema } from "../../api/index.js";
import { Turns } from "../../internal/turns.js";
import type { DefinitionIndex } from "./definition-index.js";
import { nameOfAnything, names } from "./names.js";
import { specialDefinition, unions } from "./special.js";
import type { Dialect, Fragment, GroupVersionKind } from "./types.js";

type Writable = { [key: string]: unknown };

/** Keywords that custom resources may use and Swagger 2 does not have. */
const notInV2: ReadonlySet<string> = new Set(["oneOf", "anyOf", "allOf", "not", "nullable"]);

const conventions = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md";
/** What is said of the fields of these definitions in every kind: `kubectl explain` and those who test it look for the beginning. */
const standardFields: ReadonlyMap<string, string> = new Map([
  [names.objectMeta, `Standard object's metadata. More info: ${conventions}#metadata`],
  [names.listMeta, `Standard list metadata. More info: ${conventions}#types-kinds`],
]);

/** About what one definition takes to make, in bytes parsed. */
const definitionBytes = 16 * 1024;

/** Gathers the definitions that a document needs: those that are asked for, and what they refer to. */
export class Components {
  readonly #dialect: Dialect;
  readonly #index: DefinitionIndex;
  readonly #done = new Map<string, Fragment>();
  readonly #kinds = new Map<string, GroupVersionKind[]>();
  readonly #selectable = new Map<string, readonly { readonly fieldPath: string }[]>();
  /** Found and not yet written; undefined for those without a schema. */
  readonly #open = new Map<string, Schema | undefined>();

  constructor(dialect: Dialect, index: DefinitionIndex) {
    this.#dialect = dialect;
    this.#index = index;
  }

  /** The definition is needed; it is that of `kind`, if one is given. */
  add(name: string, schema: Schema | undefined, kind?: GroupVersionKind): void {
    if (!this.#done.has(name)) this.#open.set(name, schema);
    if (kind === undefined) return;
    const known = this.#kinds.get(name) ?? [];
    this.#kinds.set(name, known);
    const same = ({ group, version, kind: other }: GroupVersionKind): boolean =>
      group === kind.group && version === kind.version && other === kind.kind;
    if (!known.some(same)) known.push(kind);
  }

  /** Objects of the definition can be selected by these fields, beside their names. */
  select(name: string, fields: Iterable<string>): void {
    const selectable = Array.from(fields, (fieldPath) => ({ fieldPath }));
    if (selectable.length > 0) this.#selectable.set(name, selectable);
  }

  /** A definition that is not made from a schema. */
  put(name: string, fragment: Fragment): void {
    this.#done.set(name, fragment);
  }

  reference(name: string): Fragment {
    return { $ref: `#/${this.#dialect === "v2" ? "definitions" : "components/schemas"}/${name}` };
  }

  /** All of them, by name. */
  async finish(): Promise<Fragment> {
    const turns = new Turns();
    for (const [name, schema] of this.#open) {
      if (turns.due(definitionBytes)) await turns.give();
      this.#open.delete(name);
      if (!this.#done.has(name)) this.#done.set(name, this.#definition(name, schema));
    }
    const entries = [...this.#done].sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries.map(([name, fragment]) => [name, { ...fragment, ...this.#kindsOf(name) }]));
  }

  #kindsOf(name: string): Fragment {
    const kinds = this.#kinds.get(name);
    const fields = this.#selectable.get(name);
    return {
      ...(kinds === undefined ? {} : { "x-kubernetes-group-version-kind": kinds }),
      ...(fields === undefined ? {} : { "x-kubernetes-selectable-fields": fields }),
    };
  }

  #definition(name: string, given: Schema | undefined): Fragment {
    const schema = this.#index.schema(name) ?? given;
    if (schema === undefined) return specialDefinition(name, this.#dialect);
    const description = schema.description ?? this.#index.documentation(name, "");
    const union = unions.get(name);
    return {
      ...(description === undefined ? {} : { description }),
      ...this.#inline(schema, name),
      ...extensionsOf(schema, name.startsWith("io.k8s.")),
      ...(union === undefined ? {} : { "x-kubernetes-unions": union }),
    };
  }

  /** A field: its shape, and what is said of it at this place. */
  #field(schema: Schema, definition: string, field: string): Fragment {
    const shape = this.#shape(schema, definition, field);
    const description =
      schema.description ?? this.#index.documentation(definition, field) ?? this.#aboutReference(shape);
    const said: Fragment = {
      ...(description === undefined ? {} : { description }),
      ...(schema.default === undefined ? {} : { default: schema.default }),
      ...extensionsOf(this.#beside(schema), this.#isBuiltin(definition)),
    };
    // OpenAPI 3.0 lets nothing stand beside $ref.
    const wrap = "$ref" in shape && this.#dialect === "v3" && Object.keys(said).length > 0;
    return wrap ? { allOf: [shape], ...said } : { ...shape, ...said };
  }

  /** The documentation says nothing of a field that refers to a definition: readers are told what the definition is. */
  #aboutReference({ $ref: reference }: Fragment): string | undefined {
    if (typeof reference !== "string") return undefined;
    const name = reference.slice(reference.lastIndexOf("/") + 1);
    const standard = standardFields.get(name);
    if (standard !== undefined) return standard;
    if (this.#index.schema(name) !== undefined) return this.#index.documentation(name, "");
    const { description } = specialDefinition(name, this.#dialect);
    return typeof description === "string" ? description : undefined;
  }

  #shape(schema: Schema, definition: string, field: string): Fragment {
    if (schema.name !== undefined) return this.#refer(schema.name, schema);
    return this.#special(schema, definition, field) ?? this.#inline(schema, definition, field);
  }

  #refer(name: string, schema?: Schema): Fragment {
    if (!this.#done.has(name)) this.#open.set(name, schema);
    return this.reference(name);
  }

  /** Values that built-in definitions have a name for. Custom resources write them out. */
  #special(schema: Schema, definition: string, field: string): Fragment | undefined {
    if (schema.type === "quantity") return this.#refer(names.quantity);
    if (!this.#isBuiltin(definition)) return undefined;
    if (schema.type === "intOrString") return this.#refer(names.intOrString);
    if (schema.type === "any") return this.#refer(nameOfAnything(definition, field));
    if (schema.type === "string" && schema.format === "date-time") return this.#refer(names.time);
    if (schema.type === "string" && schema.format === "microtime") return this.#refer(names.microTime);
    return undefined;
  }

  #inline(schema: Schema, definition: string, field = ""): Fragment {
    const fragment: Writable = {};
    if (schema.type === "intOrString") fragment["x-kubernetes-int-or-string"] = true;
    else if (schema.type !== "any") fragment["type"] = schema.type;
    if (schema.format !== undefined) fragment["format"] = schema.format;
    if (schema.items !== undefined) fragment["items"] = this.#element(schema.items, definition, field);
    if (schema.additional !== undefined) {
      fragment["additionalProperties"] = this.#element(schema.additional, definition, field);
    }
    if (schema.properties !== undefined && schema.properties.size > 0) {
      const fields = [...schema.properties].sort(([a], [b]) => (a < b ? -1 : 1));
      fragment["properties"] = Object.fromEntries(
        fields.map(([name, property]) => [name, this.#field(property, definition, name)]),
      );
    }
    if (schema.required !== undefined && schema.required.length > 0) fragment["required"] = schema.required;
    if (schema.enum !== undefined) fragment["enum"] = schema.enum;
    if (schema.nullable === true && this.#dialect === "v3") fragment["nullable"] = true;
    return { ...fragment, ...this.#constraints(schema) };
  }

  /** Elements of custom resources have descriptions and defaults of their own; built-in ones do not. */
  #element(schema: Schema, definition: string, field: string): Fragment {
    const shape = this.#shape(schema, definition, field);
    if (schema.name !== undefined || this.#isBuiltin(definition)) return shape;
    return {
      ...shape,
      ...(schema.description === undefined ? {} : { description: schema.description }),
      ...(schema.default === undefined ? {} : { default: schema.default }),
      ...extensionsOf(schema, false),
    };
  }

  #isBuiltin(definition: string): boolean {
    return this.#index.schema(definition) !== undefined;
  }

  /** A field that refers to a definition inherits what that says of itself, and does not repeat it. */
  #beside(schema: Schema): Partial<Schema> {
    if (schema.name === undefined) return schema;
    return schema === this.#index.schema(schema.name) ? {} : { ...schema };
  }

  #constraints(schema: Schema): Fragment {
    if (schema.constraints === undefined) return {};
    if (this.#dialect === "v3") return schema.constraints;
    return Object.fromEntries(Object.entries(schema.constraints).filter(([keyword]) => !notInV2.has(keyword)));
  }
}

/** What apply, patches and pruning need to know, of a schema where it stands. */
function extensionsOf(schema: Partial<Schema>, builtin: boolean): Fragment {
  const extensions: Writable = {};
  if (schema.listMapKeys !== undefined) extensions["x-kubernetes-list-map-keys"] = schema.listMapKeys;
  if (schema.listType !== undefined) extensions["x-kubernetes-list-type"] = schema.listType;
  if (schema.patchMergeKey !== undefined) extensions["x-kubernetes-patch-merge-key"] = schema.patchMergeKey;
  if (schema.patchStrategy !== undefined) extensions["x-kubernetes-patch-strategy"] = schema.patchStrategy.join(",");
  if (schema.mapType !== undefined) extensions["x-kubernetes-map-type"] = schema.mapType;
  if (schema.embedded === true) extensions["x-kubernetes-embedded-resource"] = true;
  if (schema.preserveUnknown === true && !builtin) extensions["x-kubernetes-preserve-unknown-fields"] = true;
  return extensions;
}
