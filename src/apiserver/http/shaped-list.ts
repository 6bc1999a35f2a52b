import { Turns } from "../../internal/turns.js";
import type { StoredObject } from "../request.js";
import type { Exchange } from "./exchange.js";
import { sendProtobufItems } from "./protobuf-list.js";
import type { ListShape } from "./represent.js";
import { sendObject, wantsPretty } from "./respond.js";
import { type Stall, sendPieces } from "./send-pieces.js";
import { yamlText } from "./yaml-text.js";

/** What is stored in so many bytes is written in one go. */
const wholeBytes = 128 * 1024;

export function wholeList({ envelope, field, element }: ListShape, items: readonly StoredObject[]): object {
  return { ...envelope, [field]: items.map((item) => element(item)) };
}

/** Sends a list in the shape and format that the client asked for. A long one is made while it is sent, in parts. */
export async function sendShapedList(
  exchange: Exchange,
  shape: ListShape,
  items: readonly StoredObject[],
  stall: Stall,
): Promise<void> {
  let size = 0;
  for (const item of items) size += item.size;
  if (size <= wholeBytes) return sendObject(exchange, 200, wholeList(shape, items));
  const { format } = exchange.accepted;
  const codec = exchange.protobuf?.objects.codec;
  if (format === "protobuf" && codec !== undefined) {
    const encode = (item: StoredObject): Buffer => codec.encodeItem(shape.element(item) as ListShape["envelope"]);
    return sendProtobufItems(exchange, shape.envelope, items, { codec, encode, stall });
  }
  const form = format === "yaml" ? yamlForm : wantsPretty(exchange) ? prettyForm : denseForm;
  await sendPieces(exchange, form.contentType, undefined, parts(shape, items, form), stall);
}

interface Form {
  readonly contentType: string;
  head(envelope: object, field: string): string;
  element(value: unknown): string;
  readonly separator: string;
  tail(envelope: object, field: string): string;
}

const denseForm: Form = {
  contentType: "application/json",
  head: (envelope, field) => `${JSON.stringify({ ...envelope, [field]: [] }).slice(0, -2)}`,
  element: (value) => JSON.stringify(value),
  separator: ",",
  tail: () => "]}\n",
};

const prettyForm: Form = {
  contentType: "application/json",
  head: (envelope, field) => `${JSON.stringify({ ...envelope, [field]: [] }, null, 2).slice(0, -"]\n}".length)}\n    `,
  element: (value) => JSON.stringify(value, null, 2).replaceAll("\n", "\n    "),
  separator: ",\n    ",
  tail: () => "\n  ]\n}\n",
};

const yamlForm: Form = {
  contentType: "application/yaml",
  head: (envelope, field) => `${yamlOf(envelope, (key) => key < field)}${field}:\n`,
  element: (value) => yamlText([value]),
  separator: "",
  tail: (envelope, field) => yamlOf(envelope, (key) => key > field),
};

/** Some of the fields: sorted, the list stands among them. */
function yamlOf(envelope: object, where: (key: string) => boolean): string {
  const fields = Object.entries(envelope).filter(([key]) => where(key));
  return fields.length === 0 ? "" : yamlText(Object.fromEntries(fields));
}

const pieceLength = 64 * 1024;

async function* parts(shape: ListShape, items: readonly StoredObject[], form: Form): AsyncGenerator<Buffer> {
  const turns = new Turns();
  let text = form.head(shape.envelope, shape.field);
  let first = true;
  for (const item of items) {
    // Beside being parsed each is written: dense about as fast, YAML much slower.
    if (turns.due(item.size * (form === yamlForm ? 16 : 3))) await turns.give();
    if (!first) text += form.separator;
    first = false;
    text += form.element(shape.element(item));
    if (text.length < pieceLength) continue;
    yield Buffer.from(text);
    text = "";
  }
  yield Buffer.from(text + form.tail(shape.envelope, shape.field));
}
