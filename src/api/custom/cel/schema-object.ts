import { getOwn, jsonEqual } from "../../json-value.js";

type Json = { readonly [key: string]: unknown };

export interface FieldOfType {
  readonly name: string;
  /** As expressions write it. */
  readonly escaped: string;
  readonly convert: (value: unknown) => unknown;
}

/** An object whose fields have a schema, as expressions see it. Fields are converted when somebody looks at them, because most are never looked at. */
export class SchemaObject {
  readonly #json: Json;
  #converted: unknown[] | undefined;

  constructor(json: Json) {
    this.#json = json;
  }

  /** The values of what an object was made of. */
  static jsonValues(object: SchemaObject): readonly unknown[] {
    return Object.values(object.#json);
  }

  /** What an object was made of, without some fields. */
  static without(object: SchemaObject, names: ReadonlySet<string>): Json {
    return Object.fromEntries(Object.entries(object.#json).filter(([name]) => !names.has(name)));
  }

  /** The field at a place among those of the type. One that is null counts as absent. */
  static field(object: SchemaObject, index: number, { name, convert }: FieldOfType): unknown {
    const known = object.#converted?.[index];
    if (known !== undefined) return known;
    const value = getOwn(object.#json, name);
    if (value === undefined || value === null) return undefined;
    object.#converted ??= [];
    object.#converted[index] = convert(value);
    return object.#converted[index];
  }
}

const fieldsOf = new WeakMap<object, readonly FieldOfType[]>();

/** A class of its own for objects with these fields. */
export function objectType(fields: readonly FieldOfType[]): typeof SchemaObject {
  const Type = class extends SchemaObject {};
  for (const [index, field] of fields.entries()) {
    // By the constructor the engine knows the type of a value.
    if (field.escaped === "constructor") continue;
    Object.defineProperty(Type.prototype, field.escaped, {
      get(this: SchemaObject): unknown {
        return SchemaObject.field(this, index, field);
      },
    });
  }
  fieldsOf.set(Type, fields);
  return Type;
}

/** Whether what the type of two objects does not know of them is the same. */
export function sameUnknown(a: SchemaObject, b: SchemaObject): boolean {
  const known = new Set((fieldsOf.get(a.constructor) ?? []).map(({ name }) => name));
  return jsonEqual(SchemaObject.without(a, known), SchemaObject.without(b, known));
}

/** The values of an object in the order of its type's fields; undefined where it has none. */
export function fieldValues(object: SchemaObject): readonly unknown[] {
  return (fieldsOf.get(object.constructor) ?? []).map((field, index) => SchemaObject.field(object, index, field));
}
