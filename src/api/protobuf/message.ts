/** How a value of a field goes over the wire. */
export type WireShape =
  | "string"
  | "bool"
  | "int32"
  | "int64"
  | "double"
  | "bytes"
  | "time"
  | "microTime"
  | "quantity"
  | "intOrString"
  /** Any JSON value, as its text in field 1 of a message. */
  | "json"
  /** A list of strings in field 1 of a message. */
  | "strings"
  /** apiextensions: a boolean, or a schema. */
  | "schemaOrBool"
  /** apiextensions: a schema, or a list of them. */
  | "schemaOrSchemas"
  /** apiextensions: a schema, or a list of names. */
  | "schemaOrStrings"
  | "message";

export interface MessageField {
  readonly number: number;
  /** In JSON; empty for fields of an embedded message. */
  readonly name: string;
  readonly shape: WireShape;
  readonly repeat: "single" | "list" | "map";
  /** Zero says something else than nothing: it is kept when it comes in. */
  readonly keepsZero: boolean;
  /** The message's fields stand in JSON among those of this one. */
  readonly embedded: boolean;
  /** Shapes message and schemaOr...: of what. */
  readonly message: MessageType | undefined;
}

/** The fields of a definition by their numbers. */
export interface MessageType {
  /** `core.v1.Pod`. */
  readonly id: string;
  /** Whether objects of it stand alone, with apiVersion and kind in the envelope. */
  readonly isKind: boolean;
  /** In order of numbers. */
  readonly fields: readonly MessageField[];
  readonly byNumber: ReadonlyMap<number, MessageField>;
}

const shapes: ReadonlyMap<string, WireShape> = new Map([
  ["s", "string"],
  ["b", "bool"],
  ["j", "int32"],
  ["i", "int64"],
  ["n", "double"],
  ["y", "bytes"],
  ["d", "time"],
  ["u", "microTime"],
  ["q", "quantity"],
  ["x", "intOrString"],
  ["a", "json"],
  ["e", "strings"],
  ["B", "schemaOrBool"],
  ["A", "schemaOrSchemas"],
  ["S", "schemaOrStrings"],
  ["o", "message"],
]);

const schemaDefinition = "apiextensions.v1.JSONSchemaProps";

/**
 * The messages of a table as scripts/generate/protobuf.mjs writes it, read when they are first asked for: most programs touch
 * few of the kinds.
 */
export class MessageTable {
  readonly #lines: Readonly<Record<string, string>>;
  readonly #types = new Map<string, MessageType>();

  constructor(lines: Readonly<Record<string, string>>) {
    this.#lines = lines;
  }

  ids(): readonly string[] {
    return Object.keys(this.#lines);
  }

  get(id: string): MessageType | undefined {
    const known = this.#types.get(id);
    if (known !== undefined) return known;
    const line = Object.hasOwn(this.#lines, id) ? this.#lines[id] : undefined;
    if (line === undefined) return undefined;
    return this.#keep(new TableMessage(id, line, (reference) => this.#require(reference)));
  }

  #keep(type: MessageType): MessageType {
    this.#types.set(type.id, type);
    return type;
  }

  #require(id: string): MessageType {
    const type = this.get(id);
    if (type === undefined) throw new Error(`no protobuf message ${id}`);
    return type;
  }
}

type Resolve = (id: string) => MessageType;

class TableMessage implements MessageType {
  readonly id: string;
  readonly isKind: boolean;
  readonly #line: string;
  readonly #resolve: Resolve;
  #fields: readonly MessageField[] | undefined;
  #byNumber: ReadonlyMap<number, MessageField> | undefined;

  constructor(id: string, line: string, resolve: Resolve) {
    this.id = id;
    this.isKind = line.startsWith("@");
    this.#line = line;
    this.#resolve = resolve;
  }

  get fields(): readonly MessageField[] {
    this.#fields ??= this.#line
      .split(" ")
      .filter((token) => token !== "" && token !== "@")
      .map((token) => parseField(token, this.#resolve));
    return this.#fields;
  }

  get byNumber(): ReadonlyMap<number, MessageField> {
    this.#byNumber ??= new Map(this.fields.map((field) => [field.number, field]));
    return this.#byNumber;
  }
}

const emptyMessage: MessageType = { id: "", isKind: false, fields: [], byNumber: new Map() };

function parseField(token: string, resolve: Resolve): MessageField {
  const match = /^(\d+):(?:\+(.+)|(!?)(\[\]|\{\})?([^:]+):(.+))$/.exec(token);
  if (match === null) throw new Error(`cannot read ${token} in the protobuf table`);
  const [, number, embedded, keep, repeat, code = "", name = ""] = match;
  if (embedded !== undefined) {
    const message = resolve(embedded);
    const base = { number: Number(number), name: "", shape: "message", repeat: "single" } as const;
    return { ...base, keepsZero: true, embedded: true, message };
  }
  const shape = code.startsWith("#") ? "message" : shapes.get(code);
  if (shape === undefined) throw new Error(`unknown shape ${code} in the protobuf table`);
  const message = code.startsWith("#")
    ? resolve(code.slice(1))
    : code === "o"
      ? emptyMessage
      : shape.startsWith("schemaOr")
        ? resolve(schemaDefinition)
        : undefined;
  return {
    number: Number(number),
    name,
    shape,
    repeat: repeat === "[]" ? "list" : repeat === "{}" ? "map" : "single",
    keepsZero: keep === "!",
    embedded: false,
    message,
  };
}
