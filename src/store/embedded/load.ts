import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { StoreError } from "../errors.js";
import { EventLog } from "../mvcc/event-log.js";
import { KeyIndex } from "../mvcc/key-index.js";
import { encodeFrame, type Frame, fileHeader, frameKinds } from "./frame.js";
import { provesDamage, scanSegment } from "./scan.js";
import { createSegment, listSegments, openSegment, type Segment, segmentPath, syncFolder } from "./segment.js";
import { DiskVersion } from "./version.js";

/** What a folder holds, in memory but for the values. */
export interface Loaded {
  index: KeyIndex<DiskVersion>;
  log: EventLog<DiskVersion>;
  readonly leases: Map<number, number>;
  readonly leaseOf: Map<string, number>;
  revision: number;
  compactRevision: number;
  lastLease: number;
  liveBytes: number;
  /** Oldest first; the last one is written to. */
  readonly segments: Segment[];
}

/** Reads the journal of a folder, begins one if there is none, and cuts off a write that a crash left unfinished. */
export async function loadFolder(folder: string): Promise<Loaded> {
  for (const name of await readdir(folder)) if (name.endsWith(".tmp")) await rm(join(folder, name));
  const loaded: Loaded = {
    index: new KeyIndex(),
    log: new EventLog(),
    leases: new Map(),
    leaseOf: new Map(),
    revision: 1,
    compactRevision: 0,
    lastLease: 0,
    liveBytes: 0,
    segments: [],
  };
  try {
    await loadSegments(folder, loaded);
  } catch (error) {
    await Promise.all(loaded.segments.map((segment) => segment.close()));
    throw error;
  }
  return loaded;
}

async function loadSegments(folder: string, loaded: Loaded): Promise<void> {
  const numbers = await listSegments(folder);
  for (const [position, number] of numbers.entries()) {
    const segment = await openSegment(segmentPath(folder, number), number);
    loaded.segments.push(segment);
    if (position > 0 && (await isBase(segment))) await forgetBefore(loaded);
    const end = await scanSegment(segment, (frame, offset) => apply(loaded, segment, frame, offset));
    if (end === segment.size) continue;
    const last = position === numbers.length - 1;
    if (!last || (await provesDamage(segment, end, loaded.revision))) {
      const message = `${segment.path} is damaged at byte ${end}: acknowledged writes behind it would be lost`;
      throw new StoreError("unavailable", message);
    }
    segment.size = end;
    await segment.trim();
  }
  const active = loaded.segments.at(-1);
  if (active === undefined) loaded.segments.push(await createSegment(segmentPath(folder, 1), 1));
  else if (active.size === 0) await active.append(fileHeader);
  await syncFolder(folder);
  compactLoaded(loaded, loaded.compactRevision);
}

/** A file that begins with a state is a merge of all before it; they are left only if a crash came between. */
async function isBase(segment: Segment): Promise<boolean> {
  const first = await segment.readChunk(fileHeader.length, baseFrame.length);
  return first.equals(baseFrame);
}

/** The first frame of a file that holds all that is left of the files before it. */
export const baseFrame: Buffer = encodeFrame(frameKinds.state, { durable: 0, a: 0, b: 0, c: 0 }, "merged")[0];

async function forgetBefore(loaded: Loaded): Promise<void> {
  for (const old of loaded.segments.splice(0, loaded.segments.length - 1)) {
    await old.close();
    await rm(old.path);
  }
  loaded.index = new KeyIndex();
  loaded.log = new EventLog();
  loaded.liveBytes = 0;
  loaded.leases.clear();
  loaded.leaseOf.clear();
}

function apply(loaded: Loaded, segment: Segment, frame: Frame, offset: number): void {
  const { kind, key } = frame;
  const { a, b = 0, c = 0 } = frame.fields;
  if (kind === frameKinds.put || kind === frameKinds.delete) {
    const version = new DiskVersion(key, a, kind === frameKinds.put ? b : 0, frame.valueLength, frame.length);
    version.segment = segment;
    version.valueOffset = offset + frame.valueOffset;
    loaded.index.add(version);
    loaded.log.push(version);
    loaded.liveBytes += frame.length;
    loaded.revision = Math.max(loaded.revision, a);
    if (kind === frameKinds.put && c > 0) loaded.leaseOf.set(key, c);
    else loaded.leaseOf.delete(key);
  } else if (kind === frameKinds.state) {
    loaded.revision = Math.max(loaded.revision, a);
    loaded.compactRevision = Math.max(loaded.compactRevision, b);
    loaded.lastLease = Math.max(loaded.lastLease, c);
  } else if (kind === frameKinds.grant) {
    loaded.leases.set(a, b);
    loaded.lastLease = Math.max(loaded.lastLease, a);
  } else loaded.leases.delete(a);
}

/** Forgets history up to `revision`. */
export function compactLoaded(
  loaded: Pick<Loaded, "index" | "log" | "liveBytes" | "compactRevision">,
  revision: number,
): void {
  loaded.compactRevision = revision;
  loaded.log.dropThrough(revision, ({ key }) =>
    loaded.index.compact(key, revision, (version) => {
      loaded.liveBytes -= version.frameLength;
    }),
  );
}
