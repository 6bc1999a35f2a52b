import { Turns } from "../../internal/turns.js";
import type { StoredList } from "../request.js";
import type { Exchange } from "./exchange.js";
import { type Stall, sendPieces } from "./send-pieces.js";
import { itemSize, type SlabCache } from "./slabs.js";

/** Streams a list from the bytes of its items, no faster than the client takes them. */
export async function sendList(exchange: Exchange, list: StoredList, slabs: SlabCache, stall: Stall): Promise<void> {
  const head = Buffer.from(
    `{"kind":${JSON.stringify(list.kind)},"apiVersion":${JSON.stringify(list.apiVersion)},"metadata":${JSON.stringify(list.metadata)},"items":[`,
  );
  const tail = Buffer.from("]}\n");
  const size = await sizeOf(list, head.length + tail.length);
  await sendPieces(exchange, "application/json", size, bytesOf(head, list, slabs, tail), stall);
}

async function sizeOf(list: StoredList, around: number): Promise<number> {
  let size = around + Math.max(0, list.items.length - 1);
  const turns = new Turns();
  for (const item of list.items) {
    if (turns.due(0)) await turns.give();
    size += itemSize(item, list.bare === true);
  }
  return size;
}

const comma = Buffer.from(",");

function* pieces(list: StoredList, slabs: SlabCache): Generator<Buffer> {
  for (let at = 0; at < list.items.length; ) {
    if (at > 0) yield comma;
    const slab = slabs.next(list.items, at, list.bare);
    yield slab.bytes;
    at = slab.end;
  }
}

function* bytesOf(head: Buffer, list: StoredList, slabs: SlabCache, tail: Buffer): Generator<Buffer> {
  yield head;
  yield* pieces(list, slabs);
  yield tail;
}
