import { isJsonObject } from "../json-value.js";
import type { MessageField, MessageType } from "./message.js";
import { microTimeOf, secondsOf } from "./wire-time.js";
import type { WireWriter } from "./wire-writer.js";

type Fields = { readonly [key: string]: unknown };

/**
 * Writes the fields that the object has, in the order of their numbers; fields that the message does not have are left out.
 * Throws TypeError for a value of the wrong type, which no stored object has.
 */
export function writeMessage(writer: WireWriter, type: MessageType, object: Fields): void {
  const { fields } = type;
  for (let index = fields.length - 1; index >= 0; index--) {
    const field = fields[index] as MessageField;
    if (field.embedded) {
      const end = writer.length;
      writeMessage(writer, field.message as MessageType, object);
      if (writer.length > end) writer.prefix(field.number, end);
      continue;
    }
    const value = object[field.name];
    if (value === undefined || value === null) continue;
    if (field.repeat === "single") writeValue(writer, field, field.number, value);
    else if (field.repeat === "list") writeList(writer, field, field.number, value);
    else writeMap(writer, field, value);
  }
}

function writeList(writer: WireWriter, field: MessageField, number: number, value: unknown): void {
  if (!Array.isArray(value)) throw mismatch(field, value);
  for (let index = value.length - 1; index >= 0; index--) writeValue(writer, field, number, value[index]);
}

/** Entries in the order of their keys, as upstream writes them, so that equal objects are equal bytes. */
function writeMap(writer: WireWriter, field: MessageField, value: unknown): void {
  if (!isJsonObject(value)) throw mismatch(field, value);
  const keys = Object.keys(value);
  if (keys.length > 1) keys.sort();
  for (let index = keys.length - 1; index >= 0; index--) {
    const key = keys[index] as string;
    const end = writer.length;
    writeValue(writer, field, 2, value[key]);
    writeText(writer, 1, key);
    writer.prefix(field.number, end);
  }
}

function writeText(writer: WireWriter, number: number, text: string): void {
  const end = writer.length;
  writer.text(text);
  writer.prefix(number, end);
}

function writeValue(writer: WireWriter, field: MessageField, number: number, value: unknown): void {
  switch (field.shape) {
    case "string":
      if (typeof value !== "string") throw mismatch(field, value);
      writeText(writer, number, value);
      return;
    case "bool":
      if (typeof value !== "boolean") throw mismatch(field, value);
      writer.varint(value ? 1 : 0);
      writer.tag(number, 0);
      return;
    case "int32":
    case "int64":
      if (typeof value !== "number" || !Number.isSafeInteger(value)) throw mismatch(field, value);
      writer.varint(value);
      writer.tag(number, 0);
      return;
    case "double":
      if (typeof value !== "number") throw mismatch(field, value);
      writer.double(value);
      writer.tag(number, 1);
      return;
    default: {
      const end = writer.length;
      writeComposite(writer, field, value);
      writer.prefix(number, end);
    }
  }
}

function writeComposite(writer: WireWriter, field: MessageField, value: unknown): void {
  switch (field.shape) {
    case "message":
      if (!isJsonObject(value)) throw mismatch(field, value);
      writeMessage(writer, field.message as MessageType, value);
      return;
    case "bytes":
      if (typeof value !== "string") throw mismatch(field, value);
      writer.bytes(Buffer.from(value, "base64"));
      return;
    case "time":
    case "microTime":
      writeTime(writer, field, value);
      return;
    case "quantity":
      if (typeof value !== "string" && typeof value !== "number") throw mismatch(field, value);
      writeText(writer, 1, String(value));
      return;
    case "intOrString":
      writeIntOrString(writer, field, value);
      return;
    case "json":
      writeText(writer, 1, JSON.stringify(value));
      return;
    case "strings":
      if (!Array.isArray(value)) throw mismatch(field, value);
      for (let index = value.length - 1; index >= 0; index--) writeText(writer, 1, String(value[index]));
      return;
    default:
      writeSchemaOr(writer, field, value);
      return;
  }
}

function writeTime(writer: WireWriter, field: MessageField, value: unknown): void {
  if (typeof value !== "string") throw mismatch(field, value);
  const seconds = secondsOf(value);
  const nanos = field.shape === "microTime" ? microTimeOf(value)?.nanos : 0;
  if (seconds === undefined || nanos === undefined) throw mismatch(field, value);
  writer.varint(nanos);
  writer.tag(2, 0);
  writer.varint(seconds);
  writer.tag(1, 0);
}

/** All three fields, as upstream has it. */
function writeIntOrString(writer: WireWriter, field: MessageField, value: unknown): void {
  const isText = typeof value === "string";
  if (!isText && (typeof value !== "number" || !Number.isInteger(value))) throw mismatch(field, value);
  writeText(writer, 3, isText ? value : "");
  writer.varint(isText ? 0 : value);
  writer.tag(2, 0);
  writer.varint(isText ? 1 : 0);
  writer.tag(1, 0);
}

function writeSchemaOr(writer: WireWriter, field: MessageField, value: unknown): void {
  const schema = field.message as MessageType;
  const nested = (number: number, object: unknown): void => {
    if (!isJsonObject(object)) throw mismatch(field, object);
    const end = writer.length;
    writeMessage(writer, schema, object);
    writer.prefix(number, end);
  };
  if (field.shape === "schemaOrBool") {
    if (typeof value !== "boolean") nested(2, value);
    writer.varint(value === false ? 0 : 1);
    writer.tag(1, 0);
    return;
  }
  if (!Array.isArray(value)) {
    nested(1, value);
    return;
  }
  for (let index = value.length - 1; index >= 0; index--) {
    if (field.shape === "schemaOrSchemas") nested(2, value[index]);
    else writeText(writer, 2, String(value[index]));
  }
}

function mismatch(field: MessageField, value: unknown): TypeError {
  return new TypeError(`${field.name} is no ${field.shape} but ${Array.isArray(value) ? "array" : typeof value}`);
}
