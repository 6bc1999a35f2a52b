const two32 = 2 ** 32;
const initialBytes = 64 * 1024;

/**
 * Writes a message from its end to its beginning, so that the length of what is nested is known when its prefix is written.
 * The memory is used again for the next message; `take` copies out.
 */
export class WireWriter {
  #bytes: Buffer = Buffer.allocUnsafeSlow(initialBytes);
  #at = initialBytes;

  /** Bytes written so far. */
  get length(): number {
    return this.#bytes.length - this.#at;
  }

  /** A copy of what was written; the writer is then empty, and keeps no more than it started with. */
  take(): Buffer {
    const copy = Buffer.allocUnsafeSlow(this.length);
    this.#bytes.copy(copy, 0, this.#at);
    this.reset();
    return copy;
  }

  reset(): void {
    if (this.#bytes.length > 16 * initialBytes) this.#bytes = Buffer.allocUnsafeSlow(initialBytes);
    this.#at = this.#bytes.length;
  }

  /** A tag with its wire type, for numbers that matter (below 2^28). */
  tag(number: number, wireType: number): void {
    this.varint(number * 8 + wireType);
  }

  /** The tag and length of a message that began, from behind, when `length` was `end`. */
  prefix(number: number, end: number): void {
    this.varint(this.length - end);
    this.tag(number, 2);
  }

  /** A safe integer; negative ones as 64 bits of two's complement. */
  varint(value: number): void {
    if (value >= 0 && value < 0x80) {
      if (this.#at < 1) this.#grow(1);
      this.#bytes[--this.#at] = value;
    } else if (value >= 0 && value < two32) this.#varint32(value >>> 0);
    else this.#varint64(BigInt.asUintN(64, BigInt(value)));
  }

  #varint32(value: number): void {
    const size = value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;
    if (this.#at < size) this.#grow(size);
    this.#at -= size;
    let rest = value;
    for (let at = this.#at; ; at++) {
      if (rest < 0x80) {
        this.#bytes[at] = rest;
        return;
      }
      this.#bytes[at] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
  }

  #varint64(value: bigint): void {
    const encoded: number[] = [];
    let rest = value;
    for (; rest >= 0x80n; rest >>= 7n) encoded.push(Number(rest & 0x7fn) | 0x80);
    encoded.push(Number(rest));
    this.bytes(Uint8Array.from(encoded));
  }

  double(value: number): void {
    if (this.#at < 8) this.#grow(8);
    this.#at -= 8;
    this.#bytes.writeDoubleLE(value, this.#at);
  }

  bytes(value: Uint8Array): void {
    if (this.#at < value.length) this.#grow(value.length);
    this.#at -= value.length;
    this.#bytes.set(value, this.#at);
  }

  /** Text as UTF-8, without length. */
  text(value: string): void {
    const { length } = value;
    if (length <= 64 && this.#ascii(value)) return;
    const size = Buffer.byteLength(value, "utf8");
    if (this.#at < size) this.#grow(size);
    this.#at -= size;
    this.#bytes.write(value, this.#at, size, "utf8");
  }

  /** For short text a loop is faster than a call into the runtime. */
  #ascii(value: string): boolean {
    const { length } = value;
    if (this.#at < length) this.#grow(length);
    const start = this.#at - length;
    const bytes = this.#bytes;
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index);
      if (code >= 0x80) return false;
      bytes[start + index] = code;
    }
    this.#at = start;
    return true;
  }

  #grow(more: number): void {
    const used = this.length;
    const bytes = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, used + more));
    this.#bytes.copy(bytes, bytes.length - used, this.#at);
    this.#at = bytes.length - used;
    this.#bytes = bytes;
  }
}
