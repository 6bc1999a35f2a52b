import { StoreError } from "../errors.js";
import { decodeFrame, type Frame, fileHeader } from "./frame.js";
import type { Segment } from "./segment.js";

export type FrameVisitor = (frame: Frame, offset: number, bytes: Buffer) => void | Promise<void>;

const chunkBytes = 8 * 1024 * 1024;

/**
 * Visits the frames of a file in order; `bytes` are those of the frame. Gives the offset behind the last whole frame:
 * less than the file's size when what follows is no frame.
 */
export async function scanSegment(segment: Segment, visit: FrameVisitor): Promise<number> {
  const header = await segment.readChunk(0, fileHeader.length);
  if (header.length < fileHeader.length) return 0;
  if (!header.equals(fileHeader)) {
    throw new StoreError("unavailable", `${segment.path} is not a journal of this version, or is damaged`);
  }
  let offset = fileHeader.length;
  let wanted = chunkBytes;
  while (offset < segment.size) {
    const chunk = await segment.readChunk(offset, wanted);
    let inChunk = 0;
    for (;;) {
      const frame = decodeFrame(chunk, inChunk);
      if (frame === undefined) break;
      await visit(frame, offset + inChunk, chunk.subarray(inChunk, inChunk + frame.length));
      inChunk += frame.length;
    }
    offset += inChunk;
    // A frame longer than the chunk: try again with more, unless this was all there is.
    if (inChunk > 0) wanted = chunkBytes;
    else if (chunk.length < wanted) return offset;
    else wanted *= 2;
  }
  return offset;
}

/**
 * Whether a sound frame behind `offset` says that something behind `durableThrough` had been acknowledged: then what
 * is broken before it is no unfinished write but damage.
 */
export async function provesDamage(segment: Segment, offset: number, durableThrough: number): Promise<boolean> {
  const rest = await segment.readChunk(offset, 64 * 1024 * 1024);
  for (let at = 0; at < rest.length; at++) {
    const frame = decodeFrame(rest, at);
    if (frame !== undefined && frame.fields.durable > durableThrough) return true;
  }
  return false;
}
