import protobuf from "protobufjs";
import type { MessageField, MessageType } from "./message.js";

/** The small messages that JSON has as scalars, as upstream's .proto files declare them. */
const declared = `syntax = "proto2";
message Time { optional int64 seconds = 1; optional int32 nanos = 2; }
message Quantity { optional string string = 1; }
message IntOrString { optional int64 type = 1; optional int32 intVal = 2; optional string strVal = 3; }
message Raw { optional bytes raw = 1; }
message Strings { repeated string items = 1; }
message Empty {}
message SchemaOrBool { optional bool allows = 1; optional apiextensions_v1_JSONSchemaProps schema = 2; }
message SchemaOrSchemas { optional apiextensions_v1_JSONSchemaProps schema = 1; repeated apiextensions_v1_JSONSchemaProps list = 2; }
message SchemaOrStrings { optional apiextensions_v1_JSONSchemaProps schema = 1; repeated string list = 2; }
message TypeMeta { optional string apiVersion = 1; optional string kind = 2; }
message Unknown { optional TypeMeta typeMeta = 1; optional bytes raw = 2; optional string contentEncoding = 3; optional string contentType = 4; }
message RawExtension { optional bytes raw = 1; }
message WatchEvent { optional string type = 1; optional RawExtension object = 2; }
`;

const wireNames: Readonly<Record<MessageField["shape"], string>> = {
  string: "string",
  bool: "bool",
  int32: "int32",
  int64: "int64",
  double: "double",
  bytes: "bytes",
  time: "Time",
  microTime: "Time",
  quantity: "Quantity",
  intOrString: "IntOrString",
  json: "Raw",
  strings: "Strings",
  schemaOrBool: "SchemaOrBool",
  schemaOrSchemas: "SchemaOrSchemas",
  schemaOrStrings: "SchemaOrStrings",
  message: "Empty",
};

export const oracleName = (id: string): string => id.replaceAll(".", "_");

/** A field's name among protobufjs's, which does not like all that JSON has. */
const fieldName = (field: MessageField): string => `f${field.number}`;

/** For tests: another implementation of protobuf with the same fields. */
export function oracleRoot(types: readonly MessageType[]): protobuf.Root {
  const lines = types.map((type) => {
    const fields = type.fields.map((field) => {
      const wire =
        field.message?.id && field.shape === "message" ? oracleName(field.message.id) : wireNames[field.shape];
      const declaredType =
        field.repeat === "map"
          ? `map<string, ${wire}>`
          : `${field.repeat === "list" ? "repeated" : "optional"} ${wire}`;
      return `  ${declaredType} ${fieldName(field)} = ${field.number};`;
    });
    return `message ${oracleName(type.id)} {\n${fields.join("\n")}\n}\n`;
  });
  return protobuf.parse(declared + lines.join(""), { keepCase: true }).root;
}

type Fields = { [key: string]: unknown };

/** JSON as the plain object that protobufjs encodes and decodes. */
export function toOracle(type: MessageType, object: Fields): Fields {
  const result: Fields = {};
  for (const field of type.fields) {
    if (field.embedded && field.message !== undefined) {
      const nested = toOracle(field.message, object);
      if (Object.keys(nested).length > 0) result[fieldName(field)] = nested;
      continue;
    }
    const value = object[field.name];
    if (value === undefined) continue;
    if (field.repeat === "single") result[fieldName(field)] = wireValue(field, value);
    else if (Array.isArray(value)) result[fieldName(field)] = value.map((item) => wireValue(field, item));
    else {
      result[fieldName(field)] = Object.fromEntries(
        Object.entries(value as Fields).map(([key, item]) => [key, wireValue(field, item)]),
      );
    }
  }
  return result;
}

/** What upstream's encoder adds: every field that is no pointer there, whether it says something or not. */
export function withZeros(type: MessageType, object: Fields): Fields {
  const result: Fields = { ...object };
  for (const field of type.fields) {
    const name = fieldName(field);
    const value = result[name];
    if (field.message !== undefined && field.shape === "message" && field.repeat === "single") {
      if (field.embedded || value !== undefined) result[name] = withZeros(field.message, (value ?? {}) as Fields);
    } else if (value === undefined && field.repeat === "single" && !field.keepsZero) {
      const zero = zeros[field.shape];
      if (zero !== undefined) result[name] = zero;
    }
  }
  return result;
}

const zeros: { readonly [shape in MessageField["shape"]]?: unknown } = {
  string: "",
  bool: false,
  int32: 0,
  int64: 0,
  bytes: "",
  time: {},
  microTime: {},
  intOrString: { type: 0, intVal: 0, strVal: "" },
};

function wireValue(field: MessageField, value: unknown): unknown {
  switch (field.shape) {
    case "bytes":
      return value;
    case "time":
      return { seconds: Date.parse(String(value)) / 1000, nanos: 0 };
    case "microTime": {
      const text = String(value);
      return { seconds: Date.parse(`${text.slice(0, 19)}Z`) / 1000, nanos: Number(text.slice(20, 26)) * 1000 };
    }
    case "quantity":
      return { string: value };
    case "intOrString":
      return typeof value === "string" ? { type: 1, intVal: 0, strVal: value } : { type: 0, intVal: value, strVal: "" };
    case "json":
      return { raw: Buffer.from(JSON.stringify(value)).toString("base64") };
    case "strings":
      return (value as unknown[]).length === 0 ? {} : { items: value };
    case "message":
      return field.message === undefined ? {} : toOracle(field.message, value as Fields);
    case "schemaOrBool":
      return typeof value === "boolean" ? { allows: value } : { allows: true, schema: nested(field, value) };
    case "schemaOrSchemas":
      return Array.isArray(value)
        ? { list: value.map((item) => nested(field, item)) }
        : { schema: nested(field, value) };
    case "schemaOrStrings":
      return Array.isArray(value) ? { list: value } : { schema: nested(field, value) };
    default:
      return value;
  }
}

function nested(field: MessageField, value: unknown): unknown {
  return field.message === undefined ? {} : toOracle(field.message, value as Fields);
}

/** What protobufjs read, in the form of `toOracle`. */
export function oracleObject(type: protobuf.Type, bytes: Uint8Array): unknown {
  return type.toObject(type.decode(bytes), { longs: Number, bytes: String, enums: String });
}
