import { type MutableJsonObject, setOwn } from "../json-value.js";
import { randomJson } from "../random-objects.fixture.js";
import type { MessageField, MessageType } from "./message.js";

type Next = (bound: number) => number;

const texts = [
  "a",
  "",
  "x.y/z",
  "é",
  "日本",
  "😀",
  "constructor",
  "__proto__",
  "a".repeat(70),
  "ü".repeat(40),
  "line\n\0",
];
const integers = [0, 1, -1, 127, 128, 16383, 16384, 2 ** 21, 2 ** 28, 2 ** 31 - 1, -(2 ** 31)];
const longs = [...integers, 2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];

function pick<T>(next: Next, from: readonly T[]): T {
  return from[next(from.length)] as T;
}

/** For tests: JSON of a message as upstream would write it: zeros only where they say something. */
export function randomMessage(next: Next, type: MessageType, depth: number): MutableJsonObject {
  const object: MutableJsonObject = {};
  fill(next, type, depth, object);
  return object;
}

function fill(next: Next, type: MessageType, depth: number, object: MutableJsonObject): void {
  const few = depth <= 0 ? 3 : Math.max(1, Math.floor(type.fields.length / 5));
  for (const field of type.fields) {
    if (next(few) !== 0) continue;
    if (field.embedded) {
      if (field.message !== undefined) fill(next, field.message, depth, object);
      continue;
    }
    const value = randomField(next, field, depth);
    if (value !== undefined) object[field.name] = value;
  }
}

function randomField(next: Next, field: MessageField, depth: number): unknown {
  if (field.repeat === "list") {
    const list = Array.from({ length: depth <= 0 ? 0 : next(4) }, () => randomValue(next, field, depth - 1));
    return list.length === 0 ? undefined : list;
  }
  if (field.repeat === "map") {
    const map: MutableJsonObject = {};
    for (let count = depth <= 0 ? 0 : next(4); count > 0; count--)
      setOwn(map, pick(next, texts), randomValue(next, field, depth - 1));
    return Object.keys(map).length === 0 ? undefined : map;
  }
  if (field.shape === "message" && depth <= 0) return undefined;
  const value = randomValue(next, field, depth - 1);
  // Null in a field is no value; in a list it is one.
  if (value === null) return undefined;
  const isZero = value === 0 || value === "" || value === false;
  const tellsZero = field.keepsZero || field.shape === "schemaOrBool" || field.shape === "json";
  return isZero && !tellsZero ? undefined : value;
}

function randomValue(next: Next, field: MessageField, depth: number): unknown {
  switch (field.shape) {
    case "string":
      return pick(next, texts);
    case "bool":
      return next(2) === 0;
    case "int32":
      return pick(next, integers);
    case "int64":
      return pick(next, longs);
    case "double":
      return pick(next, [0, 1.5, -2.25, 1e300]);
    case "bytes":
      return pick(next, ["", "YQ==", Buffer.alloc(300, 7).toString("base64")]);
    case "time":
      return pick(next, [
        "2024-02-29T23:59:59Z",
        "1970-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "0001-01-02T00:00:00Z",
      ]);
    case "microTime":
      return pick(next, ["2024-02-29T23:59:59.123456Z", "1970-01-01T00:00:00.000001Z", "2000-01-01T00:00:00.000000Z"]);
    case "quantity":
      return pick(next, ["0", "1", "500m", "1Gi"]);
    case "intOrString":
      return pick<number | string>(next, [0, 1, -5, 65535, "", "25%", "http"]);
    case "json":
      return randomJson(next, 2);
    case "strings":
      return Array.from({ length: next(3) }, () => pick(next, texts));
    case "message":
      return field.message === undefined ? {} : randomMessage(next, field.message, depth);
    default:
      return randomSchemaOr(next, field, depth);
  }
}

function randomSchemaOr(next: Next, field: MessageField, depth: number): unknown {
  const schema = (): unknown => (field.message === undefined ? {} : randomMessage(next, field.message, depth));
  if (next(2) === 0) return schema();
  if (field.shape === "schemaOrBool") return next(2) === 0;
  return Array.from({ length: 1 + next(2) }, () => (field.shape === "schemaOrSchemas" ? schema() : pick(next, texts)));
}
