import type { Version } from "../mvcc/key-index.js";
import type { StoreEntry } from "../store.js";
import type { Segment } from "./segment.js";

/** A version of a key and where its value lies. */
export class DiskVersion implements Version {
  readonly key: string;
  readonly revision: number;
  readonly createRevision: number;
  readonly valueLength: number;
  readonly frameLength: number;
  /** Where the value lies; undefined until it is durable. */
  segment: Segment | undefined;
  valueOffset = 0;
  /** The value, as long as it is kept in memory. */
  value: Buffer | undefined;

  constructor(key: string, revision: number, createRevision: number, valueLength: number, frameLength: number) {
    this.key = key;
    this.revision = revision;
    this.createRevision = createRevision;
    this.valueLength = valueLength;
    this.frameLength = frameLength;
  }

  entry(): StoreEntry {
    const { key, revision, createRevision } = this;
    return { key, value: this.value ?? this.#read(), revision, createRevision };
  }

  #read(): Buffer {
    if (this.segment === undefined) throw new Error(`the value of ${this.key} at ${this.revision} is nowhere`);
    return this.segment.read(this.valueOffset, this.valueLength);
  }
}

/** Keeps the last values written in memory, up to a number of bytes: what was just written is read the most. */
export class ValueCache {
  readonly #limitBytes: number;
  #bytes = 0;
  #versions: DiskVersion[] = [];
  #head = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  add(version: DiskVersion, value: Buffer): void {
    version.value = value;
    this.#versions.push(version);
    this.#bytes += value.length + 64;
    while (this.#bytes > this.#limitBytes) {
      const oldest = this.#versions[this.#head++];
      if (oldest === undefined) break;
      this.#bytes -= oldest.valueLength + 64;
      oldest.value = undefined;
    }
    if (this.#head < 1024 || this.#head * 2 < this.#versions.length) return;
    this.#versions = this.#versions.slice(this.#head);
    this.#head = 0;
  }
}
