import { byteOrder, codeUnitOrder, type KeyOrder, needsByteOrder } from "./key-order.js";

/** One version of a key. A deletion is a version whose `createRevision` is 0. */
export interface Version {
  readonly key: string;
  readonly revision: number;
  readonly createRevision: number;
}

interface KeyRecord<V> {
  readonly key: string;
  newest: V;
  /** What is before the newest, oldest first. */
  older: V[] | undefined;
}

export interface ScanOptions {
  readonly after?: string | undefined;
  /** Absent: the newest versions. */
  readonly revision?: number | undefined;
  /** 0: all. */
  readonly limit: number;
}

const chunkLimit = 256;

/**
 * All versions of all keys, ordered by the keys' UTF-8 bytes. Keys lie in sorted chunks of bounded size, so that an
 * insertion moves at most one chunk's worth and a range touches nothing outside of its prefix.
 */
export class KeyIndex<V extends Version> {
  readonly #records = new Map<string, KeyRecord<V>>();
  readonly #chunks: KeyRecord<V>[][] = [[]];
  #order: KeyOrder = codeUnitOrder;

  /** How many keys are known, deleted ones that are not compacted yet included. */
  get size(): number {
    return this.#records.size;
  }

  /** The version now; undefined when there is none or it is a deletion. */
  get(key: string): V | undefined {
    const newest = this.#records.get(key)?.newest;
    return newest !== undefined && newest.createRevision > 0 ? newest : undefined;
  }

  /** The version that was current at `revision`, a deletion included. */
  at(key: string, revision: number): V | undefined {
    const record = this.#records.get(key);
    return record === undefined ? undefined : versionAt(record, revision);
  }

  /** Adds the newest version of its key; revisions grow. */
  add(version: V): void {
    const record = this.#records.get(version.key);
    if (record === undefined) {
      this.#insert({ key: version.key, newest: version, older: undefined });
      return;
    }
    if (record.older === undefined) record.older = [record.newest];
    else record.older.push(record.newest);
    record.newest = version;
  }

  /** The live versions of keys with `prefix`, in order: up to `limit` of them, and how many there are. */
  scan(prefix: string, { after, revision, limit }: ScanOptions): { versions: V[]; count: number } {
    const versions: V[] = [];
    let count = 0;
    // The smallest string behind `after` is `after` with a zero byte appended.
    const from = after === undefined || this.#order(after, prefix) < 0 ? prefix : `${after}\0`;
    let chunkIndex = this.#chunkOf(from);
    let index = this.#lowerBound(this.#chunk(chunkIndex), from);
    for (; chunkIndex < this.#chunks.length; chunkIndex++, index = 0) {
      const chunk = this.#chunk(chunkIndex);
      for (; index < chunk.length; index++) {
        const record = chunk[index] as KeyRecord<V>;
        if (!record.key.startsWith(prefix)) return { versions, count };
        const version = revision === undefined ? record.newest : versionAt(record, revision);
        if (version === undefined || version.createRevision === 0) continue;
        if (limit === 0 || count < limit) versions.push(version);
        count++;
      }
    }
    return { versions, count };
  }

  /**
   * Forgets what nobody can see of a key when reads start at `revision`: superseded versions, and the key itself when
   * it is deleted by then. Calls `forget` for each.
   */
  compact(key: string, revision: number, forget?: (version: V) => void): void {
    const record = this.#records.get(key);
    if (record === undefined) return;
    const { older } = record;
    if (older !== undefined) {
      let gone = 0;
      while (gone < older.length && (older[gone + 1] ?? record.newest).revision <= revision) gone++;
      // A deletion that is the oldest of what is left says no more than its absence.
      if (gone < older.length && isDeletionBy(older[gone] as V, revision)) gone++;
      if (forget !== undefined) for (let index = 0; index < gone; index++) forget(older[index] as V);
      if (gone === older.length) record.older = undefined;
      else if (gone > 0) older.splice(0, gone);
    }
    if (record.older === undefined && isDeletionBy(record.newest, revision)) {
      forget?.(record.newest);
      this.#remove(key);
    }
  }

  #insert(record: KeyRecord<V>): void {
    if (this.#order === codeUnitOrder && needsByteOrder(record.key)) this.#order = byteOrder;
    this.#records.set(record.key, record);
    const chunkIndex = this.#chunkOf(record.key);
    const chunk = this.#chunk(chunkIndex);
    const index = this.#lowerBound(chunk, record.key);
    if (index === chunk.length) chunk.push(record);
    else chunk.splice(index, 0, record);
    if (chunk.length <= chunkLimit) return;
    // Ascending insertions leave full chunks behind; all others leave halves.
    const at = index === chunk.length - 1 ? chunkLimit : chunkLimit >> 1;
    this.#chunks.splice(chunkIndex + 1, 0, chunk.splice(at));
  }

  #remove(key: string): void {
    this.#records.delete(key);
    const chunkIndex = this.#chunkOf(key);
    const chunk = this.#chunk(chunkIndex);
    chunk.splice(this.#lowerBound(chunk, key), 1);
    if (chunk.length === 0 && this.#chunks.length > 1) this.#chunks.splice(chunkIndex, 1);
  }

  #chunk(index: number): KeyRecord<V>[] {
    return this.#chunks[index] as KeyRecord<V>[];
  }

  /** The last chunk whose first key is not behind `key`; the first one if there is none. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      const first = this.#chunk(middle)[0] as KeyRecord<V>;
      if (this.#order(first.key, key) <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #lowerBound(chunk: readonly KeyRecord<V>[], key: string): number {
    let low = 0;
    let high = chunk.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#order((chunk[middle] as KeyRecord<V>).key, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function isDeletionBy(version: Version, revision: number): boolean {
  return version.createRevision === 0 && version.revision <= revision;
}

function versionAt<V extends Version>(record: KeyRecord<V>, revision: number): V | undefined {
  if (record.newest.revision <= revision) return record.newest;
  const { older } = record;
  if (older === undefined) return undefined;
  let low = 0;
  let high = older.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((older[middle] as V).revision <= revision) low = middle + 1;
    else high = middle;
  }
  return older[low - 1];
}
