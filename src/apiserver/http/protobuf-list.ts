import { setImmediate as nextTurn } from "node:timers/promises";
import type { StoredList } from "../request.js";
import type { Exchange } from "./exchange.js";
import { protobufType } from "./negotiate.js";
import type { ProtobufObjects } from "./protobuf.js";
import { type Stall, sendPieces } from "./respond.js";

/** Encoded between two turns of the event loop. */
const objectsPerTurn = 64;
const pieceBytes = 256 * 1024;

/**
 * Sends a list as protobuf. The length of all items stands before the first, so all are encoded before anything is sent; other
 * requests get their turn in between.
 */
export async function sendProtobufList(
  exchange: Exchange,
  list: StoredList,
  objects: ProtobufObjects,
  stall: Stall,
): Promise<void> {
  const { codec } = objects;
  const parts: Buffer[] = [];
  let size = 0;
  let encoded = 0;
  for (const item of list.items) {
    if (!objects.has(item) && ++encoded % objectsPerTurn === 0) {
      await nextTurn();
      if (exchange.ended) return;
    }
    const bytes = objects.item(item);
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
