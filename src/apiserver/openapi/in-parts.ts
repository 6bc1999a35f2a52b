import { Turns } from "../../internal/turns.js";
import { encodeDocument } from "./gnostic.js";
import type { Fragment } from "./types.js";

/** `{ components: { schemas: { name: .. } } }` is as deep as the large maps are. */
const mapDepth = 3;

/** The JSON of a document, which may be megabytes, in parts between which others have their turn. */
export async function jsonInParts(document: Fragment): Promise<Buffer> {
  const turns = new Turns();
  const parts: string[] = [];
  const write = async (value: unknown, depth: number): Promise<void> => {
    if (depth === 0 || !isFragment(value)) {
      const text = JSON.stringify(value);
      parts.push(text);
      if (turns.due(2 * text.length)) await turns.give();
      return;
    }
    let before = "{";
    for (const [key, inner] of Object.entries(value)) {
      parts.push(`${before}${JSON.stringify(key)}:`);
      await write(inner, depth - 1);
      before = ",";
    }
    parts.push(before === "{" ? "{}" : "}");
  };
  await write(document, mapDepth);
  return Buffer.from(parts.join(""));
}

const entriesAtOnce = 16;

/** The protobuf of a document, in parts: a message that comes in several pieces is put together by whoever reads it. */
export async function protobufInParts(document: Fragment): Promise<Buffer> {
  const { paths, definitions, ...rest } = document;
  const parts: Buffer[] = [encodeDocument(rest)];
  const turns = new Turns();
  for (const [name, map] of Object.entries({ paths, definitions })) {
    const entries = Object.entries(isFragment(map) ? map : {});
    for (let at = 0; at < entries.length; at += entriesAtOnce) {
      const part = encodeDocument({ [name]: Object.fromEntries(entries.slice(at, at + entriesAtOnce)) });
      parts.push(part);
      if (turns.due(8 * part.length)) await turns.give();
    }
  }
  return Buffer.concat(parts);
}

function isFragment(value: unknown): value is Fragment {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
