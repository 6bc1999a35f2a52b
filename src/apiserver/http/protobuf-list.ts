import type { ProtobufCodec } from "../../api/protobuf/index.js";
import { Turns } from "../../internal/turns.js";
import type { StoredList, StoredObject } from "../request.js";
import type { Exchange } from "./exchange.js";
import { protobufType } from "./negotiate.js";
import type { ProtobufObjects } from "./protobuf.js";
import { type Stall, sendPieces } from "./send-pieces.js";

const pieceBytes = 256 * 1024;

/** Sends a list as protobuf, each object encoded once while it is in use. */
export function sendProtobufList(
  exchange: Exchange,
  list: StoredList,
  objects: ProtobufObjects,
  stall: Stall,
): Promise<void> {
  const { codec } = objects;
  const known = (item: StoredObject): boolean => objects.has(item);
  return sendProtobufItems(exchange, list, list.items, { codec, encode: (item) => objects.item(item), known, stall });
}

interface ItemEncoding {
  readonly codec: ProtobufCodec;
  encode(item: StoredObject): Buffer;
  /** Whether `encode` has nothing to do. */
  known?(item: StoredObject): boolean;
  readonly stall: Stall;
}

/**
 * The length of all items stands before the first, so all are encoded before anything is sent; other requests get their turn in
 * between.
 */
export async function sendProtobufItems(
  exchange: Exchange,
  list: Pick<StoredList, "apiVersion" | "kind"> & { readonly metadata: object },
  items: readonly StoredObject[],
  { codec, encode, known, stall }: ItemEncoding,
): Promise<void> {
  const parts: Buffer[] = [];
  const turns = new Turns();
  let size = 0;
  for (const item of items) {
    if (turns.due(known?.(item) === true ? 0 : 8 * item.size)) {
      await turns.give();
      if (exchange.ended) return;
    }
    const bytes = encode(item);
    parts.push(bytes);
    size += bytes.length;
  }
  const head = codec.listHead(list, size);
  const tail = codec.listTail;
  await sendPieces(exchange, protobufType, head.length + size + tail.length, pieces(head, parts, tail), stall);
}

function* pieces(head: Buffer, parts: readonly Buffer[], tail: Buffer): Generator<Buffer> {
  let piece: Buffer[] = [head];
  let size = head.length;
  for (const part of parts) {
    if (size > pieceBytes) {
      yield Buffer.concat(piece, size);
      piece = [];
      size = 0;
    }
    piece.push(part);
    size += part.length;
  }
  piece.push(tail);
  yield Buffer.concat(piece, size + tail.length);
}
