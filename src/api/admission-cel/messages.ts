import type { Environment } from "@marcbachmann/cel-js";
import { Optional } from "@marcbachmann/cel-js";
import type { MessageLiteral } from "../custom/cel/rewrite-literals.js";

/** A value of a type `Object...` or `JSONPatch`, made by an expression. */
export class Message {
  readonly type: string;
  readonly fields: ReadonlyMap<string, unknown>;
  constructor(type: string, fields: ReadonlyMap<string, unknown>) {
    this.type = type;
    this.fields = fields;
  }
}

const patchFields: ReadonlyMap<string, string> = new Map([
  ["op", "string"],
  ["path", "string"],
  ["from", "string"],
  ["value", "dyn"],
]);

/** Declares the types that an expression makes values of, and the functions that make them. */
export function registerMessages(
  environment: Environment,
  literals: readonly MessageLiteral[],
  types: readonly string[],
): void {
  const Types = new Map<string, typeof Message>();
  for (const type of new Set([...types, ...literals.map((literal) => literal.type)])) {
    const Type = class extends Message {};
    Types.set(type, Type);
    environment.registerType(type, { ctor: Type, fields: type === "JSONPatch" ? Object.fromEntries(patchFields) : {} });
  }
  for (const { constructorName, type, optional } of literals) {
    const Type = Types.get(type) ?? Message;
    const make = (given: { readonly [field: string]: unknown }): Message => {
      const fields = new Map<string, unknown>();
      for (const [field, value] of Object.entries(given)) {
        const present = optional.has(field) && value instanceof Optional ? unwrap(value) : value;
        if (present !== undefined) fields.set(field, present);
      }
      checkPatch(type, fields);
      return new Type(type, fields);
    };
    // The package's types do not know the third argument, which says that no result is a promise.
    const register = environment.registerFunction.bind(environment) as unknown as (
      signature: string,
      handler: unknown,
      options: { readonly async: boolean },
    ) => unknown;
    register(`${constructorName}(map): ${type}`, make, { async: false });
  }
}

function unwrap(value: Optional): unknown {
  return value.hasValue() ? value.value() : undefined;
}

function checkPatch(type: string, fields: ReadonlyMap<string, unknown>): void {
  if (type !== "JSONPatch") return;
  for (const [field, value] of fields) {
    if (patchFields.get(field) === "string" && typeof value !== "string") {
      throw new Error(`unexpected type ${typeof value} for field ${field} of JSONPatch`);
    }
  }
}

/** What is wrong with the fields of a literal; undefined: nothing. */
export function checkLiteral({ type, fields }: MessageLiteral): string | undefined {
  if (type !== "JSONPatch") return undefined;
  const unknown = fields.find((field) => !patchFields.has(field));
  return unknown === undefined ? undefined : `undefined field '${unknown}'`;
}

/**
 * The JSON value of what an expression made. Objects must stand where their type's name says. Throws with every one that does not, and for what
 * is no JSON.
 */
export function messageToJson(value: unknown): unknown {
  if (value instanceof Message) {
    return Object.fromEntries([...value.fields].map(([field, inner]) => [field, messageToJson(inner)]));
  }
  if (Array.isArray(value)) return value.map(messageToJson);
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, inner]) => [String(key), messageToJson(inner)]));
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Date) return value.toISOString().replace(".000Z", "Z");
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean")
    return value;
  if (typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, messageToJson(inner)]));
  }
  throw new Error("unsupported type conversion to JSON");
}

/** Where objects stand whose type is named for another place: `Object.spec{ selector: Object.spec.wrong{} }`. */
export function misplacedMessages(value: unknown, expected: string): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((item) => misplacedMessages(item, expected));
  if (value instanceof Map) return [...value.values()].flatMap((item) => misplacedMessages(item, expected));
  if (!(value instanceof Message)) return [];
  const here =
    value.type === expected
      ? []
      : [
          `unexpected type name ${JSON.stringify(value.type)}, expected ${JSON.stringify(expected)}, which matches field name path from root Object type`,
        ];
  return [
    ...here,
    ...[...value.fields].flatMap(([field, inner]) => misplacedMessages(inner, `${value.type}.${field}`)),
  ];
}
