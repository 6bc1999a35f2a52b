import { decodeJson } from "../decode/json.js";
import { isJsonObject, type MutableJsonObject, setOwn } from "../json-value.js";
import type { MessageField, MessageType } from "./message.js";
import { malformed, maxMessageDepth, tooDeep, type WireReader } from "./wire-reader.js";
import { microTimeText, timeText } from "./wire-time.js";

/** Stands for a value that JSON leaves out. */
const absent = Symbol("absent");

/**
 * Reads a message up to the reader's end into `target`, as the JSON that upstream would write for it: zeros, empty text and unset
 * times are left out where upstream does not tell them from nothing. Fields that nobody knows are skipped; messages that
 * come in parts are joined. Throws DecodeError.
 */
export function readMessage(reader: WireReader, type: MessageType, target: MutableJsonObject, depth = 0): void {
  if (depth > maxMessageDepth) throw tooDeep();
  const { byNumber } = type;
  while (!reader.done) {
    const tag = reader.tag();
    const field = byNumber.get(tag >>> 3);
    if (field === undefined) {
      if ((tag & 7) === 4) throw malformed("wiretype end group for non-group");
      reader.skip(tag & 7, depth);
    } else readField(reader, field, tag & 7, target, depth);
  }
}

function readField(
  reader: WireReader,
  field: MessageField,
  wireType: number,
  target: MutableJsonObject,
  depth: number,
): void {
  if (field.embedded) {
    expectWire(field, wireType, 2);
    const outer = reader.enter();
    readMessage(reader, field.message as MessageType, target, depth + 1);
    reader.leave(outer);
    return;
  }
  if (field.repeat === "map") {
    readEntry(reader, field, wireType, target, depth);
    return;
  }
  const { name } = field;
  if (field.repeat === "list") {
    const known = target[name];
    const list: unknown[] = Array.isArray(known) ? known : [];
    if (list !== known) target[name] = list;
    readItem(reader, field, wireType, list, depth);
    return;
  }
  const value = readValue(reader, field, wireType, target[name], depth);
  if (value === absent || (!field.keepsZero && isZero(field, value))) {
    // The last value counts, also when it is none.
    if (target[name] !== undefined) delete target[name];
  } else target[name] = value;
}

function isZero(field: MessageField, value: unknown): boolean {
  switch (field.shape) {
    case "string":
    case "bytes":
      return value === "";
    case "bool":
      return value === false;
    case "int32":
    case "int64":
    case "double":
    case "intOrString":
      return value === 0;
    default:
      return false;
  }
}

/** Zeros of list items and of values of maps are what they are. */
function zeroOf(field: MessageField): unknown {
  switch (field.shape) {
    case "string":
    case "bytes":
      return "";
    case "bool":
      return false;
    case "quantity":
      return "0";
    case "strings":
      return [];
    case "message":
      return {};
    case "int32":
    case "int64":
    case "double":
    case "intOrString":
      return 0;
    default:
      return null;
  }
}

function readItem(reader: WireReader, field: MessageField, wireType: number, list: unknown[], depth: number): void {
  const packed = wireType === 2 && wireTypeOf(field) !== 2;
  if (!packed) {
    const value = readValue(reader, field, wireType, undefined, depth);
    list.push(value === absent ? zeroOf(field) : value);
    return;
  }
  const outer = reader.enter();
  while (!reader.done) list.push(readValue(reader, field, wireTypeOf(field), undefined, depth));
  reader.leave(outer);
}

function readEntry(
  reader: WireReader,
  field: MessageField,
  wireType: number,
  target: MutableJsonObject,
  depth: number,
): void {
  expectWire(field, wireType, 2);
  const known = target[field.name];
  const map: MutableJsonObject = isJsonObject(known) ? known : {};
  if (map !== known) target[field.name] = map;
  const outer = reader.enter();
  let key = "";
  let value: unknown = absent;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) {
      expectWire(field, tag & 7, 2);
      key = reader.string();
    } else if (tag >>> 3 === 2) value = readValue(reader, field, tag & 7, value, depth);
    else reader.skip(tag & 7, depth);
  }
  reader.leave(outer);
  setOwn(map, key, value === absent ? zeroOf(field) : value);
}

