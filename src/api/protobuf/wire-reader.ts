import { isUtf8 } from "node:buffer";
import { DecodeError } from "../decode/decode-error.js";

/** How deep messages may nest; upstream's own kinds stay far below. */
export const maxMessageDepth = 100;

/** Reads one message, or a part of it between two bounds. Throws DecodeError for what is cut off or malformed. */
export class WireReader {
  readonly #bytes: Buffer;
  #at: number;
  #end: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = 0;
    this.#end = bytes.length;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  /** Narrows to the length-delimited value at hand; gives what `leave` needs to go on behind it. */
  enter(): number {
    const length = this.#length();
    const outer = this.#end;
    this.#end = this.#at + length;
    return outer;
  }

  leave(outer: number): void {
    this.#at = this.#end;
    this.#end = outer;
  }

  /** `number * 8 + wireType`. */
  tag(): number {
    const tag = this.#uint32();
    if (tag >>> 3 === 0) throw malformed(`illegal tag ${tag >>> 3} (wire type ${tag & 7})`);
    return tag;
  }

  #uint32(): number {
    const first = this.#bytes[this.#at];
    if (first !== undefined && first < 0x80 && this.#at < this.#end) {
      this.#at++;
      return first;
    }
    const value = this.#uint64();
    if (value > 0xffffffffn) throw malformed("integer overflow");
    return Number(value);
  }

  #uint64(): bigint {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= this.#end) throw truncated();
      const byte = this.#bytes[this.#at++] ?? 0;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    }
    throw malformed("integer overflow");
  }

  bool(): boolean {
    return this.#uint64() !== 0n;
  }

  int32(): number {
    const first = this.#bytes[this.#at];
    if (first !== undefined && first < 0x80 && this.#at < this.#end) {
      this.#at++;
      return first;
    }
    return Number(BigInt.asIntN(32, this.#uint64()));
  }

  /** Throws for what a double cannot hold, as JSON's reader does. */
  int64(): number {
    const first = this.#bytes[this.#at];
    if (first !== undefined && first < 0x80 && this.#at < this.#end) {
      this.#at++;
      return first;
    }
    const value = BigInt.asIntN(64, this.#uint64());
    const number = Number(value);
    if (!Number.isSafeInteger(number)) {
      throw new DecodeError("malformed", `proto: integer ${value} is beyond 2^53`);
    }
    return number;
  }

  double(): number {
    this.#need(8);
    const value = this.#bytes.readDoubleLE(this.#at);
    this.#at += 8;
    if (!Number.isFinite(value)) throw malformed("number is not finite");
    return value;
  }

  string(): string {
    const length = this.#length();
    const start = this.#at;
    this.#at += length;
    if (length <= 24) {
      const short = this.#ascii(start, this.#at);
      if (short !== undefined) return short;
    }
    const text = this.#bytes.toString("utf8", start, this.#at);
    if (text.includes("\ufffd") && !isUtf8(this.#bytes.subarray(start, this.#at))) {
      throw malformed("invalid UTF-8 in a string");
    }
    return text;
  }

  #ascii(start: number, end: number): string | undefined {
    let text = "";
    for (let at = start; at < end; at++) {
      const byte = this.#bytes[at] ?? 0;
      if (byte >= 0x80) return undefined;
      text += String.fromCharCode(byte);
    }
    return text;
  }

  /** A view, not a copy. */
  bytes(): Buffer {
    const length = this.#length();
    const start = this.#at;
    this.#at += length;
    return this.#bytes.subarray(start, this.#at);
  }

  /** Goes past the value of a field that nobody knows. */
  skip(wireType: number, depth: number): void {
    switch (wireType) {
      case 0:
        this.#uint64();
        return;
      case 1:
        this.#need(8);
        this.#at += 8;
        return;
      case 2:
        this.bytes();
        return;
      case 3:
        this.#skipGroup(depth + 1);
        return;
      case 5:
        this.#need(4);
        this.#at += 4;
        return;
      default:
        throw malformed(`illegal wireType ${wireType}`);
    }
  }

  #skipGroup(depth: number): void {
    if (depth > maxMessageDepth) throw tooDeep();
    for (;;) {
      const tag = this.tag();
      if ((tag & 7) === 4) return;
      this.skip(tag & 7, depth);
    }
  }

  /** The length in front of a value, checked against what is there before anybody relies on it. */
  #length(): number {
    const length = this.#uint32();
    this.#need(length);
    return length;
  }

  #need(length: number): void {
    if (length > this.#end - this.#at) throw truncated();
  }
}

export function malformed(what: string): DecodeError {
  return new DecodeError("malformed", `proto: ${what}`);
}

export function tooDeep(): DecodeError {
  return new DecodeError("malformed", "exceeded max depth");
}

function truncated(): DecodeError {
  return new DecodeError("malformed", "unexpected EOF");
}
