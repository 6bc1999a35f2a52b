/** One run of neighbouring entries. `derived` is whatever a reader wants to keep beside an unchanged run; a write drops it. */
export interface Chunk<V> {
  readonly keys: readonly string[];
  readonly values: readonly V[];
  derived: unknown;
}

interface MutableChunk<V> extends Chunk<V> {
  readonly keys: string[];
  readonly values: V[];
}

const chunkLimit = 128;

/**
 * A map in key order (by UTF-16 code units, which for the ASCII of API names is byte order). Entries live in chunks of at
 * most 128, so that inserts move little and readers can work, and cache, by the chunk.
 */
export class SortedMap<V> {
  readonly #chunks: MutableChunk<V>[] = [];
  readonly #byKey = new Map<string, V>();

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): V | undefined {
    return this.#byKey.get(key);
  }

  set(key: string, value: V): void {
    const known = this.#byKey.has(key);
    this.#byKey.set(key, value);
    const at = Math.max(0, this.#chunkBefore(key));
    const chunk = this.#chunks[at];
    if (chunk === undefined) {
      this.#chunks.push({ keys: [key], values: [value], derived: undefined });
      return;
    }
    chunk.derived = undefined;
    const index = lowerBound(chunk.keys, key);
    if (known) {
      chunk.values[index] = value;
      return;
    }
    chunk.keys.splice(index, 0, key);
    chunk.values.splice(index, 0, value);
    if (chunk.keys.length > chunkLimit) this.#split(at, index === chunkLimit);
  }

  delete(key: string): boolean {
    if (!this.#byKey.delete(key)) return false;
    const at = this.#chunkBefore(key);
    const chunk = this.#chunks[at] as MutableChunk<V>;
    const index = lowerBound(chunk.keys, key);
    chunk.keys.splice(index, 1);
    chunk.values.splice(index, 1);
    chunk.derived = undefined;
    if (chunk.keys.length === 0) this.#chunks.splice(at, 1);
    return true;
  }

  clear(): void {
    this.#byKey.clear();
    this.#chunks.length = 0;
  }

  values(): IterableIterator<V> {
    return this.#byKey.values();
  }

  /**
   * The chunks that hold keys with `prefix` behind `after`, in order, with the part of each that counts: [from, to). The map
   * must not be written to meanwhile.
   */
  *range(prefix: string, after?: string): Generator<{ chunk: Chunk<V>; from: number; to: number }> {
    const start = after !== undefined && after > prefix ? after : prefix;
    for (let at = Math.max(0, this.#chunkBefore(start)); at < this.#chunks.length; at++) {
      const chunk = this.#chunks[at] as MutableChunk<V>;
      let from = lowerBound(chunk.keys, start);
      if (after !== undefined && chunk.keys[from] === after) from++;
      const last = chunk.keys[chunk.keys.length - 1] as string;
      const to = last.startsWith(prefix) ? chunk.keys.length : endOfPrefix(chunk.keys, from, prefix);
      if (from < to) yield { chunk, from, to };
      if (to < chunk.keys.length) return;
    }
  }

  /** The index of the last chunk whose first key is not greater than `key`; -1 when there is none. */
  #chunkBefore(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (((this.#chunks[middle] as MutableChunk<V>).keys[0] as string) <= key) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Keys that arrive in order leave full chunks behind; others are split in the middle. */
  #split(at: number, appended: boolean): void {
    const chunk = this.#chunks[at] as MutableChunk<V>;
    const from = appended ? chunk.keys.length - 1 : chunk.keys.length >> 1;
    this.#chunks.splice(at + 1, 0, {
      keys: chunk.keys.splice(from),
      values: chunk.values.splice(from),
      derived: undefined,
    });
  }
}

/** The first index whose key is not smaller than `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first index from `from` on whose key does not start with `prefix`. */
function endOfPrefix(keys: readonly string[], from: number, prefix: string): number {
  let low = from;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string).startsWith(prefix)) low = middle + 1;
    else high = middle;
  }
  return low;
}