function wireTypeOf(field: MessageField): number {
  switch (field.shape) {
    case "bool":
    case "int32":
    case "int64":
      return 0;
    case "double":
      return 1;
    default:
      return 2;
  }
}

function expectWire(field: MessageField, wireType: number, expected: number): void {
  if (wireType !== expected) throw malformed(`wrong wireType = ${wireType} for field ${field.name}`);
}

function readValue(reader: WireReader, field: MessageField, wireType: number, known: unknown, depth: number): unknown {
  expectWire(field, wireType, wireTypeOf(field));
  switch (field.shape) {
    case "string":
      return reader.string();
    case "bool":
      return reader.bool();
    case "int32":
      return reader.int32();
    case "int64":
      return reader.int64();
    case "double":
      return reader.double();
    case "bytes":
      return reader.bytes().toString("base64");
    default: {
      const outer = reader.enter();
      const value = readComposite(reader, field, known, depth);
      reader.leave(outer);
      return value;
    }
  }
}

function readComposite(reader: WireReader, field: MessageField, known: unknown, depth: number): unknown {
  switch (field.shape) {
    case "message": {
      const target: MutableJsonObject = isJsonObject(known) ? known : {};
      readMessage(reader, field.message as MessageType, target, depth + 1);
      return target;
    }
    case "time":
    case "microTime":
      return readTime(reader, field);
    case "quantity":
      return readQuantity(reader);
    case "intOrString": {
      const { int1, int2, text3 } = readParts(reader);
      return int1 === 0 ? int2 : text3;
    }
    case "json":
      return readJson(reader);
    case "strings":
      return readStrings(reader);
    default:
      return readSchemaOr(reader, field, depth);
  }
}

function readTime(reader: WireReader, field: MessageField): unknown {
  if (reader.done) return absent;
  const { int1: seconds, int2: nanos } = readParts(reader);
  const text = field.shape === "time" ? timeText(seconds) : microTimeText({ seconds, nanos });
  if (text === undefined) throw malformed(`time ${seconds} of field ${field.name} is out of range`);
  return text;
}

/** The numbers of fields 1 and 2 and the text of field 3: what times and IntOrStrings are made of. */
function readParts(reader: WireReader): { readonly int1: number; readonly int2: number; readonly text3: string } {
  let int1 = 0;
  let int2 = 0;
  let text3 = "";
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x08) int1 = reader.int64();
    else if (tag === 0x10) int2 = reader.int32();
    else if (tag === 0x1a) text3 = reader.string();
    else reader.skip(tag & 7, 0);
  }
  return { int1, int2, text3 };
}

/** Calls `read` for each value of field 1, which is length-delimited. */
function forEachFirst(reader: WireReader, read: () => void): void {
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) read();
    else reader.skip(tag & 7, 0);
  }
}

function readQuantity(reader: WireReader): string {
  let text = "";
  forEachFirst(reader, () => {
    text = reader.string();
  });
  return text === "" ? "0" : text;
}

function readStrings(reader: WireReader): readonly string[] {
  const texts: string[] = [];
  forEachFirst(reader, () => texts.push(reader.string()));
  return texts;
}

function readJson(reader: WireReader): unknown {
  let raw: Buffer | undefined;
  forEachFirst(reader, () => {
    raw = reader.bytes();
  });
  return raw === undefined || raw.length === 0 ? absent : decodeJson(raw).value;
}

function readSchemaOr(reader: WireReader, field: MessageField, depth: number): unknown {
  let allows = false;
  let schema: MutableJsonObject | undefined;
  const list: unknown[] = [];
  const schemaNumber = field.shape === "schemaOrBool" ? 2 : 1;
  const nested = (target: MutableJsonObject): MutableJsonObject => {
    const outer = reader.enter();
    readMessage(reader, field.message as MessageType, target, depth + 1);
    reader.leave(outer);
    return target;
  };
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === schemaNumber * 8 + 2) schema = nested(schema ?? {});
    else if (tag === 0x08 && field.shape === "schemaOrBool") allows = reader.bool();
    else if (tag === 0x12) list.push(field.shape === "schemaOrSchemas" ? nested({}) : reader.string());
    else reader.skip(tag & 7, depth);
  }
  if (field.shape === "schemaOrBool") return schema ?? allows;
  if (list.length > 0) return list;
  return schema ?? absent;
}
