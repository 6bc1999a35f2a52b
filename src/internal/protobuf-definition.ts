/** Methods by name; `stream ` before a response: many of them. */
export type Services = Readonly<Record<string, Readonly<Record<string, readonly [request: string, response: string]>>>>;

export interface DefinitionParts {
  /**
   * A message in each line: its name and its fields, `name:type=number`, where no type is string, `[]` before it is repeated, `{}` before it is
   * map<string, it>, and `map` is map<string, string>.
   */
  readonly messages: string;
  /** Values in order of their numbers, from 0. */
  readonly enums: Readonly<Record<string, readonly string[]>>;
  readonly services: Services;
}

interface Field {
  readonly id: number;
  readonly type: string;
  readonly rule?: "repeated";
  readonly keyType?: "string";
}

export interface Definition {
  readonly nested: Record<string, object>;
}

/** A protobuf package in the JSON form that the loader of gRPC takes. */
export function definitionOf(packageName: string, { messages, enums, services }: DefinitionParts): Definition {
  const nested: Record<string, object> = {};
  for (const line of messages.trim().split("\n")) {
    const [name = "", ...fields] = line.split(" ");
    nested[name] = { fields: Object.fromEntries(fields.map(fieldOf)) };
  }
  for (const [name, values] of Object.entries(enums)) {
    nested[name] = { values: Object.fromEntries(values.map((value, number) => [value, number])) };
  }
  for (const [name, methods] of Object.entries(services)) {
    nested[name] = { methods: Object.fromEntries(Object.entries(methods).map(methodOf)) };
  }
  const steps = packageName.split(".").reverse();
  return steps.reduce<Definition>((inner, step) => ({ nested: { [step]: inner } }), { nested });
}

function fieldOf(text: string): [name: string, field: Field] {
  const match = /^(\w+)(?::(\[\]|\{\})?(\w+))?=(\d+)$/.exec(text);
  if (match === null) throw new Error(`not a field: ${text}`);
  const [, name = "", many, type = "string", number] = match;
  const id = Number(number);
  if (type === "map") return [name, { id, type: "string", keyType: "string" }];
  if (many === "{}") return [name, { id, type, keyType: "string" }];
  return [name, many === undefined ? { id, type } : { id, type, rule: "repeated" }];
}

function methodOf([name, [requestType, response]]: [string, readonly [string, string]]): [string, object] {
  const responseStream = response.startsWith("stream ");
  return [name, { requestType, responseType: response.replace("stream ", ""), responseStream }];
}
