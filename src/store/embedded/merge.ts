import { rename } from "node:fs/promises";
import { encodeFrame, type Frame, fileHeader, frameKinds } from "./frame.js";
import { baseFrame, type Loaded } from "./load.js";
import { scanSegment } from "./scan.js";
import { createSegment, type Segment, syncFolder } from "./segment.js";
import type { DiskVersion } from "./version.js";

export interface MergeOptions {
  readonly folder: string;
  /** All files but the one written to, oldest first. */
  readonly sealed: readonly Segment[];
  readonly state: Pick<Loaded, "index" | "revision" | "compactRevision" | "lastLease">;
  readonly leaseIsAlive: (lease: number) => boolean;
  readonly signal: AbortSignal;
}

interface Move {
  readonly version: DiskVersion;
  readonly valueOffset: number;
}

const flushBytes = 4 * 1024 * 1024;

/**
 * Writes what is still alive of the sealed files into one that takes the place of the last of them, by one rename.
 * Versions point to it afterwards; the caller closes and removes the others. Undefined when aborted.
 */
export async function mergeSegments(options: MergeOptions): Promise<Segment | undefined> {
  const { sealed, state, signal } = options;
  const last = sealed.at(-1);
  if (last === undefined) return undefined;
  // A deletion after this may hide a version that has been copied before both were compacted: it must stay.
  const horizon = state.compactRevision;
  const merged = await createSegment(`${last.path}.tmp`, last.number);
  const moves: Move[] = [];
  let chunks: Buffer[] = [baseFrame];
  let pending = baseFrame.length;
  let end = fileHeader.length;
  const flush = async (): Promise<void> => {
    await merged.write(Buffer.concat(chunks), end);
    end += pending;
    chunks = [];
    pending = 0;
  };
  const keep = (frame: Frame, segment: Segment): boolean => {
    const { a } = frame.fields;
    if (frame.kind === frameKinds.grant) return options.leaseIsAlive(a);
    if (frame.kind === frameKinds.delete) return a > horizon;
    if (frame.kind !== frameKinds.put) return false;
    const version = state.index.at(frame.key, a);
    if (version === undefined || version.revision !== a || version.segment !== segment) return false;
    moves.push({ version, valueOffset: end + pending + frame.valueOffset });
    return true;
  };
  for (const segment of sealed) {
    await scanSegment(segment, async (frame, _offset, bytes) => {
      if (signal.aborted || !keep(frame, segment)) return;
      chunks.push(bytes);
      pending += bytes.length;
      if (pending > flushBytes) await flush();
    });
  }
  const { revision, compactRevision, lastLease } = state;
  const [closing] = encodeFrame(frameKinds.state, { durable: 0, a: revision, b: compactRevision, c: lastLease });
  chunks.push(closing);
  pending += closing.length;
  await flush();
  await merged.sync();
  merged.size = end;
  if (signal.aborted) {
    await merged.close();
    return undefined;
  }
  await rename(merged.path, last.path);
  merged.path = last.path;
  await syncFolder(options.folder);
  for (const { version, valueOffset } of moves) {
    version.segment = merged;
    version.valueOffset = valueOffset;
  }
  return merged;
}
