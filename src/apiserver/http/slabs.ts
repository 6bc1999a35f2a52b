import type { StoredObject } from "../request.js";

/** Items of a list as they go over the wire, joined by commas. */
interface Slab {
  readonly revisions: readonly number[];
  readonly bytes: Buffer;
}

const comma = 0x2c;
const openingBrace = 0x7b;
const maxItems = 256;
const maxSlabBytes = 512 * 1024;
/** Below this joining is cheaper than keeping. */
const minKeptItems = 8;

/**
 * Joins the items of lists into slabs and keeps the slabs, so that the next list of the same objects copies nothing. Slabs end where
 * an item's revision says so, not at fixed counts: an object that comes or goes changes the slab that it is in and leaves the
 * others as they were. Bounded by bytes, least recently used out first.
 */
export class SlabCache {
  readonly #limitBytes: number;
  readonly #slabs = new Map<StoredObject, Slab>();
  #bytes = 0;

  constructor(limitBytes: number = 32 * 1024 * 1024) {
    this.#limitBytes = limitBytes;
  }

  get sizeBytes(): number {
    return this.#bytes;
  }

  /** The items from `start` on, `bare` or not (the same for the same items): their bytes, and where the next slab starts. Never more than some hundred kilobytes, or one item. */
  next(items: readonly StoredObject[], start: number, bare = false): { readonly bytes: Buffer; readonly end: number } {
    const first = items[start] as StoredObject;
    const known = this.#slabs.get(first);
    const end = slabEnd(items, start);
    if (known !== undefined && matches(known, items, start, end)) {
      this.#slabs.delete(first);
      this.#slabs.set(first, known);
      return { bytes: known.bytes, end };
    }
    const bytes = join(items, start, end, bare);
    if (end - start >= minKeptItems) this.#keep(first, { revisions: revisionsOf(items, start, end), bytes });
    return { bytes, end };
  }

  #keep(first: StoredObject, slab: Slab): void {
    this.#bytes += slab.bytes.length - (this.#slabs.get(first)?.bytes.length ?? 0);
    this.#slabs.delete(first);
    this.#slabs.set(first, slab);
    for (const [key, old] of this.#slabs) {
      if (this.#bytes <= this.#limitBytes) break;
      this.#slabs.delete(key);
      this.#bytes -= old.bytes.length;
    }
  }
}

function slabEnd(items: readonly StoredObject[], start: number): number {
  let bytes = 0;
  let end = start;
  while (end < items.length) {
    const item = items[end] as StoredObject;
    bytes += item.size;
    if (end > start && bytes > maxSlabBytes) return end;
    end++;
    if (item.revision % 64 === 63 || end - start >= maxItems) break;
  }
  return end;
}

/** A revision belongs to one object, so equal revisions behind the same first object are the same objects. */
function matches(slab: Slab, items: readonly StoredObject[], start: number, end: number): boolean {
  if (slab.revisions.length !== end - start) return false;
  for (let at = start; at < end; at++) {
    if (slab.revisions[at - start] !== items[at]?.revision) return false;
  }
  return true;
}

function revisionsOf(items: readonly StoredObject[], start: number, end: number): readonly number[] {
  const revisions: number[] = [];
  for (let at = start; at < end; at++) revisions.push(items[at]?.revision ?? 0);
  return revisions;
}

function join(items: readonly StoredObject[], start: number, end: number, bare: boolean): Buffer {
  let size = end - start - 1;
  for (let at = start; at < end; at++) size += itemSize(items[at] as StoredObject, bare);
  const joined = Buffer.allocUnsafe(size);
  let offset = 0;
  for (let at = start; at < end; at++) {
    const item = items[at] as StoredObject;
    if (at > start) joined[offset++] = comma;
    joined[offset++] = openingBrace;
    offset = item.writeTo(joined, offset, 1 + skipped(item, bare));
  }
  return joined;
}

/** What an item takes in a list. */
export function itemSize(item: StoredObject, bare: boolean): number {
  return item.size - skipped(item, bare);
}

function skipped(item: StoredObject, bare: boolean): number {
  return bare ? (item.headSize ?? 0) : 0;
}
