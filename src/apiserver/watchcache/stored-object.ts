import type { JsonObject, KubeObject, Labels } from "../../api/index.js";
import type { StoredObject } from "../request.js";
import { labelsIn } from "./stored-labels.js";

/**
 * How objects are kept: `{"kind":..,"apiVersion":..,"metadata":{..},..}` without resourceVersion, which is the store's revision
 * and put in as the first field of metadata when bytes go out. Putting it in needs no parsing because our own encoding
 * always begins like this; what somebody else wrote in another order is brought into it once.
 */
const head = /^\{"kind":"[^"\\]*","apiVersion":"[^"\\]*","metadata":\{/;

const metadataStart = Buffer.from('"metadata":{');

/** Where metadata begins, behind the brace; 0 where the value begins otherwise. */
function headSizeOf(value: Buffer): number {
  if (value[0] !== 0x7b) return 0;
  const match = head.exec(value.toString("latin1", 0, 200));
  return match === null ? 0 : match[0].length - metadataStart.length - 1;
}

/** Encodes for the store. Undefined fields vanish; the order of all but the first three fields is kept. */
export function encodeObject(object: JsonObject): Buffer {
  const { kind, apiVersion, metadata, ...rest } = object;
  const { resourceVersion: _, ...kept } = metadata as JsonObject;
  return Buffer.from(JSON.stringify({ kind, apiVersion, metadata: kept, ...rest }));
}

/** A value that cannot be read back. The cause says why. */
export class CorruptObjectError extends Error {
  override readonly name = "CorruptObjectError";
}

function decodeValue(value: Buffer, key: string): JsonObject {
  try {
    return JSON.parse(value.toString()) as JsonObject;
  } catch (cause) {
    throw new CorruptObjectError(`the stored value of ${key} is not JSON`, { cause });
  }
}

function withResourceVersion(object: JsonObject, revision: number): KubeObject {
  const metadata = { ...(object["metadata"] as JsonObject), resourceVersion: String(revision) };
  return { ...object, metadata } as unknown as KubeObject;
}

/**
 * One version of an object, at the version it is stored in. The encoded value is held; the decoded object is made when
 * somebody asks, at most once while anybody holds it, and shared.
 */
export class CachedObject implements StoredObject {
  readonly key: string;
  readonly revision: number;
  readonly createRevision: number;
  /** As in the store: the caller must not change it. */
  readonly value: Buffer;
  readonly headSize: number;
  #object: WeakRef<KubeObject> | undefined;
  #line: WeakRef<Buffer> | undefined;

  constructor(key: string, revision: number, createRevision: number, value: Buffer, decoded?: JsonObject) {
    this.key = key;
    this.revision = revision;
    this.createRevision = createRevision;
    const known = headSizeOf(value);
    this.value = known > 0 ? value : encodeObject(decodeValue(value, key));
    this.headSize = known > 0 ? known : headSizeOf(this.value);
    if (decoded !== undefined) this.#object = new WeakRef(withResourceVersion(decoded, revision));
  }

  get object(): KubeObject {
    const object = this.glimpse;
    if (this.#object?.deref() !== object) this.#object = new WeakRef(object);
    return object;
  }

  get glimpse(): KubeObject {
    return this.#object?.deref() ?? withResourceVersion(decodeValue(this.value, this.key), this.revision);
  }

  get labels(): Labels | undefined {
    const object = this.#object?.deref();
    if (object !== undefined) return object.metadata.labels;
    return labelsIn(this.value, this.headSize + metadataStart.length);
  }

  get bytes(): Buffer {
    return this.line.subarray(0, -1);
  }

  /** Kept as long as memory is not needed otherwise: sending memory that was just made costs more than making it. */
  get line(): Buffer {
    let line = this.#line?.deref();
    if (line === undefined) {
      line = Buffer.allocUnsafe(this.size + 1);
      line[this.writeTo(line, 0)] = lineFeed;
      this.#line = new WeakRef(line);
    }
    return line;
  }

  /** Of `bytes`. */
  get size(): number {
    return this.value.length + versionFieldSize(this.revision);
  }

  writeTo(target: Buffer, offset: number, start = 0): number {
    const split = 1 + this.headSize + metadataStart.length;
    let at = offset + this.value.copy(target, offset, start, split);
    at += target.write(`"resourceVersion":"${this.revision}"`, at, "latin1");
    // Metadata is never empty: every stored object has a name.
    target[at++] = 0x2c;
    return at + this.value.copy(target, at, split);
  }

  /** The same content under another revision: what a watcher gets of a deleted object. */
  at(revision: number): CachedObject {
    return new CachedObject(
      this.key,
      revision,
      this.createRevision,
      this.value,
      this.#object?.deref() as JsonObject | undefined,
    );
  }
}

const lineFeed = 0x0a;

/** Asked for every object of every list: counting digits costs less than printing them. */
function versionFieldSize(revision: number): number {
  let digits = 1;
  for (let limit = 10; revision >= limit; limit *= 10) digits++;
  return '"resourceVersion":"",'.length + digits;
}

/** A cached object seen through another version of its API. */
export class ConvertedObject implements StoredObject {
  readonly key: string;
  readonly revision: number;
  readonly object: KubeObject;
  #line: Buffer | undefined;

  constructor(stored: Pick<StoredObject, "key" | "revision">, object: JsonObject) {
    this.key = stored.key;
    this.revision = stored.revision;
    this.object = object as unknown as KubeObject;
  }

  get bytes(): Buffer {
    return this.line.subarray(0, -1);
  }

  get line(): Buffer {
    if (this.#line === undefined) {
      const { kind, apiVersion, metadata, ...rest } = this.object;
      this.#line = Buffer.from(`${JSON.stringify({ kind, apiVersion, metadata, ...rest })}\n`);
    }
    return this.#line;
  }

  get glimpse(): KubeObject {
    return this.object;
  }

  writeTo(target: Buffer, offset: number, start = 0): number {
    return offset + this.bytes.copy(target, offset, start);
  }

  get headSize(): number {
    return this.bytes.indexOf(metadataStart) - 1;
  }

  get labels(): Labels | undefined {
    return this.object.metadata.labels;
  }

  get size(): number {
    return this.line.length - 1;
  }
}

/**
 * Remembers what this server is writing until the write comes back through the watch, so that the object that a writer had in
 * hands is the one that readers share, not parsed anew. Bounded: what falls out is parsed when needed.
 */
export class RecentWrites {
  readonly #byKey = new Map<
    string,
    { readonly value: Buffer; readonly object: JsonObject; stored: CachedObject | undefined }
  >();

  expect(key: string, value: Buffer, object: JsonObject): void {
    this.#byKey.delete(key);
    this.#byKey.set(key, { value, object, stored: undefined });
    if (this.#byKey.size <= 4096) return;
    const oldest = this.#byKey.keys().next();
    if (!oldest.done) this.#byKey.delete(oldest.value);
  }

  /** The one CachedObject of this write, whoever comes first: the writer or the watch. */
  resolve(key: string, revision: number, createRevision: number, value: Buffer): CachedObject {
    const write = this.#byKey.get(key);
    if (write === undefined || !(write.value === value || write.value.equals(value))) {
      return new CachedObject(key, revision, createRevision, value);
    }
    if (write.stored?.revision !== revision) {
      write.stored = new CachedObject(key, revision, createRevision, value, write.object);
      return write.stored;
    }
    // Both sides have it now.
    this.#byKey.delete(key);
    return write.stored;
  }
}
